"""Other people's problems, whose fronts are known: ZDT, DTLZ and WFG, and MW with constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np

from dse.evaluation.goals import Goals
from dse.problem.space import Interval, Space

SAMPLE = 4096
BUDGET = 1000  # designs that a search gets
HEADROOMS = ("memory", "power", "heat", "clock")  # a problem's constraints take these names
# ZDT5 is about bits. The fronts of the other MW problems are not part of pymoo, which fetches them.
PROBLEMS: dict[str, dict[str, int]] = {
    **{f"zdt{i}": {"n_var": 10} for i in (1, 2, 3, 4, 6)},
    "dtlz1": {"n_var": 7, "n_obj": 3},
    **{f"dtlz{i}": {"n_var": 12, "n_obj": 3} for i in (2, 3, 4, 5, 6, 7)},
    **{f"wfg{i}": {"n_var": 10, "n_obj": 3} for i in (1, 2, 4, 9)},
    **{f"mw{i}": {"n_var": 8} for i in (1, 2, 3, 6, 12)},
    **{f"mw{i}": {"n_var": 8, "n_obj": 3} for i in (4, 8)},
}


@dataclass(frozen=True)
class Function:
    """A question over intervals that a function answers."""

    space: Space
    goals: Goals
    function: Any

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        return designs.copy()

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        return (True,) * len(self.space.parameters)

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        answers = self.function.evaluate(designs, return_as_dictionary=True)
        columns = {f"metrics.f{i}": values for i, values in enumerate(answers["F"].T)}
        for i, name in enumerate(self.goals.constraints):
            columns[f"headroom.{name}"] = -answers["G"][:, i]
        return columns | {"legal": np.ones(len(designs), dtype=bool)}

    def front(self) -> np.ndarray:
        """Points of the true front, [points, objectives]."""
        name, sampled = type(self.function).__name__, np.linspace(0, 1, 101)
        if name in ("DTLZ5", "DTLZ6"):
            return _arc(sampled * np.pi / 2)
        return _patches(sampled) if name == "DTLZ7" else np.asarray(self.function.pareto_front())

    def worst(self) -> np.ndarray:
        """The worst of each objective in a fixed sample, [objectives]: few evaluations end nearer to it than to the
        front."""
        sample = self.evaluate(self.drawn(np.random.default_rng(0), SAMPLE))
        return np.maximum(self.goals.values(sample).max(axis=0), self.front().max(axis=0))

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Designs [count, parameters], uniform; no two of a continuum are the same."""
        return self.space.drawn(random, count)


def _arc(angles: np.ndarray) -> np.ndarray:
    """The fronts of DTLZ5 and DTLZ6 for three objectives, a quarter of a circle [Deb et al., 2005]."""
    return np.stack([np.cos(angles) / np.sqrt(2), np.cos(angles) / np.sqrt(2), np.sin(angles)], axis=1)


def _patches(sampled: np.ndarray) -> np.ndarray:
    """The front of DTLZ7 for three objectives, four patches [Deb et al., 2005]."""
    first, second = (axis.ravel() for axis in np.meshgrid(sampled, sampled))
    heights = 6 - sum(values * (1 + np.sin(3 * np.pi * values)) for values in (first, second))
    return moocore.filter_dominated(np.stack([first, second, heights], axis=1))


def function(name: str) -> Function:
    """One of the problems."""
    from pymoo.problems import get_problem

    given = get_problem(name, **PROBLEMS[name])
    ends = enumerate(zip(given.xl, given.xu, strict=True))
    space = Space(tuple(Interval(f"x{i}", float(low), float(high), False, "", False) for i, (low, high) in ends))
    goals = Goals({f"f{i}": "minimize" for i in range(given.n_obj)}, HEADROOMS[: given.n_ieq_constr])
    return Function(space, goals, given)
