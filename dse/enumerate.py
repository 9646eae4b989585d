"""Every design of a finite space, in chunks."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from dse.budget import refuse_too_large
from dse.console import bar
from dse.goals import Columns, Goals
from dse.opening import opening_rows
from dse.problem import Problem
from dse.schema import counted
from dse.store import Trials


@dataclasses.dataclass
class Enumeration:
    """The exact front: all designs in chunks of `chunk`, evaluated `batch` at a time.

    Up to `keep` designs are all kept on disk; of a larger space, those on the front of their chunk, or nearest to it.
    A space of more than `most` designs is refused.
    """

    chunk: int
    batch: int
    keep: int
    most: int

    def __post_init__(self) -> None:
        self.chunk, self.batch = counted("search.chunk", self.chunk), counted("search.batch", self.batch)
        self.keep, self.most = counted("search.keep", self.keep), counted("search.most", self.most)

    def run(self, problem: Problem, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`, from where it stops; the seed does not matter. Returns seconds by part."""
        size = refuse_too_large(problem, self.most)
        start, done = time.perf_counter(), trials.covered()
        with bar("enumerating", problem.distinct()) as advance:
            advance(trials.totals()[0])
            for first in range(done, size, self.chunk):
                advance(self._chunk(problem, goals, trials, first, min(first + self.chunk, size)))
        return {"evaluate": time.perf_counter() - start, "sampler": 0.0}

    def _chunk(self, problem: Problem, goals: Goals, trials: Trials, first: int, last: int) -> int:
        """Evaluate and keep one chunk; how many designs it had."""
        designs = problem.space.designs(first, last)
        designs = designs[(problem.canonical(designs) == designs).all(axis=1)]
        columns = problem.evaluate(designs)
        counts = (last, len(designs), int(goals.feasible(columns).sum())) if len(designs) else (last, 0, 0)
        if problem.distinct() > self.keep and len(designs):
            front = goals.front(columns)
            kept = front if len(front) else nearest_rows(goals, columns, designs)
            designs, columns = designs[kept], {name: values[kept] for name, values in columns.items()}
        trials.append(designs, columns, counts)
        return counts[1]


def nearest_rows(goals: Goals, columns: Columns, designs: np.ndarray) -> np.ndarray:
    """What is kept of a chunk without a feasible design: the nearest, and those that would open the space."""
    return np.union1d(goals.nearest(columns), np.array(opening_rows(goals, columns, designs), dtype=int))
