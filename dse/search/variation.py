"""Operators of pymoo that tell files, numbers and intervals apart, and that never breed a design twice.

Individuals are the places of designs on lines, [individuals, parameters] (see `dse/problem/lines.py`).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np
from moocore import hv_contributions
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.repair import Repair
from pymoo.core.sampling import Sampling
from pymoo.core.survival import Survival
from pymoo.operators.crossover.sbx import cross_sbx
from pymoo.operators.mutation.pm import mut_pm
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from dse.evaluation.goals import BEYOND

CROSSED = 0.9  # share of pairs that mix; the others only mutate
FURTHER = 0.2  # chance that a step to a neighbouring number goes one more
CHANGED = 1.0  # parameters that a mutation changes, on average, and one at least
CROWDED, CROWDED_STEP = 15.0, 20.0  # how near children stay on intervals when parents mix, and when one mutates


class Begin(Sampling):
    """Given designs, and others drawn uniformly."""

    def __init__(self, start: np.ndarray) -> None:
        super().__init__()
        self.start = start

    def _do(self, problem: Any, n_samples: int, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        drawn = problem.lines.places(problem.question.space.drawn(random_state, n_samples))
        return np.concatenate([problem.lines.places(self.start), drawn])


class Canonical(Repair):
    """The nearest designs, with what their structure lacks at rest."""

    def _do(self, problem: Any, X: np.ndarray, **kwargs: Any) -> np.ndarray:  # noqa: N803
        return problem.lines.places(problem.designs(X))


class Unmet(DuplicateElimination):
    """Only designs that differ from one another and that nobody has asked about."""

    def __init__(self, problem: Any, met: Container[bytes]) -> None:
        super().__init__()
        self.problem, self.met = problem, met

    def do(self, pop: Any, *others: Any, **kwargs: Any) -> Any:
        """Those of `pop` that are neither met nor among `others`."""
        taken = {key for other in others for key in self._keys(other)}
        kept = []
        for i, key in enumerate(self._keys(pop)):
            if key not in self.met and key not in taken:
                kept.append(i)
                taken.add(key)
        return pop[kept]

    def _keys(self, pop: Any) -> list[bytes]:
        return [design.tobytes() for design in self.problem.designs(pop.get("X"))] if len(pop) else []


class Mix(Crossover):
    """Each parameter from either parent; on intervals, near either one (simulated binary crossover)."""

    def __init__(self) -> None:
        super().__init__(2, 2, prob=CROSSED)

    def _do(self, problem: Any, X: np.ndarray, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:  # noqa: N803
        swapped = random_state.random(X.shape[1:]) < 0.5
        mixed = np.where(swapped, X[::-1], X)
        at, column = problem.lines.intervals, (X.shape[1], 1)
        if at.any():
            low, high = problem.lines.low[at], problem.lines.high[at]
            near, half = np.full(column, CROWDED), np.full(column, 0.5)
            mixed[:, :, at] = cross_sbx(X[:, :, at], low, high, near, 0.5, half, random_state=random_state)
        return mixed


class Step(Mutation):
    """Another file, a neighbouring number, a near place in an interval (polynomial mutation), of a few parameters."""

    def __init__(self) -> None:
        super().__init__(prob=1.0)

    def _do(self, problem: Any, X: np.ndarray, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:  # noqa: N803
        lines = problem.lines
        moved = np.where(lines.files, _another(lines, X, random_state), _neighbour(lines, X, random_state))
        at = lines.intervals
        if at.any():
            near, all_of_them = np.full(len(X), CROWDED_STEP), np.ones(len(X))
            low, high = lines.low[at], lines.high[at]
            moved[:, at] = mut_pm(X[:, at], low, high, near, all_of_them, False, random_state=random_state)
        return np.where(_few(lines, len(X), random_state), moved, X)


def _few(lines: Any, count: int, random: np.random.Generator) -> np.ndarray:
    """Which parameters of each individual change, [individuals, parameters]: at least one of those that can."""
    free = lines.high > lines.low
    few = (random.random((count, len(free))) < CHANGED / max(free.sum(), 1)) & free
    if free.any():
        few[np.arange(count), random.choice(np.flatnonzero(free), count)] |= ~few.any(axis=1)
    return few


def _another(lines: Any, places: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Another one of the choices, all alike."""
    sizes = np.maximum(lines.high - lines.low + 1, 2).astype(int)
    return (places + random.integers(1, np.broadcast_to(sizes, places.shape))) % sizes


def _neighbour(lines: Any, places: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One step up or down, seldom more, turned back at the ends."""
    step = random.geometric(1 - FURTHER, places.shape) * random.choice([-1, 1], places.shape)
    outside = (places + step < lines.low) | (places + step > lines.high)
    return np.clip(places + np.where(outside, -step, step), lines.low, lines.high)


class Best(Survival):
    """All that nothing beats, however many, and of the next fronts what adds most hypervolume, up to a number."""

    def __init__(self) -> None:
        super().__init__(filter_infeasible=True)

    def _do(self, problem: Any, pop: Any, *args: Any, n_survive: int = 1, **kwargs: Any) -> Any:
        objectives, survivors = pop.get("F").astype(float), []
        for rank, front in enumerate(NonDominatedSorting().do(objectives, n_stop_if_ranked=n_survive)):
            gains = _gains(objectives[front])
            room = n_survive - len(survivors) if rank else len(front)
            kept = np.argsort(-gains, kind="stable")[:room]
            pop[front[kept]].set("rank", rank)
            pop[front[kept]].set("gain", gains[kept])
            survivors.extend(front[kept])
        return pop[survivors]


def _gains(points: np.ndarray) -> np.ndarray:
    """What each point adds to the hypervolume of all, scaled to the box that they span; equal ones but once."""
    _, first = np.unique(points, axis=0, return_index=True)
    span = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(span > 0, span, 1.0)
    gains = np.zeros(len(points))
    gains[first] = hv_contributions(scaled[first], ref=[BEYOND] * points.shape[1])
    return gains


def winners(pop: Any, P: np.ndarray, **kwargs: Any) -> np.ndarray:  # noqa: N803
    """The best of each tournament [tournaments, entrants]: what misses constraints least, what fewest fronts lie
    before, what adds most."""
    short = pop.get("CV")[:, 0]
    # Who misses a constraint has neither rank nor gain: NaN, which sorts last.
    rank, gain = (np.array(pop.get(name, to_numpy=False), dtype=float) for name in ("rank", "gain"))
    place = np.empty(len(pop))
    place[np.lexsort((-gain, rank, short))] = np.arange(len(pop))
    return P[np.arange(len(P)), np.argmin(place[P], axis=1)][:, None]
