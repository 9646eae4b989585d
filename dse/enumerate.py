"""Every design of a finite space, in chunks."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from dse.console import bar
from dse.goals import Goals
from dse.problem import Problem
from dse.store import Trials


@dataclasses.dataclass
class Enumeration:
    """The exact front: all designs in chunks of `chunk`, evaluated `batch` at a time.

    Up to `keep` designs are all kept on disk; of a larger space, those on the front of their chunk. A space of more
    than `most` designs is refused.
    """

    chunk: int
    batch: int
    keep: int
    most: int

    def run(self, problem: Problem, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`, from where it stops; the seed does not matter. Returns seconds by part."""
        size = self._size(problem)
        start, done = time.perf_counter(), trials.covered()
        with bar("enumerating", size) as advance:
            advance(done)
            for first in range(done, size, self.chunk):
                last = min(first + self.chunk, size)
                self._chunk(problem, goals, trials, first, last)
                advance(last - first)
        return {"evaluate": time.perf_counter() - start, "sampler": 0.0}

    def _size(self, problem: Problem) -> int:
        size = problem.space.size
        if not np.isfinite(size):
            raise ValueError("search=enumerate: the space has an interval; give it a step or a count, or search=optuna")
        if size > self.most:
            raise ValueError(
                f"search=enumerate: {size:,} designs are more than search.most={self.most:,}; "
                "name fewer values, raise search.most, or use search=optuna"
            )
        return int(size)

    def _chunk(self, problem: Problem, goals: Goals, trials: Trials, first: int, last: int) -> None:
        designs = problem.space.designs(first, last)
        designs = designs[(problem.canonical(designs) == designs).all(axis=1)]
        columns = problem.evaluate(designs)
        if problem.space.size > self.keep:
            front = goals.front(columns)
            designs, columns = designs[front], {name: values[front] for name, values in columns.items()}
        trials.append(designs, columns, first, last)
