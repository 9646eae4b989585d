"""Every design of a finite space, in chunks."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import NamedTuple

import numpy as np

from dse.console import bar
from dse.goals import Goals
from dse.problem import Problem
from dse.scale import each
from dse.schema import counted
from dse.store import Trials


@dataclasses.dataclass
class Enumeration:
    """The exact front: all designs in chunks of `chunk`, evaluated `batch` at a time.

    Up to `keep` designs are all kept on disk; of a larger space, those on the front of their chunk, or nearest to
    it. A space of more
    than `most` designs is refused.
    """

    chunk: int
    batch: int
    keep: int
    most: int

    def __post_init__(self) -> None:
        self.chunk, self.batch = counted("search.chunk", self.chunk), counted("search.batch", self.batch)

    def run(self, problem: Problem, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`, from where it stops; the seed does not matter. Returns seconds by part."""
        size = self._size(problem)
        start, done = time.perf_counter(), trials.covered()
        whole = problem.distinct() <= self.keep
        spans = ((first, min(first + self.chunk, size)) for first in range(done, size, self.chunk))
        with bar("enumerating", problem.distinct()) as advance:
            advance(trials.totals()[0])
            for kept in each(problem, functools.partial(chunk, goals=goals, whole=whole), spans):
                trials.append(kept.designs, kept.columns, kept.counts)
                advance(kept.counts[1])
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


class Kept(NamedTuple):
    """What a chunk leaves: designs with their columns, and counts as `Trials.append` takes them."""

    designs: np.ndarray
    columns: dict[str, np.ndarray]
    counts: tuple[int, int, int]


def chunk(problem: Problem, span: tuple[int, int], goals: Goals, whole: bool) -> Kept:
    """Evaluate designs number span[0] to span[1] - 1; all of them are kept, or those that may be on the front."""
    designs = problem.space.designs(*span)
    designs = designs[(problem.canonical(designs) == designs).all(axis=1)]
    columns = problem.evaluate(designs)
    if not len(designs):
        return Kept(designs, columns, (span[1], 0, 0))
    counts = (span[1], len(designs), int(goals.feasible(columns).sum()))
    if not whole:
        front = goals.front(columns)
        kept = front if len(front) else goals.nearest(columns)
        designs, columns = designs[kept], {name: values[kept] for name, values in columns.items()}
    return Kept(designs, columns, counts)
