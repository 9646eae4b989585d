"""Multi-start projected gradients through the relaxed model; every step is rounded and evaluated exactly."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from dse.aims import Aims, slope_names
from dse.archive import Archive, Question
from dse.console import bar
from dse.coordinates import Coordinates
from dse.goals import Columns, Goals
from dse.neighbours import neighbours
from dse.schema import counted
from dse.store import Trials

Starts = tuple[np.ndarray, np.ndarray]  # points [starts, coordinates], weights [starts, objectives]
NEAR = 0.05  # of the front's extent: a point nearer to the best by an objective aims at it no more than this
IDLE = 20  # rounds in which nothing new was met, after which the space counts as exhausted
ANEW = 0.125  # share of starts of a later round that are spread over the space again
APART = 0.5  # share of starts from fronts of single structures
SHAKEN = 0.1  # deviation of a start from the design of a front that it is made of, in coordinates
MIXED = 0.3  # share of chance in the weights of a start from a gap
FADING = (0.9, 0.99)  # of the running means of slopes and of their squares, the usual ones for few steps


@runtime_checkable
class Sloped(Question, Protocol):
    """A question that also has slopes."""

    def slopes(self, designs: np.ndarray, columns: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Slopes of the named answers along the coordinates of the space (`dse/coordinates.py`), [designs,
        coordinates]; columns : the answers about these designs."""
        ...


