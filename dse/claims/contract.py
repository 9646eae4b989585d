"""Published claims. This file is the contract, and reads the files of `conf/claim`; one kind of claim a file."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from dse.claims.bench import Bench
from dse.claims.verdict import Receipt
from dse.configuration.compose import choices, conf_folder
from dse.configuration.provenance import citations
from dse.run.near import nearest
from hw.units import Rule, spread

GROUP = "claim"


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A claimed number in the unit of what it is held against, as written, and the relative half-width it states."""

    value: float
    unit: str
    written: str
    width: float

    @classmethod
    def read(cls, place: str, given: Any, unit: str) -> Quantity:
        """Raises ValueError that names the place where the text is no quantity in that unit."""
        try:
            return cls(Rule(unit, above=0).read(given), unit, str(given), spread(given))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim(ABC):
    """What somebody says of a machine, and how it is to be tested.

    says : the claim in words; by : who; source : a key of conf/sources.yaml; missing : what the claim does not say and
    nothing can stand in for, name -> words: where there is any, the verdict is that it cannot be tested, and what is
    modelled is of a stand-in; assumed : what it does not say and was filled in, name -> words; also : other keys whose
    documents repeat the claim, so that numbers from there are no test of it.
    """

    name: str
    says: str
    by: str
    source: str
    missing: Mapping[str, str] = dataclasses.field(default_factory=dict)
    assumed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    also: Sequence[str] = ()

    @property
    def own_sources(self) -> tuple[str, ...]:
        """Keys of all documents that say it."""
        return (self.source, *self.also)

    @property
    def place(self) -> str:
        return f"conf/claim/{self.name}.yaml"

    @abstractmethod
    def check(self) -> None:
        """Raise ValueError in the words of the place where a number, a unit or a name is wrong."""

    @abstractmethod
    def receipt(self, bench: Bench) -> Receipt:
        """What the model says to it; raises `UntestableError` where a machine is missing."""

    @property
    def certainty(self) -> str:
        """How far the source is to be believed."""
        return citations()[self.source]["confidence"]


def names() -> list[str]:
    """The names of all claims on the search path of the running application."""
    return sorted(choices(GROUP))


def read(name: str) -> Claim:
    """The claim of that name, checked; raises ValueError where a value of it is wrong."""
    return built(name, content(name))


def content(name: str) -> dict[str, Any]:
    """A claim's file as plain data."""
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    if GlobalHydra.instance().is_initialized():
        loader: Any = GlobalHydra.instance().config_loader()
        found = OmegaConf.to_container(loader.repository.load_config(f"{GROUP}/{name}").config)
    else:
        found = OmegaConf.to_container(OmegaConf.load(conf_folder() / GROUP / f"{name}.yaml"))
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def built(name: str, given: Mapping[str, Any]) -> Claim:
    """The claim of a file's content, every value checked."""
    place, kind = f"conf/claim/{name}.yaml", kind_of(f"conf/claim/{name}.yaml", given)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name != "name"}
    rest = {key: value for key, value in given.items() if key != "_target_"}
    for key in rest:
        if key not in fields:
            raise ValueError(f"{place}: there is no {key!r} here; {nearest(key, fields)}")
    for key, field in fields.items():
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if key not in rest and not optional:
            raise ValueError(f"{place}: {key} is missing; {kind.__name__} needs it")
    claim = kind(name=name, **rest)
    for key, source in (("source", claim.source), *(("also", one) for one in claim.also)):
        if source not in citations():
            near = nearest(source, citations())
            raise ValueError(f"{place}: {key}: {source!r} is not in conf/sources.yaml; {near}")
    claim.check()
    return claim


def kind_of(place: str, given: Mapping[str, Any]) -> type[Claim]:
    """The class that a file names."""
    import importlib

    target = str(given.get("_target_", ""))
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name) if module.startswith("dse.") else None
    except (ImportError, AttributeError):
        found = None
    if not isinstance(found, type) or not issubclass(found, Claim) or getattr(found, "__abstractmethods__", None):
        raise ValueError(f"{place}: _target_: {target!r} is no kind of claim; name one such as dse.claims.rates.Rate")
    return found


def machines_of(place: str, given: Any) -> list[str]:
    """Overrides that compose a machine, a model, its formats and its traffic."""
    if not isinstance(given, (list, tuple)) or not all(isinstance(one, str) and "=" in one for one in given):
        raise ValueError(
            f"{place}: {given!r} is no list of overrides; write it like [hw=NAME, model=NAME, format=NAME]"
        )
    return list(given)


def counts(place: str, given: Any) -> list[int]:
    """Whole numbers from 1."""
    found = []
    for one in given if isinstance(given, (list, tuple)) else [given]:
        try:
            found.append(int(Rule(least=1, whole=True).read(one)))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    return found
