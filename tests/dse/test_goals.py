"""Goals against plain loops: what is feasible, what is on the front, how much of the box it dominates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from small import GOALS

from dse.evaluation.goals import Goals

PAIR = Goals({"energy_per_token": "minimize", "cost_per_million_tokens": "minimize"}, ())
BEYOND = 1.1


def columns_of(goals: Goals, values: Any, headrooms: Any = (), legal: Any = None) -> dict[str, np.ndarray]:
    """Columns of designs with these objectives and headrooms, in the order of the goals."""
    values = np.asarray(values, dtype=float)
    columns = {f"metrics.{name}": values[:, i] for i, name in enumerate(goals.objectives)}
    columns |= {f"headroom.{name}": np.asarray(headrooms)[:, i] for i, name in enumerate(goals.constraints)}
    return columns | {"legal": np.ones(len(values), dtype=bool) if legal is None else np.asarray(legal)}


def random_columns(seed: int, count: int = 300) -> dict[str, np.ndarray]:
    """Designs on a coarse lattice, so that many are equal; some infeasible, illegal or without a number."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 7, (count, 3)).astype(float)
    values[random.random(values.shape) < 0.01] = np.nan
    values[random.random(values.shape) < 0.01] = np.inf
    headrooms = random.integers(-1, 6, (count, 3)).astype(float)
    return columns_of(GOALS, values, headrooms, random.random(count) > 0.1)


def feasible_by_hand(columns: dict[str, np.ndarray]) -> list[bool]:
    """Feasible, one design at a time."""
    answers = []
    for i, legal in enumerate(columns["legal"]):
        numbers = all(math.isfinite(columns[f"metrics.{name}"][i]) for name in GOALS.objectives)
        answers.append(bool(legal) and numbers and all(columns[f"headroom.{n}"][i] >= 0 for n in GOALS.constraints))
    return answers


def front_by_hand(columns: dict[str, np.ndarray]) -> list[int]:
    """The front, one pair at a time: of equal designs the first."""

    def beats(i: int, j: int) -> bool:
        pairs = [(columns[f"metrics.{n}"][i], columns[f"metrics.{n}"][j], s) for n, s in GOALS.objectives.items()]
        better = [a > b if sense == "maximize" else a < b for a, b, sense in pairs]
        as_good = all(good or a == b for good, (a, b, _) in zip(better, pairs, strict=True))
        return as_good and (any(better) or i < j)

    kept = [i for i, fits in enumerate(feasible_by_hand(columns)) if fits]
    return [i for i in kept if not any(beats(j, i) for j in kept)]


@pytest.mark.parametrize("seed", range(5))
def test_feasible_designs_are_those_that_keep_everything(seed: int) -> None:
    columns = random_columns(seed)
    expected = feasible_by_hand(columns)
    assert GOALS.feasible(columns).tolist() == expected
    assert 0 < sum(expected) < len(expected)


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_that_of_a_plain_loop(seed: int) -> None:
    columns = random_columns(seed)
    front = GOALS.front(columns)
    assert sorted(front) == front_by_hand(columns)
    first = columns[f"metrics.{next(iter(GOALS.objectives))}"][front]
    assert (np.diff(first) <= 0).all(), "the best in the first objective comes first"


def test_of_equal_points_the_first_is_on_the_front_and_knows_the_others() -> None:
    columns = columns_of(PAIR, [[2, 2], [1, 2], [2, 1], [1, 2], [1, 2]])
    assert sorted(PAIR.front(columns)) == [1, 2]
    assert PAIR.equals(columns, 1).tolist() == [3, 4]
    assert PAIR.equals(columns, 2).tolist() == []


def test_a_limit_that_is_just_kept_is_kept() -> None:
    columns = columns_of(GOALS, np.ones((3, 3)), [[0, 0, 0], [0, -1e-9, 0], [np.nan, 0, 0]])
    assert GOALS.feasible(columns).tolist() == [True, False, False]


