"""Every design of a finite space, chunk by chunk: the exact front."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import Any, NamedTuple

import numpy as np

from dse.configuration.schema import counted
from dse.evaluation.goals import Columns, Goals
from dse.evaluation.mapping import GOODPUT
from dse.problem.blocks import Crossing, crosses
from dse.problem.budget import refuse_too_large
from dse.problem.listing import Answers, Listing
from dse.problem.opening import opening_rows
from dse.problem.problem import Problem, composed
from dse.problem.template import Template
from dse.run.bars import bar
from dse.run.store import Trials
from dse.search.scale import each
from dse.uncertainty.robust import Robust

PRECISIONS = ("double", "single")


@dataclasses.dataclass
class Enumeration:
    """The exact front: all designs in chunks of at most `chunk`; `batch` at a time where some are asked about again.

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
        self.keep, self.most = counted("search.keep", self.keep), counted("search.most", self.most)
        if self.precision not in PRECISIONS:
            raise ValueError(f"search.precision: {self.precision!r} is none; write double or single")

    def run(self, problem: Problem, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`, from where it stops; the seed does not matter. Returns seconds by part."""
        refuse_too_large(problem, self.most)
        start, whole = time.perf_counter(), problem.distinct() <= self.keep
        asked = Asked(tuple(goals.objectives.items()), goals.constraints, self.chunk, self.precision == "single", whole)
        front, numbers = Front(goals, trials, whole), range(trials.covered(), len(chunks_of(problem, asked).listed))
        with bar("enumerating", problem.distinct()) as advance:
            advance(trials.totals()[0])
            for number, kept in zip(
                numbers, each(problem, functools.partial(chunk, asked=asked), numbers), strict=True
            ):
                front.add(problem, kept, number + 1)
                advance(kept.evaluated)
        prove(trials.totals()[0], problem.distinct())
        return {"evaluate": time.perf_counter() - start, "sampler": 0.0}


def prove(evaluated: int, distinct: float) -> None:
    """Raise RuntimeError where not every design was evaluated exactly once."""
    if evaluated != distinct:
        raise RuntimeError(
            f"search=enumerate: {evaluated:,} designs were evaluated, but the space has {distinct:,.0f}; the folder "
            "holds parts of another run, or this is a fault of the program; begin in a new folder"
        )


class Asked(NamedTuple):
    """What is asked of every chunk: objectives and constraints, its size, whether in single precision, and whether all
    designs are kept."""

    objectives: tuple[tuple[str, str], ...]
    constraints: tuple[str, ...]
    size: int
    single: bool
    whole: bool


class Kept(NamedTuple):
    """Of one chunk: the designs that may be on the front, or all of them, and how many were evaluated and feasible."""

    found: Answers
    evaluated: int
    feasible: int


def chunk(problem: Problem | Robust, number: int, asked: Asked) -> Kept:
    """What of a chunk may be on the front."""
    goals = Goals(dict(asked.objectives), asked.constraints)
    found = chunks_of(problem, asked).answers(number)
    feasible = int(goals.feasible(found.columns).sum()) if len(found.designs) else 0
    rows = np.arange(len(found.designs)) if asked.whole else promising(goals, found.columns, found.designs)
    return Kept(found.of(rows), len(found.designs), feasible)


@functools.lru_cache(maxsize=2)
def chunks_of(problem: Problem | Robust, asked: Asked) -> Chunks:
    """The chunks of a problem, made once in each process."""
    return Chunks(problem, asked)


class Chunks:
    """The chunks of a space: structures one after the other, each as chips x systems where they can be put together,
    otherwise design by design."""

    def __init__(self, question: Any, asked: Asked) -> None:
        self.question, self.asked, self.problem = question, asked, composed(question)
        self.structures = question.space.every_structure()
        self._listing = functools.lru_cache(maxsize=2)(self.listing)

    @functools.cached_property
    def listed(self) -> list[tuple[int, Any]]:
        """Of each chunk its structure and its place there."""
        return [(i, place) for i in range(len(self.structures)) for place in self.listing(i).chunks]

    def answers(self, number: int) -> Answers:
        """Answers about the designs of one chunk."""
        structure, place = self.listed[number]
        return self._listing(structure).answers(place)

    def listing(self, structure: int) -> Crossing | Listing:
        """The designs of one structure."""
        codes, problem = self.structures[structure], self.problem
        found = None if problem is None else problem.template(codes)
        if problem is None or found is None or not self._crosses(found):
            return Listing(self.question, codes, self.asked.size)
        kind = problem.kind_at(codes)
        metrics = tuple(dict.fromkeys((*dict(self.asked.objectives), problem.wanted.objective)))
        given = (found.candidate, problem.space, codes, kind.places, kind.grid.own, problem.wanted, metrics)
        return Crossing(*given, single=self.asked.single, chunk=self.asked.size)

    def _crosses(self, found: Template) -> bool:
        """True where candidates may be taken apart, and what is asked of them as well."""
        searched = isinstance(self.question, Robust) or {*dict(self.asked.objectives)} & {*GOODPUT}
        return self.problem is not None and not searched and crosses(found.candidate, self.problem.wanted)


def promising(goals: Goals, columns: Columns, designs: np.ndarray) -> np.ndarray:
    """The front; where nothing is feasible, what is nearest to it, and what would open the space."""
    front = goals.front(columns)
    if len(front):
        return np.sort(front)
    return np.union1d(goals.nearest(columns), np.array(opening_rows(goals, columns, designs), dtype=int))


class Front:
    """What is on disk, and the front of it."""

    def __init__(self, goals: Goals, trials: Trials, whole: bool) -> None:
        self.goals, self.trials, self.whole = goals, trials, whole
        designs, columns = (np.zeros((0, 0)), {}) if whole else trials.load()
        self.designs, self.columns = designs, self._short(columns)
        self._forget()

    def _short(self, columns: Columns) -> Columns:
        """What the front goes by."""
        names = [f"metrics.{name}" for name in self.goals.objectives] + ["legal"]
        names += [f"headroom.{name}" for name in self.goals.constraints]
        return {name: columns[name] for name in names if name in columns}

    def _forget(self) -> None:
        if len(self.designs):
            rows = promising(self.goals, self.columns, self.designs)
            self.designs, self.columns = self.designs[rows], {name: v[rows] for name, v in self.columns.items()}

    def add(self, problem: Problem, kept: Kept, covered: int) -> None:
        """Complete the designs of a chunk that stay, and put them on disk."""
        found = kept.found if self.whole else kept.found.of(self._staying(kept.found))
        columns = found.columns if found.complete else problem.under_places(found.designs, found.places)
        self.trials.append(found.designs, columns, (covered, kept.evaluated, kept.feasible))
        if not self.whole and len(found.designs):
            self.designs, self.columns = self._joined(found.designs, self._short(columns))
            self._forget()

    def _joined(self, designs: np.ndarray, columns: Columns) -> tuple[np.ndarray, Columns]:
        if not len(self.designs):
            return designs, columns
        both = {name: np.concatenate([own, columns[name]]) for name, own in self.columns.items()}
        return np.concatenate([self.designs, designs]), both

    def _staying(self, found: Answers) -> np.ndarray:
        """The designs of a chunk that nothing found before beats."""
        designs, columns = self._joined(found.designs, self._short(found.columns))
        rows = promising(self.goals, columns, designs) - (len(designs) - len(found.designs))
        return rows[rows >= 0]
