"""Designs that a search has not met: near one that it has, or anywhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dse.problem.archive import Question
from dse.problem.space import Files, Interval, Parameter

TRIES = 16  # moves of one, two, three … parameters before more are moved
DRAWS = 256  # before what is left of a finite space is listed
MOST_LISTED = 1_000_000  # designs of a space that is listed


class Unseen:
    """Canonical designs that `met` does not know. Deterministic in the random numbers it is given."""

    def __init__(self, problem: Question, met: Callable[[np.ndarray], bool], random: np.random.Generator) -> None:
        self.problem, self.met, self.random = problem, met, random

    def near(self, design: np.ndarray) -> np.ndarray | None:
        """A design that differs from a canonical one in as few parameters as may be; none where all have been met."""
        parameters = self.problem.space.parameters
        for moved in range(1, len(parameters) + 1):
            for _ in range(TRIES):
                found = design.copy()
                for column in self.random.choice(len(parameters), moved, replace=False):
                    found[column] = self._moved(parameters[column], float(design[column]))
                found = self.problem.canonical(found[None])[0]
                if not self.met(found):
                    return found
        return self.anywhere()

    def anywhere(self) -> np.ndarray | None:
        """Any design, uniform; none where all have been met."""
        space = self.problem.space
        for found in self.problem.canonical(space.drawn(self.random, DRAWS)):
            if not self.met(found):
                return found
        if space.size > MOST_LISTED:
            return None
        left = self.problem.canonical(space.designs(0, int(space.size)))
        left = left[[not self.met(design) for design in left]]
        return left[self.random.integers(len(left))] if len(left) else None

    def _moved(self, parameter: Parameter, code: float) -> float:
        """Another choice of files, a next number, or a number not far away."""
        if isinstance(parameter, Files):
            return parameter.drawn(self.random, 1)[0]
        if not isinstance(parameter, Interval):
            return self._next(parameter.numbers, int(code))
        low, high = np.log(parameter.ends()) if parameter.log else np.array(parameter.ends())
        position = np.log(code) if parameter.log else code
        moved = np.clip(position + self.random.normal(0, 0.1) * (high - low), low, high)
        moved = np.clip(np.exp(moved) if parameter.log else moved, parameter.low, parameter.high)
        return float(np.round(moved) if parameter.whole else moved)

    def _next(self, numbers: tuple[float, ...], code: int) -> float:
        order = np.argsort(numbers, kind="stable")
        place = int(np.flatnonzero(order == code)[0]) + (1 if self.random.random() < 0.5 else -1)
        return float(order[min(max(place, 0), len(order) - 1)])
