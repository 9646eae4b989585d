"""Where a refinement starts: spread over the space, and from the gaps of what it has found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dse.evaluation.goals import Columns, Goals
from dse.problem.archive import Question
from dse.problem.coordinates import Coordinates
from dse.search.aims import Aims

ANEW = 0.125  # share of the starts of a later round that are spread over the space again
APART = 0.5  # share of those from the fronts of single structures
SHAKEN = 0.1  # deviation of a start from the design that it is made of, in coordinates
NEAR = 0.05  # of the front's extent: a point nearer than this to the best by an objective aims no harder at it
MIXED = 0.3  # share of chance in the weights of a start from a gap


class Starts(NamedTuple):
    """Points [starts, coordinates], and weights of the objectives [starts, objectives]."""

    points: np.ndarray
    weights: np.ndarray


class Starting:
    """The starts of a seed."""

    def __init__(self, problem: Question, goals: Goals, seed: int) -> None:
        self.problem, self.goals = problem, goals
        self.coordinates = Coordinates(problem.space)
        self.random = np.random.default_rng(seed)

    def spread(self, count: int) -> Starts:
        """A Latin hypercube, so that every option and every size has its share of the starts; any weights."""
        from scipy.stats.qmc import LatinHypercube

        drawn = LatinHypercube(len(self.problem.space.parameters), rng=self.random).random(count)
        return Starts(self.coordinates.spread(drawn), self._chance(count))

    def again(self, designs: np.ndarray, columns: Columns, count: int) -> Starts:
        """From gaps of the front, from fronts of single structures, which may be hidden by others, and anew."""
        anew, apart = round(ANEW * count), round(APART * count)
        parts = [self.from_gaps(designs, columns, columns, count - anew - apart)]
        parts += self.from_structures(designs, columns, apart)
        return _together([*parts, self.spread(anew)] if anew else parts)

    def from_structures(self, designs: np.ndarray, columns: Columns, count: int) -> list[Starts]:
        """Of as many structures as there are starts, by chance, each from the gaps of its own front."""
        used, index = np.unique(self.problem.space.structures(designs), axis=0, return_inverse=True)
        shares = np.bincount(np.arange(count) % len(used), minlength=len(used))
        found = []
        for structure, share in zip(self.random.permutation(len(used)), shares, strict=True):
            rows = np.flatnonzero(index.ravel() == structure)
            own = {name: values[rows] for name, values in columns.items()}
            found += [self.from_gaps(designs[rows], own, columns, int(share))] if share else []
        return found

    def from_gaps(self, designs: np.ndarray, columns: Columns, known: Columns, count: int) -> Starts:
        """Designs of the front of these, those beside its largest gaps first, moved a little; each aims where it lies
        among all that is known, and a little elsewhere."""
        front = self.goals.front(columns)
        front = front if len(front) else self.goals.nearest(columns, count)
        even = Aims.of(self.goals, known, np.ones((len(front), len(self.goals.objectives))))
        heights, _ = even.parts({name: values[front] for name, values in columns.items()})
        order = np.resize(np.argsort(-crowding(heights), kind="stable"), count)
        towards = 1 / (np.maximum(heights[order], 0.0) + NEAR)
        weights = (1 - MIXED) * towards / towards.sum(axis=1, keepdims=True) + MIXED * self._chance(count)
        points = self.coordinates.points(designs[front[order]])
        return Starts(self.coordinates.nearest(points + self.random.normal(0.0, SHAKEN, points.shape)), weights)

    def _chance(self, count: int) -> np.ndarray:
        """Weights [count, objectives], even over all that sum to 1."""
        return self.random.dirichlet(np.ones(len(self.goals.objectives)), count)


def _together(parts: Sequence[Starts]) -> Starts:
    return Starts(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def crowding(heights: np.ndarray) -> np.ndarray:
    """How far the neighbours of each point of a front lie apart along each objective, summed; infinite at its ends."""
    apart = np.zeros(len(heights))
    for column in heights.T:
        order = np.argsort(column, kind="stable")
        apart[order[[0, -1]]] = np.inf
        apart[order[1:-1]] += column[order[2:]] - column[order[:-2]]
    return apart
