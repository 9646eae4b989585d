"""What opens an empty space, against brute force: give each set of constraints more and see what becomes feasible."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from dse.evaluation.goals import Goals, typical
from dse.problem.opening import Opening, opening_rows

LIMITS = ("memory", "power", "heat", "latency")
GOALS = Goals({"power": "minimize"}, LIMITS)


def table(seed: int, count: int, missed: float = 0.6) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Random answers in which each limit is missed by so many, in whole typical sizes so that there are ties."""
    random = np.random.default_rng(seed)
    columns = {"metrics.power": random.random(count), "legal": random.random(count) > 0.1}
    for name in LIMITS:
        size = random.integers(1, 6, count) * typical(name)
        columns[f"headroom.{name}"] = np.where(random.random(count) < missed, -size, size)
    return columns, random.permutation(count)[:, None].astype(float)


def opened(columns: dict[str, np.ndarray], given: dict[str, float]) -> np.ndarray:
    """Rows that are feasible once these headrooms have so much more."""
    more = {f"headroom.{name}": columns[f"headroom.{name}"] + amount for name, amount in given.items()}
    return np.flatnonzero(GOALS.feasible(columns | more))


def fold(columns: dict[str, np.ndarray], designs: np.ndarray, cuts: list[int]) -> Opening:
    found = Opening(GOALS)
    for part in np.split(np.arange(len(designs)), cuts):
        found.add({name: values[part] for name, values in columns.items()}, designs[part])
    return found


@pytest.mark.parametrize("seed", range(6))
def test_what_is_given_is_the_least_that_opens(seed: int) -> None:
    """A limit that opens by itself does so with its least, and with a little less does not; the others stay shut."""
    columns, designs = table(seed, 60, missed=0.75)
    if len(GOALS.feasible(columns).nonzero()[0]):
        columns["headroom.heat"][GOALS.feasible(columns)] = -10.0
    found = fold(columns, designs, [])
    least = {key[0]: one for key, one in found.best.items() if len(key) == 1}
    for name in LIMITS:
        if name not in least:
            assert not len(opened(columns, {name: 1e12}))
            continue
        amount = least[name].amounts[name]
        rows = opened(columns, {name: amount})
        assert least[name].design in {tuple(designs[row]) for row in rows}
        assert not len(opened(columns, {name: amount * (1 - 1e-9)}))
    sizes = [one.size for one in found.least()]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("seed", range(6))
def test_where_none_opens_by_itself_the_least_combination_does(seed: int) -> None:
    columns, designs = table(seed, 40)
    short = GOALS.shortfalls(columns)[:, :-1] > 0
    columns["legal"] &= short.sum(axis=1) > 1
    (least,) = fold(columns, designs, []).least()
    assert len(least.amounts) > 1
    assert least.design in {tuple(designs[row]) for row in opened(columns, least.amounts)}
    sizes = [
        np.maximum(GOALS.shortfalls(columns)[row, :-1], 0).sum()
        for some in itertools.combinations(LIMITS, len(least.amounts))
        for row in opened(columns, dict.fromkeys(some, 1e12))
    ]
    assert least.size == pytest.approx(min(sizes))


@pytest.mark.parametrize("seed", range(4))
def test_chunks_in_any_order_tell_the_same(seed: int) -> None:
    columns, designs = table(seed, 200)
    one = fold(columns, designs, [])
    turned = np.random.default_rng(seed).permutation(200)
    halves = [fold({k: v[part] for k, v in columns.items()}, designs[part], [7, 50]) for part in np.split(turned, [90])]
    halves[1].merge(halves[0])
    assert halves[1].best == one.best
    assert (halves[1].feasible, halves[1].illegal) == (one.feasible, one.illegal)


def test_what_a_search_keeps_of_a_chunk_tells_the_same() -> None:
    columns, designs = table(1, 500)
    kept = []
    for first in range(0, 500, 50):
        part = slice(first, first + 50)
        kept += [first + row for row in opening_rows(GOALS, {k: v[part] for k, v in columns.items()}, designs[part])]
    found = fold({name: values[kept] for name, values in columns.items()}, designs[kept], [])
    assert found.best == fold(columns, designs, []).best


def test_a_space_that_is_open_asks_for_nothing() -> None:
    columns, designs = table(1, 200, missed=0.3)
    found = fold(columns, designs, [])
    assert found.feasible == GOALS.feasible(columns).sum() > 0
    assert found.least() == []


def test_what_has_no_mapping_or_is_no_number_opens_nothing() -> None:
    columns, designs = table(1, 10)
    columns["legal"][:5], columns["headroom.memory"][5:] = False, np.nan
    found = fold(columns, designs, [])
    assert found.least() == []
    assert found.illegal == 5


def test_a_million_designs_take_a_moment() -> None:
    """A streamed enumeration evaluates some hundred thousand a second: the fold is to take a small part of that."""
    columns, designs = table(1, 1_000_000)
    start = time.perf_counter()
    fold(columns, designs, [1 << 18, 1 << 19])
    assert time.perf_counter() - start < 10
