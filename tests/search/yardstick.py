"""How near a search came to the exact front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import moocore
import numpy as np
from scipy.stats import mannwhitneyu

from dse.evaluation.goals import Goals

BEYOND = 1.1  # the reference point lies a tenth of the box beyond it
SURE = 0.05


@dataclass(frozen=True)
class Yardstick:
    """The exact front, lower is better, in a box of which it has the best corner; the same box for every search."""

    goals: Goals
    best: np.ndarray
    span: np.ndarray
    front: np.ndarray  # scaled, [points, objectives]

    @classmethod
    def of(cls, goals: Goals, front: np.ndarray, worst: np.ndarray | None = None) -> Yardstick:
        """The box that the front itself spans, not all feasible designs: beside the worst of these every search looks
        good. Where a search on a small budget stays outside of it, a box up to some other `worst` values."""
        best = front.min(axis=0)
        span = (front.max(axis=0) if worst is None else worst) - best
        span = np.where(span > 0, span, 1.0)
        return cls(goals, best, span, (front - best) / span)

    def hypervolume(self, columns: Mapping[str, np.ndarray]) -> float:
        """Hypervolume of the feasible answers as a share of the exact front's."""
        return _volume(self._scaled(columns)) / _volume(self.front)

    def _scaled(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        feasible = self.goals.feasible(columns)
        return (self.goals.lower_is_better(columns)[feasible] - self.best) / self.span


def _volume(points: np.ndarray) -> float:
    inside = points[(points < BEYOND).all(axis=1)]
    return float(moocore.hypervolume(inside, ref=[BEYOND] * points.shape[1])) if len(inside) else 0.0


def above(ours: np.ndarray, theirs: np.ndarray) -> tuple[bool, float]:
    """Whether our runs lie above theirs: the median is higher, and a one-sided test of ranks is sure of it.

    Ranks, since shares of a hypervolume are bounded and skewed, so that a test of means would trust their variance too
    much; unpaired, since a seed means something else to each method.
    """
    chance = float(mannwhitneyu(ours, theirs, alternative="greater").pvalue)
    return bool(np.median(ours) > np.median(theirs)) and chance < SURE, chance
