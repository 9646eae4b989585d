"""Each search that learns stands above uniform random sampling without replacement on the same budget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from methods import ASKED, METHODS, given, method
from spaces import SEEDS
from yardstick import above

from dse.run.store import Trials

CONF = Path(__file__).resolve().parent.parent.parent / "conf"
LARGE, ENOUGH, TARGET = "fine", 5000, 0.995


def answers(search: Any, asked: Any, folder: Path, seed: int) -> dict[str, np.ndarray]:
    """What a search finds out about a question."""
    trials = Trials(folder / str(seed), [parameter.key for parameter in asked.space.parameters])
    search.run(asked, asked.goals, trials, seed)
    return trials.load()[1]


def runs() -> list[Any]:
    """Methods and questions; those that take the night are marked so."""
    marks = {name: pytest.mark.slow if of.long else pytest.mark.search for name, of in METHODS.items()}
    return [pytest.param(chosen, name, marks=marks[chosen]) for chosen, name in ASKED]


@pytest.mark.parametrize(("chosen", "name"), runs())
def test_a_search_that_learns_is_above_random(
    chosen: str, name: str, question: Callable[..., Any], by_chance: Callable[..., Any], tmp_path: Path
) -> None:
    asked, yardstick, budget = question(name)
    budget = given(chosen, budget)
    search = method(chosen, budget)
    found = np.array([yardstick.hypervolume(answers(search, asked, tmp_path, seed)) for seed in range(SEEDS)])
    drawn = by_chance(name, budget)
    higher, chance = above(found, drawn)
    words = (
        f"{chosen} on {name}, {budget}: median {np.median(found):.3f}, random {np.median(drawn):.3f}, p {chance:.0e}"
    )
    print(words)
    assert higher, words


@pytest.mark.search
def test_evolution_nearly_has_the_front_of_a_million_designs(question: Callable[..., Any], tmp_path: Path) -> None:
    asked, yardstick, _ = question(LARGE)
    assert len(asked.designs) > 1e6
    search = method("evolve", ENOUGH)
    found = [yardstick.hypervolume(answers(search, asked, tmp_path, seed)) for seed in range(SEEDS)]
    print(f"median {np.median(found):.5f}, least {min(found):.5f}")
    assert np.median(found) >= TARGET


def test_no_method_is_left_out() -> None:
    """Each configuration of a search is asked about something, or it learns nothing."""
    searches = {path.stem for path in (CONF / "search").glob("*.yaml")} - {"optuna", "enumerate"}
    samplers = {path.stem for path in (CONF / "search" / "sampler").glob("*.yaml")} - {"random", "qmc"}
    assert searches | samplers == set(METHODS)
