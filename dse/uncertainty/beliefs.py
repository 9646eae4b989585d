"""How far each number of a machine may be off: its own spread, or that of its source's class."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax

from dse.configuration.compose import places
from dse.configuration.provenance import explained, quantities
from dse.configuration.schema import counted, rule_at
from dse.configuration.spreads import leaf_paths
from dse.problem.template import Template
from dse.run.near import nearest
from hw.units import Rule, spread

SECTIONS = ("hw", "prefill", "draft")  # what is a machine; a model's shape and the traffic are what is asked for
CLASSES = ("published", "measured", "third-party", "derived", "assumed", "given")
CHOSEN, BEST = "chosen", "best"
WEAKEST = "assumed"
FEWEST = 128  # draws from which indices are worth reading
WHOLE = ("near", "robust_draws", "value_draws", "value_inputs")


@dataclass(frozen=True)
class Beliefs:
    """The section `spreads` of a configuration.

    classes : relative half-widths; held : units; mapping : `chosen` as written, or `best` again in each draw.
    """

    classes: Mapping[str, float] = field(hash=False)
    held: tuple[str, ...]
    draws: int
    near: int
    mapping: str
    evaluate: bool
    robust_draws: int
    value_draws: int
    value_inputs: int

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Beliefs:
        """From a configuration; raises ValueError that names the place."""
        known = tuple(cls.__dataclass_fields__)
        for name in given:
            if name not in known:
                raise ValueError(f"spreads: there is no {name!r}; {nearest(name, known)}")
        draws = given["draws"]
        if given["mapping"] not in (CHOSEN, BEST):
            raise ValueError(f"spreads.mapping: {given['mapping']!r} is neither {CHOSEN} nor {BEST}")
        if given["evaluate"] not in (True, False):
            raise ValueError(f"spreads.evaluate: {given['evaluate']!r} is neither true nor false")
        if counted("spreads.value_draws", given["value_draws"]) < FEWEST:
            raise ValueError(
                f"spreads.value_draws: {given['value_draws']} draws tell no part of a variance from chance; write "
                f"{FEWEST} or more"
            )
        return cls(
            classes=read_classes(given["classes"]),
            held=tuple(map(str, given["held"])),
            draws=0 if draws == 0 else counted("spreads.draws", draws),
            mapping=str(given["mapping"]),
            evaluate=bool(given["evaluate"]),
            **{name: counted(f"spreads.{name}", given[name]) for name in WHOLE},
        )


def read_classes(given: Mapping[str, Any]) -> dict[str, float]:
    """Class of confidence -> relative half-width; raises ValueError that names the place."""
    for name in given:
        if name not in CLASSES:
            raise ValueError(f"spreads.classes: there is no {name!r}; {nearest(name, CLASSES)}")
    found = {}
    for name in CLASSES:
        try:
            found[name] = Rule("", least=0).read(given[name])
        except KeyError:
            raise ValueError(f"spreads.classes: {name} is missing; write it like '{name}: 10 %'") from None
        except ValueError as error:
            raise ValueError(f"spreads.classes.{name}: {error}") from None
    return found


@dataclass(frozen=True)
class Input:
    """A number that is not known exactly: its leaf of the candidate, and the place in a file that it was read from.

    One place is one number, wherever it stands: two machines that read it from the same file are off together.
    confidence : the class, or `stated` where the number has a spread of its own.
    """

    place: str
    path: str
    leaf: int
    value: float
    width: float
    confidence: str
    rule: Rule


def inputs(found: Template, beliefs: Beliefs, exact: Collection[str] = ()) -> list[Input]:
    """The numbers of a composed candidate that are not known exactly, in the order of their leaves.

    exact : paths that a search sets. Counts, fractions of exactly 0 or 1 (none and all), zeros and what is given on the
    command line are exact unless they state a spread.
    """
    written = {path: (value, source) for path, value, source in _stated(found.config)}
    located = places(found.overrides, written)
    uncertain = []
    leaves = map(float, jax.tree.leaves(found.candidate))
    for leaf, (path, value) in enumerate(zip(leaf_paths(found.candidate), leaves, strict=True)):
        if path not in written or path in exact or value == 0:
            continue
        rule = rule_at(found.config, path.split("."))
        width, confidence = _width(*written[path], located[path], rule, value, beliefs)
        if rule is not None and width > 0:
            uncertain.append(Input(_place(located[path], path), path, leaf, value, width, confidence, rule))
    return uncertain


def _stated(config: Mapping[str, Any]) -> Sequence[tuple[str, Any, str]]:
    return [row for section in SECTIONS if config.get(section) for row in quantities(config[section], section)]


def _place(located: str, path: str) -> str:
    """Without the override that set it, which another design may have written otherwise."""
    return f"command line: {path}" if located.startswith("command line") else located


def _width(
    written: Any, source: str, located: str, rule: Rule | None, value: float, beliefs: Beliefs
) -> tuple[float, str]:
    """The relative half-width of a number, and why."""
    if own := spread(written):
        return own, "stated"
    if rule is None or rule.whole or rule.unit in beliefs.held or (rule.most == 1 and value == 1):
        return 0.0, "exact"
    if located.startswith("command line"):
        return beliefs.classes["given"], "given"
    confidence = explained(source)[0] if source else WEAKEST
    confidence = confidence if confidence in beliefs.classes else WEAKEST
    return beliefs.classes[confidence], confidence
