"""Mappings: the grid of those that may be legal, and the best of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from dse.evaluate import Candidate, evaluate
from dse.metrics import Answer, Mapping, more_is_better
from dse.schema import nearest


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a mapping must be, 0 or none where it is free, and the metric that picks the best of the free ones."""

    objective: str
    tensor: int = 0
    pipeline: int = 0
    expert: int = 0
    data: int = 0
    batch: int = 0
    weights: str | None = None
    cache: str | None = None


class Grid(eqx.Module):
    """Degrees and placements, each [mappings]; batch and data follow for each candidate from its users and size."""

    tensor: Any
    pipeline: Any
    weights: Any
    cache: Any

    def __len__(self) -> int:
        return len(self.tensor)


def degrees(fanouts: Sequence[int]) -> set[int]:
    """Sizes of groups that fill levels from the inside, the last one partly."""
    sizes, inside = {1}, 1
    for fanout in fanouts:
        sizes |= {inside * n for n in range(1, fanout + 1) if fanout % n == 0}
        inside *= fanout
    return sizes


def grid(machines: Iterable[Sequence[int]], layers: int, tiers: Sequence[str], wanted: Wanted) -> Grid:
    """All tensor and pipeline degrees that could tile one of the machines, times all placements."""
    pairs: set[tuple[int, int]] = set()
    for fanouts in set(map(tuple, machines)):
        sizes, chips = degrees(fanouts), int(np.prod(fanouts))
        chains = {b // a for a in sizes for b in sizes if b % a == 0}
        pairs |= {(t, p) for t in sizes for p in chains if t * p <= chips and p <= layers}
    tensors = [(t, p) for t, p in sorted(pairs) if wanted.tensor in (0, t) and wanted.pipeline in (0, p)]
    places = list(itertools.product(_tiers(tiers, wanted.weights), _tiers(tiers, wanted.cache)))
    rows = [(t, p, w, c) for (t, p) in tensors for (w, c) in places]
    columns = np.array(rows, dtype=float).reshape(-1, 4).T
    return Grid(*columns)


def _tiers(tiers: Sequence[str], wanted: str | None) -> list[int]:
    return list(range(len(tiers))) if wanted is None else [list(tiers).index(wanted)]


def refuse_places(tiers: Sequence[str], wanted: Wanted) -> None:
    """Raise ValueError where a tier is wanted that the chip does not have."""
    for name in ("weights", "cache"):
        place = getattr(wanted, name)
        if place is not None and place not in tiers:
            raise ValueError(f"mapping.{name}: this chip has no tier {place!r}; {nearest(place, tiers)}")


def no_mapping(candidate: Candidate, wanted: Wanted) -> str:
    """Why a wanted mapping is not legal, and which degrees are."""
    fanouts = {name: int(level.fanout) for name, level in candidate.hw.levels.items()}
    chips = int(np.prod(list(fanouts.values())))
    asked = " ".join(f"mapping.{n}={v}" for n in ("tensor", "pipeline", "data") if (v := getattr(wanted, n)))
    levels = " x ".join(f"{n} {name}" for name, n in fanouts.items())
    layers, heads = int(candidate.model.layers), int(candidate.model.attention.key_value_heads)
    return (
        f"{asked}: does not fit {chips} chips ({levels}), {layers} layers and {heads} key-value heads; tensor groups "
        f"fill levels from the inside: {sorted(degrees(list(fanouts.values())))}, must divide or be divided by the "
        f"key-value heads, tensor x pipeline x data is at most {chips}, pipeline at most {layers}"
    )


def complete(candidate: Candidate, wanted: Wanted, choice: Grid) -> Mapping:
    """The mapping of these degrees: as many replicas as fit, the users spread evenly over them."""
    data = wanted.data if wanted.data else jnp.maximum(candidate.hw.replicas(choice.tensor, choice.pipeline), 1)
    batch = wanted.batch if wanted.batch else jnp.ceil(candidate.serving.users / data)
    users = batch * data if wanted.batch else candidate.serving.users
    return Mapping(choice.tensor, choice.pipeline, 1.0, data, batch, users, choice.weights, choice.cache)


def best(candidate: Candidate, choices: Grid, wanted: Wanted) -> Answer:
    """The answer under the best mapping of the grid.

    Of the legal ones those that miss the fewest bytes, of these those least late, of these the best by the objective,
    of equals the first in the grid.
    """
    answers = jax.vmap(lambda choice: evaluate(candidate, complete(candidate, wanted, choice)))(choices)
    sign = -1.0 if more_is_better(wanted.objective) else 1.0
    keys = (
        jnp.where(answers.legal, 0.0, 1.0),
        jnp.maximum(0.0, -answers.headroom.memory),
        jnp.maximum(0.0, -answers.headroom.latency),
        sign * getattr(answers.metrics, wanted.objective),
    )
    chosen = first_by(keys)
    return jax.tree.map(lambda column: column[chosen], answers)


def first_by(keys: Sequence[Any]) -> Any:
    """The index of the smallest by the first key, ties by the next, and so on; keys [choices]."""
    left = jnp.zeros_like(keys[0])
    for key in keys[:-1]:
        masked = jnp.where(jnp.isfinite(left), key, jnp.inf)
        left = jnp.where(masked <= jnp.min(masked), 0.0, jnp.inf)
    return jnp.argmin(jnp.where(jnp.isfinite(left), keys[-1], jnp.inf))
