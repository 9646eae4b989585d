"""Configuration -> components: every value checked by the field that takes it, before anything is built."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx

from dse.run.near import nearest
from hw.units import Rule

NOTES = ("_target_", "sources", "about", "aliases", "conflicts")
ALLOWED = ("hw.", "models.", "dse.")
Locate = Callable[[str], str]


def counted(place: str, given: Any) -> int:
    """A whole number from 1, or ValueError that names the place."""
    try:
        return int(Rule(least=1, whole=True).read(given))
    except ValueError as error:
        raise ValueError(f"{place}: {error}; write {place}=1 or more") from None


def target(node: Mapping[str, Any], path: str, locate: Locate) -> type:
    """The class that a node names; only classes of this framework are built."""
    name = node.get("_target_")
    if name is None:
        raise ValueError(f"{locate(path)}: a component is expected here; give its class as '_target_: hw.…'")
    if not str(name).startswith(ALLOWED):
        raise ValueError(
            f"{locate(path)}: _target_: {name!r} is not one of {', '.join(ALLOWED)}…; only those are built"
        )
    module, _, cls = str(name).rpartition(".")
    try:
        found = getattr(importlib.import_module(module), cls)
    except (ImportError, AttributeError):
        raise ValueError(f"{locate(path)}: _target_: {name!r} does not exist; name a class of a module") from None
    if not dataclasses.is_dataclass(found) or inspect.isabstract(found):
        raise ValueError(f"{locate(path)}: _target_: {name!r} is no component that can be built; name a final class")
    return found  # type: ignore[return-value]


def checked(node: Mapping[str, Any], path: str, locate: Locate) -> dict[str, Any]:
    """The node with every quantity as a float in its field's unit, and without the notes.

    Raises ValueError that names the place, the value, the rule and the remedy.
    """
    cls = target(node, path, locate)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    _refuse_unknown(node, fields, path, locate)
    wanted = kinds(cls)
    clean: dict[str, Any] = {"_target_": node["_target_"]}
    for name, field in fields.items():
        if name in node:
            clean[name] = _value(node[name], field, wanted.get(name), f"{path}.{name}", locate)
        elif field.default is dataclasses.MISSING:
            raise ValueError(f"{locate(path)}: {name} is missing; {cls.__name__} needs it")
    return clean


def _refuse_unknown(node: Mapping[str, Any], fields: Mapping[str, Any], path: str, locate: Locate) -> None:
    for name in node:
        if name not in fields and name not in NOTES:
            raise ValueError(f"{locate(f'{path}.{name}')}: there is no {name!r} here; {nearest(str(name), fields)}")


def kinds(cls: type) -> dict[str, type]:
    """The class of component that each field of a class takes; for a map, that of its members."""
    found = {}
    for name, hint in typing.get_type_hints(cls).items():
        inner = [one for one in (hint, *typing.get_args(hint)) if inspect.isclass(one)]
        components = [one for one in inner if dataclasses.is_dataclass(one)]
        if components:
            found[name] = components[-1]
    return found


def refuse_kind(given: type, wanted: type | None, path: str, locate: Locate) -> None:
    """Raise ValueError where a component of another kind stands in a place."""
    if wanted is not None and not issubclass(given, wanted):
        named = [f"{cls.__module__}.{cls.__name__}" for cls in (given, wanted)]
        raise ValueError(f"{locate(path)}: _target_: {named[0]!r} is no {named[1]}; name a component of that kind")


def _value(given: Any, field: dataclasses.Field[Any], kind: type | None, path: str, locate: Locate) -> Any:
    rule = Rule.of(field.metadata)
    if rule is not None:
        try:
            return rule.read(given)
        except ValueError as error:
            raise ValueError(f"{locate(path)}: {error}") from None
    if not isinstance(given, Mapping):
        raise ValueError(f"{locate(path)}: {given!r} is given, but a component with its own fields is expected")
    if "_target_" in given:
        refuse_kind(target(given, path, locate), kind, path, locate)
        return checked(given, path, locate)
    if not given and field.metadata.get("may_be_empty"):
        return {}
    return _named(given, kind, path, locate)


def _named(nodes: Mapping[str, Any], kind: type | None, path: str, locate: Locate) -> dict[str, Any]:
    """An ordered map of components."""
    if not nodes or not all(isinstance(node, Mapping) for node in nodes.values()):
        raise ValueError(f"{locate(path)}: a component or a map of named components is expected here")
    for name, node in nodes.items():
        refuse_kind(target(node, f"{path}.{name}", locate), kind, f"{path}.{name}", locate)
    return {str(name): checked(node, f"{path}.{name}", locate) for name, node in nodes.items()}


def rule_at(node: Mapping[str, Any], path: list[str]) -> Rule | None:
    """The rule of the field that a path leads to inside a composed component, or none."""
    head, rest = path[0], path[1:]
    if head not in node:
        return None
    if rest:
        return rule_at(node[head], rest) if isinstance(node[head], Mapping) else None
    if "_target_" not in node:
        return None
    fields = {field.name: field for field in dataclasses.fields(target(node, "", str))}
    return Rule.of(fields[head].metadata) if head in fields else None


def paths(node: Mapping[str, Any], prefix: str = "") -> list[str]:
    """All paths to quantities inside a composed component."""
    found = []
    for name, value in node.items():
        if name in NOTES:
            continue
        path = f"{prefix}.{name}" if prefix else str(name)
        found += paths(value, path) if isinstance(value, Mapping) else [path]
    return found


def build(node: Mapping[str, Any], path: str, locate: Locate = str) -> Any:
    """The component of a composed node."""
    from hydra.utils import instantiate

    clean = checked(node, path, locate)
    try:
        return instantiate(clean, _convert_="all")
    except Exception as error:
        inside = re.search(r"full_key: (\S+)", str(error))
        place = f"{path}.{inside[1]}" if inside else path
        raise ValueError(f"{locate(place)}: {error.__cause__ or error}") from None


def recheck(component: Any) -> None:
    """Raise ValueError where a component, or one inside it, breaks a rule between its own numbers."""
    if isinstance(component, eqx.Module):
        for cls in type(component).__mro__:
            if "__check_init__" in vars(cls):
                cls.__check_init__(component)  # type: ignore[attr-defined]
        component = {name: getattr(component, name) for name in type(component).__dataclass_fields__}
    if isinstance(component, Mapping):
        for inner in component.values():
            recheck(inner)
