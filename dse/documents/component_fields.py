"""The components, their fields and the words for them, for the reference and for the schemas of editors."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx

from dse.configuration.compose import conf_folder, written
from dse.configuration.schema import kinds
from hw.units import Rule

PACKAGES = ("hw", "models")
GLOSSARY = Path(__file__).resolve().parent / "glossary"


@dataclasses.dataclass(frozen=True)
class Told:
    """A field of a component: its rule if it is a quantity, else the class of component that it takes, one or a map."""

    name: str
    meaning: str
    rule: Rule | None
    kind: type | None
    named: bool
    needed: bool
    default: Any

    @property
    def limits(self) -> str:
        """What values are legal, in words."""
        if self.rule is None:
            return "map" if self.named else ""
        rule = self.rule
        low = f"above {rule.above:g}" if rule.above is not None else f"from {rule.least:g}" if rule.least else ""
        if rule.least == 0 and rule.above is None:
            low = "from 0"
        words = [low, f"to {rule.most:g}" if rule.most is not None else "", "whole" if rule.whole else ""]
        return ", ".join(word for word in words if word)


@functools.cache
def words() -> dict[str, Any]:
    """What fields mean, from the glossary."""
    return written(GLOSSARY / "fields.yaml")


@functools.cache
def equations() -> dict[str, Any]:
    """Equations of components by class, from the glossary."""
    return written(GLOSSARY / "equations.yaml")


def name_of(cls: type) -> str:
    """A class as `_target_` names it."""
    return f"{cls.__module__}.{cls.__name__}"


@functools.cache
def components() -> tuple[type, ...]:
    """Every class of component, abstract ones too, in the order of modules and lines."""
    found: list[type] = []
    for package in PACKAGES:
        folder = importlib.import_module(package)
        for part in pkgutil.iter_modules(folder.__path__):
            module = importlib.import_module(f"{package}.{part.name}")
            found += [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__]
    return tuple(cls for cls in found if issubclass(cls, eqx.Module))


def final(cls: type) -> bool:
    """Whether a configuration may name the class."""
    return dataclasses.is_dataclass(cls) and not inspect.isabstract(cls)


def meaning(cls: type, name: str) -> str:
    """What a field of a class means; empty where the glossary has no word."""
    own = words().get(cls.__name__, {})
    return str(own.get(name, words()["every"].get(name, "")))


def fields(cls: type) -> list[Told]:
    """The fields of a class that can be built, in their order."""
    wanted, found = kinds(cls), []
    for field in dataclasses.fields(cls):
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        rule, kind = Rule.of(field.metadata), wanted.get(field.name)
        named = kind is not None and "OrderedDict" in str(field.type)
        default = None if needed or field.default is dataclasses.MISSING else field.default
        found.append(Told(field.name, meaning(cls, field.name), rule, kind, named, needed, default))
    return found


@functools.cache
def users() -> Mapping[str, list[str]]:
    """Name of a class in a `_target_` -> the shipped files that have it, from conf/ on."""
    found: dict[str, list[str]] = {}
    for path in sorted(conf_folder().rglob("*.yaml")):
        for target in sorted(set(_targets(written(path)))):
            found.setdefault(target, []).append(str(path.relative_to(conf_folder())))
    return found


@functools.cache
def names(cls: type) -> list[str]:
    """The names that files have for a class: its own first, then those of modules that pass it on."""
    others = [name for name in users() if name.startswith(PACKAGES) and name.endswith(f".{cls.__name__}")]
    passed = [name for name in others if getattr(importlib.import_module(name.rpartition(".")[0]), cls.__name__) is cls]
    return [name_of(cls), *(name for name in passed if name != name_of(cls))]


def files(cls: type) -> list[str]:
    """The shipped files that name a class."""
    return sorted({file for name in names(cls) for file in users().get(name, ())})


def _targets(node: Any) -> list[str]:
    if isinstance(node, list):
        return [target for inner in node for target in _targets(inner)]
    if not isinstance(node, Mapping):
        return []
    inner = [target for value in node.values() for target in _targets(value)]
    return inner + ([str(node["_target_"])] if "_target_" in node else [])
