"""Every design of a finite space, chunk by chunk: the exact front."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import Any, NamedTuple

import numpy as np

from dse.blocks import Crossing, crosses
from dse.console import bar
from dse.goals import Columns, Goals
from dse.listing import Answers, Listing
from dse.problem import Problem
from dse.schema import counted
from dse.store import Trials

PRECISIONS = ("double", "single")


class Kept(NamedTuple):
    """Of one chunk: the designs that may be on the front, or all of them, and how many were evaluated and feasible."""

    found: Answers
    evaluated: int
    feasible: int


@dataclasses.dataclass
class Enumeration:
    """The exact front: all designs in chunks of at most `chunk`, those kept completed `batch` at a time.

    Up to `keep` designs are all kept on disk; of a larger space, those on the front of what came so far, or nearest to
    it. A space of more than `most` designs is refused. precision : in which candidates are put together, `single` is
    faster and may miss designs within 1e-5 of the front; what is kept is in double precision all the same.
    """

    chunk: int
    batch: int
    keep: int
    most: int
    precision: str = "double"

    def __post_init__(self) -> None:
        self.chunk, self.batch = counted("search.chunk", self.chunk), counted("search.batch", self.batch)
        if self.precision not in PRECISIONS:
            raise ValueError(f"search.precision: {self.precision!r} is none; write double or single")

    def run(self, problem: Problem, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`, from where it stops; the seed does not matter. Returns seconds by part."""
        self._refuse(problem)
        start, sought = time.perf_counter(), Sought(problem, goals, self.chunk, self.precision == "single", self.keep)
        front = Front(goals, trials)
        with bar("enumerating", problem.distinct()) as advance:
            advance(trials.totals()[0])
            for number in range(trials.covered(), len(sought.chunks)):
                kept = sought.kept(number)
                front.add(problem, kept, number + 1, self.batch, whole=sought.whole)
                advance(kept.evaluated)
        return {"evaluate": time.perf_counter() - start, "sampler": 0.0}

    def _refuse(self, problem: Problem) -> None:
        if not np.isfinite(problem.space.size):
            raise ValueError("search=enumerate: the space has an interval; give it a step or a count, or search=optuna")
        size = problem.distinct()
        if size > self.most:
            raise ValueError(
                f"search=enumerate: {size:,.0f} designs are more than search.most={self.most:,}; "
                "name fewer values, raise search.most, or use search=optuna"
            )


class Sought:
    """The chunks of a space: structures one after the other, each as chips x systems where they can be put together,
    otherwise design by design."""

    def __init__(self, problem: Problem, goals: Goals, chunk: int, single: bool, keep: int) -> None:
        self.problem, self.goals, self.whole = problem, goals, problem.distinct() <= keep
        self._chunk, self._single = chunk, single

    @functools.cached_property
    def chunks(self) -> list[tuple[int, Any]]:
        """Of each chunk its structure and its place there."""
        return [(i, place) for i in range(len(self.problem.structures())) for place in self.listing(i).chunks]

    @functools.lru_cache(maxsize=1)  # noqa: B019
    def listing(self, structure: int) -> Crossing | Listing:
        """The designs of one structure."""
        problem, codes = self.problem, self.problem.structures()[structure]
        kind, found = problem.kind_at(codes), problem.template(codes)
        if not crosses(found.candidate, problem.wanted):
            return Listing(problem, codes, kind.places, self._chunk)
        metrics = tuple(dict.fromkeys((*self.goals.objectives, problem.wanted.objective)))
        given = (found.candidate, problem.space, codes, kind.places, kind.grid.own, problem.wanted, metrics)
        return Crossing(*given, single=self._single, chunk=self._chunk)

    def kept(self, number: int) -> Kept:
        """What of a chunk may be on the front."""
        structure, place = self.chunks[number]
        found = self.listing(structure).answers(place)
        feasible = int(self.goals.feasible(found.columns).sum())
        rows = np.arange(len(found.designs)) if self.whole else nearest_to_front(self.goals, found.columns)
        return Kept(found.of(rows), len(found.designs), feasible)


def nearest_to_front(goals: Goals, columns: Columns) -> np.ndarray:
    """The front, or what is nearest to being feasible."""
    front = goals.front(columns)
    return np.sort(front if len(front) else goals.nearest(columns))


class Front:
    """What is on disk, and the front of it."""

    def __init__(self, goals: Goals, trials: Trials) -> None:
        self.goals, self.trials = goals, trials
        self.columns = self._short(trials.load()[1])

    def _short(self, columns: Columns) -> Columns:
        """What the front goes by, of the designs that are on it or nearest to it."""
        names = [f"metrics.{name}" for name in self.goals.objectives] + ["legal"]
        names += [f"headroom.{name}" for name in self.goals.constraints]
        short = {name: columns[name] for name in names if name in columns}
        rows = nearest_to_front(self.goals, short) if short else []
        return {name: values[rows] for name, values in short.items()}

    def add(self, problem: Problem, kept: Kept, covered: int, batch: int, whole: bool) -> None:
        """Complete the designs of a chunk that stay, and put them on disk."""
        found = kept.found if whole else kept.found.of(self._staying(kept.found.columns))
        columns = found.columns if found.complete else problem.under_places(found.designs, found.places, batch)
        self.trials.append(found.designs, columns, (covered, kept.evaluated, kept.feasible))
        if not whole and len(found.designs):
            both = {name: np.concatenate([own, columns[name]]) for name, own in self.columns.items()} or columns
            self.columns = self._short(both)

    def _staying(self, columns: Columns) -> np.ndarray:
        """The designs that nothing found before beats."""
        before = len(next(iter(self.columns.values()), ()))
        both = {name: np.concatenate([own, columns[name]]) for name, own in self.columns.items()} or columns
        rows = nearest_to_front(self.goals, both) - before
        return rows[rows >= 0]