@dataclasses.dataclass
class Refinement:
    """Starts in rounds of `batch`, each of at most `steps` steps and then `tries` designs beside its best.

    evaluations : the budget: designs evaluated and slopes taken, together; stride : the first step along a coordinate,
    of its whole length.
    """

    evaluations: int
    batch: int
    steps: int
    tries: int
    stride: float

    def __post_init__(self) -> None:
        for name in ("evaluations", "batch", "steps", "tries"):
            setattr(self, name, counted(f"search.{name}", getattr(self, name)))
        if not 0 < self.stride <= 1:
            raise ValueError(f"search.stride: {self.stride!r} must be above 0 and at most 1; write 0.2")

    def run(self, problem: Sloped, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`. Returns seconds by part.

        It is deterministic: a resumed run takes the same steps again and finds the answers on disk.
        """
        if not problem.space.numeric:
            raise ValueError(
                "search=refine: nothing in the space is a number, so there is no slope to follow; "
                "add a size such as hw.chip.engine.cores, or use search=enumerate"
            )
        if not isinstance(problem, Sloped):
            raise ValueError("search=refine: this question has no slopes; use search=optuna")
        return Refining(self, problem, goals, trials, seed).run()


class Refining:
    """One run."""

    def __init__(self, search: Refinement, problem: Sloped, goals: Goals, trials: Trials, seed: int) -> None:
        self.search, self.problem, self.goals = search, problem, goals
        self.archive = Archive(problem, goals, trials)
        self.coordinates = Coordinates(problem.space)
        self.random = np.random.default_rng(seed)
        self.known: dict[bytes, np.ndarray] = {}  # slopes of a design, [answers, coordinates]
        self.names = slope_names(goals)
        self.seconds = 0.0  # of slopes

    @property
    def left(self) -> int:
        """What may still be asked: of designs and slopes, and of designs that there are."""
        return int(self.search.evaluations - len(self.archive.met) - len(self.known))

    def run(self) -> dict[str, float]:
        begun, new = time.perf_counter(), True
        with bar("refining", self.search.evaluations) as advance:
            shown = idle = 0
            while self.left > 0 and idle < IDLE:
                before = len(self.archive.met)
                self._round(self._starts() if new and before else self._spread(self.search.batch))
                new = len(self.archive.met) > before
                idle = 0 if new else idle + 1
                advance(len(self.archive.met) + len(self.known) - shown)
                shown = len(self.archive.met) + len(self.known)
        rest = time.perf_counter() - begun - self.archive.seconds - self.seconds
        return {"evaluate": self.archive.seconds, "slopes": self.seconds, "sampler": rest}

    def _starts(self) -> Starts:
        """From gaps of the front, from fronts of single structures, which others may hide, and anew."""
        anew, apart = round(ANEW * self.search.batch), round(APART * self.search.batch)
        designs, columns = self._met()
        parts = [self._from_gaps(designs, columns, self.search.batch - anew - apart)]
        if apart:
            parts += self._from_structures(designs, columns, apart)
        if anew:
            parts += [self._spread(anew)]
        points, weights = zip(*parts, strict=True)
        return np.concatenate(points), np.concatenate(weights)

    def _spread(self, count: int) -> Starts:
        """A Latin hypercube of designs, so that every option and every size has its share of them; any weights."""
        from scipy.stats.qmc import LatinHypercube

        drawn = LatinHypercube(len(self.problem.space.parameters), rng=self.random).random(count)
        points = self.coordinates.spread(drawn)
        return points, self.random.dirichlet(np.ones(len(self.goals.objectives)), count)

    def _from_structures(self, designs: np.ndarray, columns: Columns, count: int) -> list[Starts]:
        """Of structures by chance, each from the gaps of its own front."""
        used, index = np.unique(self.problem.space.structures(designs), axis=0, return_inverse=True)
        found = []
        order = self.random.permutation(len(used))
        for share in np.bincount(np.arange(count) % len(used), minlength=len(used)):
            if share:
                rows = np.flatnonzero(index.ravel() == order[len(found)])
                found.append(self._from_gaps(designs[rows], {n: v[rows] for n, v in columns.items()}, share))
        return found

    def _from_gaps(self, designs: np.ndarray, columns: Columns, count: int) -> Starts:
        """Designs of the front of these, those beside its largest gaps first, moved a little, each aiming where it
        lies."""
        front = self.goals.front(columns)
        if not len(front):
            front = self.goals.nearest(columns, count)
        aims = self._aims(np.ones((len(front), len(self.goals.objectives))))
        heights, _ = aims.parts({name: values[front] for name, values in columns.items()})
        order = np.resize(np.argsort(-crowding(heights), kind="stable"), count)
        towards = 1 / (np.maximum(heights[order], 0.0) + NEAR)
        weights = towards / towards.sum(axis=1, keepdims=True)
        chance = self.random.dirichlet(np.ones(weights.shape[1]), count)
        points = self.coordinates.points(designs[front[order]])
        moved = points + self.random.normal(0.0, SHAKEN, points.shape)
        again = self._rounded(self.coordinates.nearest(moved))
        return self.coordinates.points(again), (1 - MIXED) * weights + MIXED * chance

    def _round(self, starts: Starts) -> bool:
        """Every start follows its slopes; then what lies beside the best design of each is tried. False where the
        budget ends."""
        points, weights = starts
        best, least = self._rounded(points), np.full(len(points), np.inf)
        mean, square = np.zeros_like(points), np.zeros_like(points)
        for step in range(1, self.search.steps + 1):
            designs = self._rounded(points)
            columns = self._evaluate(designs)
            if columns is None:
                return False
            aims = self._aims(weights)
            far = aims.distance(columns)
            best, least = np.where((far < least)[:, None], designs, best), np.minimum(far, least)
            slopes = self._slopes(designs, columns)
            if slopes is None:
                return False
            gradient = aims.gradient(columns, slopes)
            mean = FADING[0] * mean + (1 - FADING[0]) * gradient
            square = FADING[1] * square + (1 - FADING[1]) * gradient**2
            move = mean / (1 - FADING[0] ** step) / (np.sqrt(square / (1 - FADING[1] ** step)) + 1e-12)
            points = self.coordinates.nearest(points - self.search.stride * move)
        return self._try_beside(best, weights)

    def _try_beside(self, designs: np.ndarray, weights: np.ndarray) -> bool:
        """What the slopes at each design expect most of, of the designs one step beside it. False where the budget
        ends."""
        columns = self._evaluate(designs)
        slopes = self._slopes(designs, columns) if columns is not None else None
        if columns is None or slopes is None:
            return False
        tried = []
        for row, design in enumerate(designs):
            around = self.problem.canonical(neighbours(self.problem.space, design))
            around = around[[not self.archive.has_met(other) for other in around]]
            moves = self.coordinates.points(around) - self.coordinates.points(design[None]) if len(around) else None
            if moves is not None:
                one = slice(row, row + 1)
                expected = self._aims(weights[one]).expected(
                    {name: values[one] for name, values in columns.items()},
                    {name: values[one] for name, values in slopes.items()},
                    moves[None],
                )[0]
                tried.append(around[np.argsort(expected, kind="stable")[: self.search.tries]])
        return not tried or self._evaluate(np.concatenate(tried)) is not None

    def _rounded(self, points: np.ndarray) -> np.ndarray:
        return self.problem.canonical(self.coordinates.designs(points))

    def _met(self) -> tuple[np.ndarray, Columns]:
        """All designs that were asked about, and their answers."""
        designs = np.stack([np.frombuffer(key) for key in self.archive.met])
        return designs, self.archive.evaluate(designs)

    def _aims(self, weights: np.ndarray) -> Aims:
        return Aims.of(self.goals, self._met()[1], weights)

    def _evaluate(self, designs: np.ndarray) -> Columns | None:
        """Answers about designs; none where the budget ends before the last of them, or nothing is left."""
        new = {design.tobytes(): design for design in designs if not self.archive.has_met(design)}
        kept = list(new.values())[: max(self.left, 0)]
        if kept:
            self.archive.evaluate(np.stack(kept))
        return self.archive.evaluate(designs) if len(kept) == len(new) else None

    def _slopes(self, designs: np.ndarray, columns: Columns) -> dict[str, np.ndarray] | None:
        """Slopes at designs, taken once each; none where the budget ends before the last of them."""
        begun = time.perf_counter()
        fresh = {d.tobytes(): row for row, d in enumerate(designs) if d.tobytes() not in self.known}
        if len(fresh) > self.left:
            self.known |= dict.fromkeys(list(fresh)[: max(self.left, 0)], np.zeros(0))
            return None
        if fresh:
            rows = list(fresh.values())
            found = self.problem.slopes(designs[rows], {n: v[rows] for n, v in columns.items()}, self.names)
            self.known |= {key: np.stack([found[n][i] for n in self.names]) for i, key in enumerate(fresh)}
        self.seconds += time.perf_counter() - begun
        return {name: np.stack([self.known[d.tobytes()][i] for d in designs]) for i, name in enumerate(self.names)}


def crowding(heights: np.ndarray) -> np.ndarray:
    """How far the neighbours of each point of a front lie apart along each objective, summed; infinite at its ends."""
    apart = np.zeros(len(heights))
    for column in heights.T:
        order = np.argsort(column, kind="stable")
        apart[order[[0, -1]]] = np.inf
        apart[order[1:-1]] += column[order[2:]] - column[order[:-2]]
    return apart
