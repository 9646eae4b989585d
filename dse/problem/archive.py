"""What a search has met: no design is evaluated twice, and every answer is on disk before anything is made of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from dse.evaluation.goals import Columns, Goals
from dse.problem.space import Space
from dse.run.store import Trials


class Question(Protocol):
    """What searches ask of: a space, and answers about its designs. `problem.Problem` is the one of machines."""

    @property
    def space(self) -> Space: ...

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        """Designs with the codes of parameters that their structure lacks set to the first choice."""
        ...

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        """Which parameters of the space a structure has."""
        ...

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        """Answers about designs [designs, parameters] as flat columns [designs]."""
        ...


class Archive:
    """The designs of a search with their answers, also those that an interrupted run left on disk.

    met : the designs that this run has asked about, in their order; a search counts its budget by them.
    """

    def __init__(self, problem: Question, goals: Goals, trials: Trials) -> None:
        self.problem, self.goals, self.trials = problem, goals, trials
        self.met: dict[bytes, None] = {}
        self.seconds = 0.0  # of evaluation
        self._rows: dict[bytes, dict[str, float]] = {}
        self._keep(*trials.load())

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        """Answers about canonical designs [designs, parameters], in their order; only new ones are evaluated."""
        keys = [design.tobytes() for design in designs]
        fresh = {key: design for key, design in zip(keys, designs, strict=True) if key not in self._rows}
        if fresh:
            self._evaluate(np.stack(list(fresh.values())))
        self.met |= dict.fromkeys(keys)
        rows = [self._rows[key] for key in keys]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}

    def has_met(self, design: np.ndarray) -> bool:
        """True where this run has asked about a canonical design."""
        return design.tobytes() in self.met

    def _evaluate(self, designs: np.ndarray) -> None:
        start = time.perf_counter()
        columns = self.problem.evaluate(designs)
        self.trials.append(designs, columns, (0, len(designs), int(self.goals.feasible(columns).sum())))
        self._keep(designs, columns)
        self.seconds += time.perf_counter() - start

    def _keep(self, designs: np.ndarray, columns: Columns) -> None:
        for i, design in enumerate(designs):
            self._rows[design.tobytes()] = {name: values[i] for name, values in columns.items()}