def test_nothing_feasible_has_an_empty_front_and_no_volume() -> None:
    columns = columns_of(GOALS, np.ones((4, 3)), -np.ones((4, 3)))
    assert len(GOALS.front(columns)) == 0
    assert GOALS.hypervolume(columns) is None


def test_volume_of_two_corners_by_hand() -> None:
    """Scaled to the box, (0, 1) and (1, 0) dominate 1.1 x 0.1 each of 1.1 x 1.1, and share 0.1 x 0.1."""
    columns = columns_of(PAIR, [[3, 80], [5, 20]])
    expected = (2 * BEYOND * 0.1 - 0.01) / BEYOND**2
    assert PAIR.hypervolume(columns) == pytest.approx(expected, rel=1e-12)


def test_volume_of_a_point_that_beats_all_is_the_whole_box() -> None:
    assert PAIR.hypervolume(columns_of(PAIR, [[3, 20], [5, 80], [4, 30]])) == pytest.approx(1, rel=1e-12)
    assert PAIR.hypervolume(columns_of(PAIR, [[3, 20]])) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_volume_in_two_objectives_is_the_area_under_the_stairs(seed: int) -> None:
    values = np.random.default_rng(seed).random((40, 2)) * [3, 1e-9] + [1, 1e-6]
    scaled = (values - values.min(axis=0)) / np.ptp(values, axis=0)
    area, height = 0.0, BEYOND
    for x, y in sorted(map(tuple, scaled)):
        area += max(0.0, height - y) * (BEYOND - x)
        height = min(height, y)
    assert PAIR.hypervolume(columns_of(PAIR, values)) == pytest.approx(area / BEYOND**2, rel=1e-9)


def test_volume_does_not_know_units_or_senses() -> None:
    values = np.random.default_rng(1).random((40, 3))
    headrooms = np.zeros((40, 3))
    turned = Goals({"power": "minimize", **dict(list(GOALS.objectives.items())[1:])}, GOALS.constraints)
    one = GOALS.hypervolume(columns_of(GOALS, values, headrooms))
    other = turned.hypervolume(columns_of(turned, values * [-1e9, 1e-3, 7] + [1e12, 0, 0], headrooms))
    assert one == pytest.approx(other, rel=1e-9)


def test_shortfalls_are_above_zero_exactly_where_a_limit_is_missed() -> None:
    columns = random_columns(1)
    short = GOALS.shortfalls(columns)
    for i, name in enumerate(GOALS.constraints):
        assert ((short[:, i] > 0) == (columns[f"headroom.{name}"] < 0)).all()
    assert ((short[:, -1] > 0) == ~columns["legal"]).all()


def test_the_nearest_misses_by_the_least() -> None:
    columns = columns_of(GOALS, np.ones((4, 3)), [[-4e9, 1, 1], [-1e9, 1, 1], [-2e9, 1, 1], [-3e9, 1, 1]])
    assert GOALS.nearest(columns, most=3).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("goals", "constraints", "words"),
    [
        (
            {"energy_per_tokn": "minimize"},
            [],
            r"objectives\.goals: there is no 'energy_per_tokn'; .*'energy_per_token'",
        ),
        ({"energy_per_token": "least"}, [], r"objectives\.goals\.energy_per_token: 'least' .*maximize or minimize"),
        ({"energy_per_token": "minimize"}, ["memry"], r"objectives\.constraints: there is no 'memry'; .*'memory'"),
        ({}, ["memory"], r"objectives\.goals: nothing is wanted"),
        ({"energy_per_token": None}, [], r"objectives\.goals: nothing is wanted"),
        ({"energy_per_token": "minimize"}, "memory", r"objectives\.constraints: 'memory'"),
    ],
)
def test_wrong_goals_are_refused(goals: Any, constraints: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Goals.read({"goals": goals, "constraints": constraints})


def test_a_goal_of_null_is_left_out() -> None:
    found = Goals.read({"goals": {"power": None, "energy_per_token": "minimize"}, "constraints": ["heat"]})
    assert found == Goals({"energy_per_token": "minimize"}, ("heat",))
