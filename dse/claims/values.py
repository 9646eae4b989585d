"""What a path of a claim leads to: a number of the configuration, a figure of the machine, or bytes of its weights."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dse.claims.bench import drawn, ends, settings, without_losses
from dse.configuration.provenance import quantities
from dse.configuration.schema import paths, rule_at
from dse.configuration.spreads import leaf_paths
from dse.evaluation.evaluate import Candidate
from dse.evaluation.figures import Figure, figures
from dse.evaluation.metrics import Metrics, units
from dse.problem.template import Template
from dse.run.near import nearest
from dse.run.precision import arrays

FIGURES, RATED = "figures.", "FORMAT"
MODEL_BYTES, READ_ENERGY = "model.weight_bytes", "hw.chip.read_energy"
DERIVED = {MODEL_BYTES: "B", READ_ENERGY: "J/B"}  # path -> unit, of what is no figure of a machine
ENDS = {"first": 0, "last": -1}  # of the tiers, from the fastest, and of the levels, from the inside
SECTIONS = ("hw", "model")


def unit_of(found: Template, path: str) -> str:
    """The unit of what a path leads to; raises ValueError where it leads to nothing."""
    if path in units(Metrics):
        return units(Metrics)[path]
    if path in DERIVED:
        return DERIVED[path]
    if path.startswith(FIGURES):
        return figure_unit(found.candidate, path)
    rule = rule_at(found.config, path.split(".")) if path.split(".")[0] in SECTIONS else None
    if rule is None:
        names = [*units(Metrics), *DERIVED, *(one for name in SECTIONS for one in paths(found.config[name], name))]
        raise ValueError(f"there is no quantity {path!r} in the composed machine; {nearest(path, names)}")
    return rule.unit


@dataclass(frozen=True)
class Known:
    """A number, the ends of its 90 % interval, the number of a machine without losses, and the inputs from the claim's
    own source that it rests on."""

    value: float
    lower: float
    upper: float
    lossless: float
    inputs: tuple[str, ...] = ()


def known(found: Template, places: Sequence[str], seed: int, sources: Sequence[str] = ()) -> list[Known]:
    """What each of these paths leads to, all in one program; sources : of the claim, keys of the citations."""
    candidate = arrays(found.candidate)
    given = from_sources(found, sources)
    rows = [candidate, without_losses(candidate), *(moved(candidate, path) for path in given)]
    few = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    stacked = jax.tree.map(lambda some, many: jnp.concatenate([some, many]), few, drawn(found, candidate, seed))
    columns = jax.device_get(_values(stacked, tuple(places)))
    return [read_column(np.asarray(column, float), given) for column in columns]


def read_column(column: Any, given: Sequence[str]) -> Known:
    """Of one path: as it is, without losses, with each given input moved, and drawn from the spreads."""
    value, lossless, changed, widened = column[0], column[1], column[2 : 2 + len(given)], column[2 + len(given) :]
    least = settings().rests * settings().moved * abs(value)
    inputs = tuple(path for path, one in zip(given, changed, strict=True) if abs(one - value) >= least > 0)
    return Known(float(value), *ends(widened), float(lossless), inputs)


def from_sources(found: Template, sources: Sequence[str]) -> list[str]:
    """Paths of the machine's numbers that come from these sources, or are derived from them; counts of parts apart."""
    stated = {
        path: words
        for path, _, words in quantities(found.config["hw"], "hw")
        if any(cites(words, one) for one in sources)
    }
    rules = {path: rule_at(found.config, path.split(".")) for path in stated}
    return [
        path
        for path in leaf_paths(found.candidate.hw, "hw")
        if path in stated and not ((rule := rules[path]) and rule.whole)
    ]


def cites(words: str, source: str) -> bool:
    """Whether a number's source is that citation, or names it in brackets."""
    return words == source or re.search(rf"\[[^\]]*\b{re.escape(source)}\b[^\]]*\]", words) is not None


def moved(candidate: Candidate, path: str) -> Candidate:
    """The candidate with one number of its machine a little larger."""
    leaves, shape = jax.tree.flatten(candidate.hw)
    names = leaf_paths(candidate.hw, "hw")
    grown = [leaf * (1 + settings().moved * (one == path)) for one, leaf in zip(names, leaves, strict=True)]
    return replace(candidate, hw=jax.tree.unflatten(shape, grown))


@functools.partial(jax.jit, static_argnames="places")
def _values(stacked: Candidate, places: tuple[str, ...]) -> list[Any]:
    return jax.vmap(lambda candidate: [_value(candidate, path) + 0.0 for path in places])(stacked)


def _value(candidate: Candidate, path: str) -> Any:
    if path == MODEL_BYTES:
        model, form = candidate.model, candidate.format
        experts = model.expert_parameters()
        return (model.parameters() - experts) * form.weights.bytes + experts * form.expert_weights.bytes
    if path == READ_ENERGY:
        return read_energy(candidate)
    if path.startswith(FIGURES):
        return figure(candidate, path).value
    node: Any = candidate
    for name in path.split("."):
        node = node[name] if isinstance(node, Mapping) else getattr(node, name)
    return node


def figure_unit(candidate: Candidate, path: str) -> str:
    """The unit of a figure, without computing it."""
    seen: list[str] = []

    def of(traced: Candidate) -> Any:
        seen.append(figure(traced, path).unit)
        return 0.0

    jax.eval_shape(of, arrays(candidate))
    return seen[0]


def read_energy(candidate: Candidate) -> Any:
    """Joules to read a byte of the fastest tier at its own pins; of a memory inside the cores, whose energy is stated
    up to the arithmetic, that."""
    chip = candidate.hw.chip
    state = chip.settle(candidate.format)
    pins = chip.tiers[0].byte_energy(state.tiers[0])
    return jnp.where(pins > 0, pins, chip.engine.fill_byte_energy(state.logic))


def figure(candidate: Candidate, path: str) -> Figure:
    """A figure of the machine in the formats of the candidate, by a path such as `figures.chip.tiers.first.bandwidth`;
    FORMAT stands for those formats."""
    formats = candidate.format
    pairs = {RATED: (formats.weights, formats.activations)}
    node: Any = figures(candidate.hw, formats, pairs)
    for name in path.removeprefix(FIGURES).split("."):
        if isinstance(node, Figure) or not isinstance(node, Mapping):
            raise ValueError(f"there is nothing below {name!r} in {path!r}")
        if name in ENDS and name not in node:
            name = list(node)[ENDS[name]]
        if name not in node:
            raise ValueError(f"there is no figure {path!r}: no {name!r}; {nearest(name, node)}")
        node = node[name]
    if not isinstance(node, Figure):
        raise ValueError(f"{path!r} is no figure but {len(node)} of them; go on with one of {', '.join(node)}")
    return node
