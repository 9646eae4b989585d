"""What each start of a refinement aims at: one number to lower, made of objectives and shortfalls, and its slope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dse.evaluation.goals import Columns, Goals, typical

BESIDE = 0.05  # of the sum of all objectives beside the worst one, so that no start rests on a weakly best design
MISSED = 10.0  # what a typical shortfall counts, in extents of the front


@dataclass(frozen=True)
class Aims:
    """The augmented Chebyshev distance from the best known values, each objective counted by its weight:

        max_j w_j y_j + BESIDE * sum_j w_j y_j + MISSED * sum_i max(0, short_i),   y = (value - best) / extent

    so that designs in hollows of the front are the least of some weights too (a weighted sum misses them). best,
    extent : of the front known so far, [objectives]; weights : [starts, objectives].
    """

    goals: Goals
    best: np.ndarray
    extent: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, goals: Goals, known: Columns, weights: np.ndarray) -> Aims:
        """By the front of what is known, or all of it while nothing is feasible."""
        values = goals.lower_is_better(known)
        rows = goals.front(known)
        values = values[rows] if len(rows) else values[np.isfinite(values).all(axis=1)]
        if not len(values):
            values = np.zeros((1, len(goals.objectives)))
        extent = np.ptp(values, axis=0)
        return cls(goals, values.min(axis=0), np.where(extent > 0, extent, np.abs(values[0]) + 1e-30), weights)

    def parts(self, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
        """Weighted objectives [starts, objectives], and shortfalls [starts, constraints + 1]."""
        scaled = (self.goals.lower_is_better(columns) - self.best) / self.extent
        short = np.nan_to_num(np.maximum(self.goals.shortfalls(columns), 0.0), nan=1e3, posinf=1e3)
        return self.weights * np.nan_to_num(scaled, nan=1e3, posinf=1e3), short

    def distance(self, columns: Columns) -> np.ndarray:
        """The number to lower, [starts]."""
        weighted, short = self.parts(columns)
        return self._whole(weighted, short)

    def _whole(self, weighted: np.ndarray, short: np.ndarray) -> np.ndarray:
        return weighted.max(axis=-1) + BESIDE * weighted.sum(axis=-1) + MISSED * short.sum(axis=-1)

    def slopes(self, slopes: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Slopes of the weighted objectives, and of shortfalls whether or not they are above 0, [starts, coordinates,
        ...]."""
        signs = [-1.0 if sense == "maximize" else 1.0 for sense in self.goals.objectives.values()]
        moved = [slopes[f"metrics.{name}"] * sign for name, sign in zip(self.goals.objectives, signs, strict=True)]
        missed = [-slopes[f"headroom.{name}"] / typical(name) for name in self.goals.constraints]
        none = np.zeros_like(moved[0])
        weighted = np.stack(moved, axis=-1) * (self.weights / self.extent)[:, None, :]
        return np.nan_to_num(weighted), np.nan_to_num(np.stack([*missed, none], axis=-1))

    def gradient(self, columns: Columns, slopes: Mapping[str, np.ndarray]) -> np.ndarray:
        """The slope of the distance along each coordinate, [starts, coordinates]."""
        weighted, short = self.parts(columns)
        moved, missed = self.slopes(slopes)
        rows = np.arange(len(weighted))
        worst = moved[rows, :, weighted.argmax(axis=1)]
        return worst + BESIDE * moved.sum(axis=2) + MISSED * (missed * (short > 0)[:, None, :]).sum(axis=2)

    def expected(self, columns: Columns, slopes: Mapping[str, np.ndarray], moves: np.ndarray) -> np.ndarray:
        """The distance after moves [starts, moves, coordinates], to first order, [starts, moves]."""
        weighted, _ = self.parts(columns)
        short = np.nan_to_num(self.goals.shortfalls(columns), nan=1e3, posinf=1e3)
        moved, missed = self.slopes(slopes)
        there = weighted[:, None, :] + np.einsum("smc,sco->smo", moves, moved)
        lacking = short[:, None, :] + np.einsum("smc,sco->smo", moves, missed)
        return self._whole(there, np.maximum(lacking, 0.0))


def slope_names(goals: Goals) -> list[str]:
    """The answers that objectives and constraints are made of."""
    return [f"metrics.{name}" for name in goals.objectives] + [f"headroom.{name}" for name in goals.constraints]
