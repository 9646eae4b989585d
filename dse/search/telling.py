"""What a sampler is told of a design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dse.evaluation.goals import Columns, Goals
from dse.search.samplers import Manner

HUGE = 1e30  # told of a design that misses a constraint to samplers that take none
TINY = 1e-12  # SI, far below what any objective is
FAR = 9.0  # typical sizes beyond which how much a constraint is missed no longer counts


class Telling:
    """Objectives and missed constraints as a sampler takes them."""

    def __init__(self, goals: Goals, manner: Manner) -> None:
        self.goals, self.manner = goals, manner
        self.worst = np.full(len(goals.objectives), -np.inf)  # told so far, lower is better

    def tell(self, study: Any, trials: Sequence[Any], columns: Columns) -> None:
        """Tell trials the answers about their designs, columns [trials]."""
        values, shortfalls = self.values(columns), self._shortfalls(columns)
        names = (*self.goals.constraints, "mapping") if self.manner.limits else ()
        for trial, told, short in zip(trials, values.tolist(), shortfalls.tolist(), strict=True):
            for name, missed in zip(names, short, strict=False):
                trial.set_constraint(name, missed)
            study.tell(trial, told)

    def values(self, columns: Columns) -> np.ndarray:
        """What is told of the objectives; in place of what is no number, the worst that there was so far."""
        values = self._scaled(columns)
        self.worst = np.maximum(self.worst, np.where(np.isfinite(values), values, -np.inf).max(axis=0))
        values = np.where(np.isfinite(values), values, np.where(np.isfinite(self.worst), self.worst, 0.0))
        if not self.manner.limits:
            missed = np.maximum(self._shortfalls(columns), 0).sum(axis=1, keepdims=True)
            values = np.where(missed > 0, HUGE * (1 + missed), values)
        return np.where(np.array(self.goals.directions) == "maximize", -1, 1) * values

    def _shortfalls(self, columns: Columns) -> np.ndarray:
        """How much each constraint is missed, bounded, so that one that is missed beyond all measure leaves others
        their say."""
        return np.nan_to_num(self.goals.shortfalls(columns), nan=FAR).clip(-FAR, FAR)

    def _scaled(self, columns: Columns) -> np.ndarray:
        """Objectives, lower is better, by their logarithm, below `TINY` evenly: where they lie decades apart, most
        designs would look alike. Fronts are the same."""
        values = self.goals.lower_is_better(columns)
        return np.arcsinh(values / TINY) if self.manner.decades else values
