"""What a path of a claim leads to: a number of the configuration, a figure of the machine, or bytes of its weights."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dse.evaluate import Candidate
from dse.figures import Figure, figures
from dse.metrics import Metrics, units
from dse.problem import Template
from dse.receipts_bench import arrays, drawn, ends, without_losses
from dse.schema import nearest, paths, rule_at

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
    """A number, the ends of its 90 % interval, and the number of a machine without losses."""

    value: float
    lower: float
    upper: float
    lossless: float


def known(found: Template, places: Sequence[str], seed: int) -> list[Known]:
    """What each of these paths leads to, all in one program."""
    candidate = arrays(found.candidate)
    rows = [candidate, without_losses(candidate)]
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    stacked = jax.tree.map(lambda some, many: jnp.concatenate([some, many]), both, drawn(found, candidate, seed))
    columns = jax.device_get(_values(stacked, tuple(places)))
    return [Known(float(c[0]), *ends(c[2:]), float(c[1])) for c in map(np.asarray, columns)]


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
    """Joules to read a byte of the fastest tier and to bring it into the engine."""
    chip = candidate.hw.chip
    state = chip.settle(candidate.format)
    return chip.tiers[0].byte_energy(state.tiers[0]) + chip.engine.fill_byte_energy(state.logic)


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
