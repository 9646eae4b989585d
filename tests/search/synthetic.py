"""Other people's problems, whose fronts are known: ZDT, DTLZ and WFG, and MW with constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.goals import Goals
from dse.space import Interval, Space

SAMPLE = 4096
BUDGET = 2000  # designs that a search gets
HEADROOMS = ("memory", "power", "heat", "clock")  # a problem's constraints take these names
PROBLEMS: dict[str, dict[str, int]] = {
    "zdt1": {"n_var": 10},
    "zdt2": {"n_var": 10},
    "zdt3": {"n_var": 10},
    "zdt6": {"n_var": 10},
    "dtlz1": {"n_var": 7, "n_obj": 3},
    "dtlz2": {"n_var": 12, "n_obj": 3},
    "dtlz4": {"n_var": 12, "n_obj": 3},
    "wfg1": {"n_var": 10, "n_obj": 3},
    "wfg2": {"n_var": 10, "n_obj": 3},
    "wfg4": {"n_var": 10, "n_obj": 3},
    "wfg9": {"n_var": 10, "n_obj": 3},
    "mw1": {"n_var": 8},
    "mw2": {"n_var": 8},
    "mw3": {"n_var": 8},
    "mw4": {"n_var": 8},
    "mw8": {"n_var": 8},
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
        return np.asarray(self.function.pareto_front())

    def worst(self) -> np.ndarray:
        """The worst of each objective in a fixed sample, [objectives]: few evaluations end nearer to it than to the
        front."""
        sample = self.evaluate(self.drawn(np.random.default_rng(0), SAMPLE))
        return np.maximum(self.goals.values(sample).max(axis=0), self.front().max(axis=0))

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Designs [count, parameters], uniform; no two of a continuum are the same."""
        return self.space.drawn(random, count)


def function(name: str) -> Function:
    """One of the problems."""
    from pymoo.problems import get_problem

    given = get_problem(name, **PROBLEMS[name])
    ends = enumerate(zip(given.xl, given.xu, strict=True))
    space = Space(tuple(Interval(f"x{i}", float(low), float(high), False, "", False) for i, (low, high) in ends))
    goals = Goals({f"f{i}": "minimize" for i in range(given.n_obj)}, HEADROOMS[: given.n_ieq_constr])
    return Function(space, goals, given)
