"""How good what a search had found was, over the designs it had evaluated and the seconds it had taken.

Hypervolume is the share of a box that the front so far dominates. The box is the reference's, the same at all times:
between its best and a tenth beyond its worst feasible values (`Goals.hypervolume`). The average distance from the
reference set (ADRS) over a reference front R and the front so far F, both lower is better,

    ADRS = mean over r in R of min over f in F of max over objectives j of max(0, (f_j - r_j) / |r_j|)

is by how much, of its own value, a design of the reference front is missed: zero where all of it is found. [Palermo,
Silvano, Zaccaria, IEEE TCAD 28(12), 2009]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np

from dse.evaluation.goals import Box, Columns, Goals
from dse.run.store import Trials

MOST_POINTS = 50
EXACT = "dse.search.enumerate.Enumeration"  # the search whose front is exact
AT_ONCE = 2**22  # distances that are held in memory


@dataclass(frozen=True)
class Reference:
    """What a search is held against: a front [designs, objectives], lower is better, the box around it, and whose."""

    front: np.ndarray
    box: Box
    words: str

    @classmethod
    def of(cls, goals: Goals, columns: Columns, words: str) -> Reference | None:
        """The front of evaluated designs; none where none of them is feasible."""
        rows = goals.front(columns)
        return cls(goals.lower_is_better(columns)[rows], goals.box(columns), words) if len(rows) else None

    def hypervolume(self, front: np.ndarray) -> float:
        """Share of the box that a front dominates."""
        return self.box.share(front)

    def distance(self, front: np.ndarray) -> float | None:
        """ADRS of a front; none where there is no front."""
        if not len(front):
            return None
        size = np.where(self.front != 0, np.abs(self.front), self.box.span)  # a value of zero has no share of itself
        step = max(1, AT_ONCE // front.size)
        nearest = [
            ((front - near[:, None]) / own[:, None]).max(axis=2).clip(min=0).min(axis=1)
            for near, own in ((self.front[i : i + step], size[i : i + step]) for i in range(0, len(self.front), step))
        ]
        return float(np.concatenate(nearest).mean())


def own_words(search: Mapping[str, Any]) -> str:
    """What the front of a run is that has ended."""
    return "this run's own exact front" if search["_target_"] == EXACT else "this run's own last front"


def in_words(shown: Mapping[str, Any]) -> str:
    """The last point."""
    if not shown["evaluations"] or shown["adrs"][-1] is None:
        return ""
    return (
        f"hypervolume {shown['hypervolume'][-1]:.4g}, average distance {shown['adrs'][-1]:.3%} from "
        f"{shown['reference']}, after {shown['evaluations'][-1]:,} designs in {shown['seconds'][-1]:,.1f} s"
    )


def progress(goals: Goals, trials: Trials, columns: Columns, reference: Reference | None) -> dict[str, Any]:
    """One point after each batch, `MOST_POINTS` at most: evaluations, seconds, hypervolume and ADRS; null where
    nothing feasible was found."""
    shown: dict[str, Any] = {"reference": reference.words if reference else None}
    shown |= {name: [] for name in ("evaluations", "seconds", "hypervolume", "adrs")}
    if reference is None:
        return shown
    front, begun = np.empty((0, len(goals.objectives))), 0
    for batch in _chosen(trials.batches()):
        part = {name: values[begun : batch.rows] for name, values in columns.items()}
        front, begun = _front(front, goals, part), batch.rows
        shown["evaluations"].append(batch.evaluated)
        shown["seconds"].append(batch.seconds)
        shown["hypervolume"].append(reference.hypervolume(front) if len(front) else None)
        shown["adrs"].append(reference.distance(front))
    return shown


def _chosen(batches: list[Any]) -> list[Any]:
    """All batches, or evenly many of them with the last."""
    if len(batches) <= MOST_POINTS:
        return batches
    return [batches[i] for i in np.linspace(0, len(batches) - 1, MOST_POINTS).round().astype(int)]


def _front(front: np.ndarray, goals: Goals, columns: Columns) -> np.ndarray:
    """The front so far with the designs of some more batches."""
    new = goals.lower_is_better(columns)[goals.front(columns)]
    both = np.concatenate([front, new])
    return both[moocore.is_nondominated(both)] if len(both) else both
