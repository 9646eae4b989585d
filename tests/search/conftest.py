"""Questions with known answers, and what random sampling makes of them; each once a session."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
from spaces import COST, SEEDS, SPACES
from synthetic import BUDGET, PROBLEMS, Function, function
from tables import Table, kept_table
from yardstick import Yardstick


@pytest.fixture(scope="session")
def table() -> Callable[[str], Table]:
    """The table of one of the project's own spaces."""

    @functools.cache
    def of(name: str) -> Table:
        return kept_table(name, SPACES[name])

    return of


@pytest.fixture(scope="session")
def question(table: Callable[[str], Table]) -> Callable[[str], tuple[Table | Function, Yardstick, int]]:
    """A question, the yardstick of its exact front, and how many designs a search gets."""

    @functools.cache
    def of(name: str) -> tuple[Table | Function, Yardstick, int]:
        if name in PROBLEMS:
            found = function(name)
            return found, Yardstick.of(found.goals, found.front(), found.worst()), BUDGET
        space = name.removesuffix("-cost")
        known = table(space) if name == space else table(space).wanting(COST)
        feasible = known.goals.feasible(known.columns)
        worst = None if name == space else np.median(known.goals.lower_is_better(known.columns)[feasible], axis=0)
        exact = known.goals.lower_is_better(known.columns)[known.goals.front(known.columns)]
        return known, Yardstick.of(known.goals, exact, worst), SPACES[space].budget

    return of


@pytest.fixture(scope="session")
def by_chance(question: Callable[..., tuple[Table | Function, Yardstick, int]]) -> Callable[[str, int], np.ndarray]:
    """Shares of the exact hypervolume that designs drawn uniformly without replacement reach, [seeds]."""

    @functools.cache
    def of(name: str, budget: int) -> np.ndarray:
        asked, yardstick, _ = question(name)
        draws = (asked.drawn(np.random.default_rng(seed), budget) for seed in range(SEEDS))
        return np.array([yardstick.hypervolume(asked.evaluate(designs)) for designs in draws])

    return of
