"""Questions with known answers, and what random sampling makes of them; each once a session."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
from spaces import SEEDS, SPACES
from synthetic import BUDGET, Function, function
from tables import Table, kept_table
from yardstick import Yardstick


@pytest.fixture(scope="session")
def table() -> Callable[[str], Table]:
    """The table of one of the project's own spaces."""

    @functools.cache
    def of(name: str) -> Table:
        return kept_table(name, SPACES[name].overrides, SPACES[name].space)

    return of


@pytest.fixture(scope="session")
def question(table: Callable[[str], Table]) -> Callable[[str], tuple[Table | Function, Yardstick, int]]:
    """A question, the yardstick of its exact front, and how many designs a search gets."""

    @functools.cache
    def of(name: str) -> tuple[Table | Function, Yardstick, int]:
        if name not in SPACES:
            found = function(name)
            return found, Yardstick.of(found.goals, found.front(), found.worst()), BUDGET
        known = table(name)
        exact = known.goals.lower_is_better(known.columns)[known.goals.front(known.columns)]
        return known, Yardstick.of(known.goals, exact), SPACES[name].budget

    return of


@pytest.fixture(scope="session")
def by_chance(question: Callable[..., tuple[Table | Function, Yardstick, int]]) -> Callable[[str], np.ndarray]:
    """Shares of the exact hypervolume that designs drawn uniformly without replacement reach, [seeds]."""

    @functools.cache
    def of(name: str) -> np.ndarray:
        asked, yardstick, budget = question(name)
        draws = (asked.drawn(np.random.default_rng(seed), budget) for seed in range(SEEDS))
        return np.array([yardstick.hypervolume(asked.evaluate(designs)) for designs in draws])

    return of
