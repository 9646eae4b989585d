"""One run of a refinement."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np

from dse.evaluation.goals import Columns, Goals
from dse.problem.archive import Archive
from dse.problem.coordinates import Coordinates
from dse.problem.neighbours import neighbours
from dse.run.bars import bar
from dse.run.store import Trials
from dse.search.aims import Aims, slope_names
from dse.search.starts import Starting, Starts

if TYPE_CHECKING:
    from dse.search.refine import Refinement, Sloped

IDLE = 20  # rounds one after the other in which nothing new was met, after which the space counts as exhausted
FADING = (0.7, 0.9)  # of the running means of slopes and of their squares; there are few steps, so both fade fast


class Refining:
    """The state of a run: what was evaluated, and the slopes that were taken."""

    def __init__(self, search: Refinement, problem: Sloped, goals: Goals, trials: Trials, seed: int) -> None:
        self.search, self.problem, self.goals = search, problem, goals
        self.archive = Archive(problem, goals, trials)
        self.coordinates, self.starting = Coordinates(problem.space), Starting(problem, goals, seed)
        self.names = slope_names(goals)
        self.taken: dict[bytes, np.ndarray] = {}  # design -> its slopes [answers, coordinates]
        self.seconds = 0.0  # of slopes
        self._seen: tuple[np.ndarray, Columns] = np.zeros((0, 0)), {}

    @property
    def spent(self) -> int:
        """Designs evaluated and slopes taken."""
        return len(self.archive.met) + len(self.taken)

    @property
    def left(self) -> int:
        return self.search.evaluations - self.spent

    def run(self) -> dict[str, float]:
        begun, idle = time.perf_counter(), 0
        with bar("refining", self.search.evaluations) as advance:
            while self.left > 0 and idle < IDLE:
                spent, met, count = self.spent, len(self.archive.met), self.search.batch
                anew = idle or not met
                self._round(self.starting.spread(count) if anew else self.starting.again(*self._known(), count))
                idle = 0 if len(self.archive.met) > met else idle + 1
                advance(self.spent - spent)
        rest = time.perf_counter() - begun - self.archive.seconds - self.seconds
        return {"evaluate": self.archive.seconds, "slopes": self.seconds, "sampler": rest}

    def _round(self, starts: Starts) -> None:
        """Every start follows its slopes; then what lies beside the best design of each is tried."""
        points, weights = starts
        best, least = self._rounded(points), np.full(len(points), np.inf)
        pace = Pace(self.search.stride, self.search.steps, points)
        for _ in range(self.search.steps):
            designs = self._rounded(points)
            columns = self._evaluate(designs)
            if columns is None:
                return
            aims = self._aims(weights)
            far = aims.distance(columns)
            best, least = np.where((far < least)[:, None], designs, best), np.minimum(far, least)
            gradient = aims.gradient(columns, self._slopes(designs, columns))
            points = self.coordinates.nearest(points - pace.step(gradient))
        self._try_beside(best, weights)

    def _try_beside(self, designs: np.ndarray, weights: np.ndarray) -> None:
        """Of the designs one step beside each of these, those of which its slopes promise the most."""
        columns = self._evaluate(designs)
        if columns is None:
            return
        slopes, aims, tried = self._slopes(designs, columns), self._aims(weights), []
        for row, design in enumerate(designs):
            around = self.problem.canonical(neighbours(self.problem.space, design))
            around = around[[not self.archive.has_met(other) for other in around]]
            if len(around):
                moves = self.coordinates.points(around) - self.coordinates.points(design[None])
                one, rates = ({name: v[row : row + 1] for name, v in part.items()} for part in (columns, slopes))
                own = dataclasses.replace(aims, weights=weights[row : row + 1])
                promised = own.expected(one, rates, moves[None])[0]
                tried.append(around[np.argsort(promised, kind="stable")[: self.search.tries]])
        if tried:
            self._evaluate(np.concatenate(tried))

    def _rounded(self, points: np.ndarray) -> np.ndarray:
        return self.problem.canonical(self.coordinates.designs(points))

    def _known(self) -> tuple[np.ndarray, Columns]:
        """All designs that were asked about, and their answers."""
        if len(self._seen[0]) < len(self.archive.met):
            designs = np.stack([np.frombuffer(key) for key in self.archive.met])
            self._seen = designs, self.archive.evaluate(designs)
        return self._seen

    def _aims(self, weights: np.ndarray) -> Aims:
        return Aims.of(self.goals, self._known()[1], weights)

    def _evaluate(self, designs: np.ndarray) -> Columns | None:
        """Answers about designs; none where the budget ends before the last of them."""
        new = {design.tobytes(): design for design in designs if not self.archive.has_met(design)}
        kept = list(new.values())[: self.left]
        if kept:
            self.archive.evaluate(np.stack(kept))
        return self.archive.evaluate(designs) if len(kept) == len(new) else None

    def _slopes(self, designs: np.ndarray, columns: Columns) -> dict[str, np.ndarray]:
        """Slopes at designs, taken once each; 0 at those that the budget ends before."""
        begun = time.perf_counter()
        fresh = {d.tobytes(): row for row, d in enumerate(designs) if d.tobytes() not in self.taken}
        rows = list(fresh.values())[: self.left]
        if rows:
            found = self.problem.slopes(designs[rows], {n: v[rows] for n, v in columns.items()}, self.names)
            self.taken |= {
                designs[row].tobytes(): np.stack([found[n][i] for n in self.names]) for i, row in enumerate(rows)
            }
        none = np.zeros((len(self.names), self.coordinates.width))
        slopes = np.stack([self.taken.get(design.tobytes(), none) for design in designs], axis=1)
        self.seconds += time.perf_counter() - begun
        return dict(zip(self.names, slopes, strict=True))


class Pace:
    """Adam's steps [Kingma and Ba, ICLR 2015] on slopes over their largest part: running means over the root of those
    of squares. So no step depends on the unit of what is lowered, and none is short for long after a wall. Evenly
    shorter from the first step to the last."""

    def __init__(self, stride: float, most: int, points: np.ndarray) -> None:
        self.stride, self.most, self.steps = stride, most, 0
        self.mean, self.square = np.zeros_like(points), np.zeros_like(points)

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """How far to go against the gradient, [starts, coordinates]."""
        largest = np.abs(gradient).max(axis=1, keepdims=True)
        gradient = gradient / np.where(largest > 0, largest, 1.0)
        shorter = 1 - self.steps / self.most
        self.steps += 1
        slow, fast = FADING
        self.mean = slow * self.mean + (1 - slow) * gradient
        self.square = fast * self.square + (1 - fast) * gradient**2
        mean, square = self.mean / (1 - slow**self.steps), self.square / (1 - fast**self.steps)
        return self.stride * shorter * mean / (np.sqrt(square) + 1e-12)
