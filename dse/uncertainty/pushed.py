"""Drawn machines pushed through the model, in batches of one shape: one program for each pytree structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from dse.evaluation.batches import ROWS, flat, significant, under_own
from dse.evaluation.grids import Grids
from dse.evaluation.mapping import Grid, Wanted
from dse.evaluation.runners import indexed
from dse.run.bars import along

SECTIONS = {"own": "mapping", "prefill": "prefill_mapping", "draft": "draft_mapping"}


@dataclass(frozen=True)
class Drawn:
    """One design of a structure: its leaves, each a number or [draws], and the mappings that it is used under.

    choices : the mappings of the grid, or the one that was chosen, [1].
    """

    shape: Any
    leaves: tuple[Any, ...]
    choices: Grids


def push(designs: Sequence[Drawn], draws: int, wanted: Wanted) -> dict[str, np.ndarray]:
    """Answers about designs of one structure as flat columns [designs, draws]."""
    columns: dict[str, np.ndarray] = {}
    tables = [spread_out([one.leaves[i] for one in designs], draws) for i in range(len(designs[0].leaves))]
    choices = jax.tree.map(lambda *each: np.stack(each), *(one.choices for one in designs))
    total = len(designs) * draws
    for first in along("machines drawn, in batches", range(0, total, ROWS)):
        rows = np.minimum(np.arange(first, first + ROWS), total - 1)
        candidates = jax.tree.unflatten(designs[0].shape, [table[rows] for table in tables])
        under = jax.tree.map(lambda each, which=rows // draws: each[which], choices)
        found = significant(flat(jax.device_get(under_own(candidates, under, wanted))))
        for name, values in found.items():
            columns.setdefault(name, np.empty(total, values.dtype))[first : first + ROWS] = values[: total - first]
    return {name: values.reshape(len(designs), draws) for name, values in columns.items()}


def spread_out(leaves: Sequence[Any], draws: int) -> np.ndarray:
    """A leaf of several designs, each a number or [draws], as one column [designs * draws]."""
    return np.concatenate([np.broadcast_to(np.asarray(leaf, float), draws) for leaf in leaves])


def chosen(point: Mapping[str, Any], tiers: Sequence[str], beside: Mapping[str, Sequence[str]]) -> Grids:
    """The mappings that an answer was given under, as grids of one."""
    parts = {
        name: one_of(point[section], beside.get(name, tiers)) if section in point else None
        for name, section in SECTIONS.items()
    }
    return Grids(**parts)  # type: ignore[arg-type]


def one_of(mapping: Mapping[str, Any], tiers: Sequence[str]) -> Grid:
    """A mapping of an answer as a grid of one."""
    held = indexed(mapping, list(tiers))
    return Grid(*(np.array([held[name]]) for name in Grid._fields))
