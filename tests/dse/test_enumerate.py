"""Enumeration against brute force over the same thirty thousand designs, whole and interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import DIFFERENT, GOALS, WRITTEN, beaten, counts, rows, same

import dse.search.enumerate
from dse.evaluation.goals import Goals
from dse.evaluation.mapping import Wanted
from dse.problem.problem import Problem
from dse.run.store import Trials
from dse.search.enumerate import Enumeration

MACHINE = ("hw=squadrack_fabrex", "model=llama3_8b", "serving=interactive")
SPACE = {
    "hw.chip.engine.cores": [128, 192, 256, 320, 384, 448, 512, 640],
    "hw.chip.engine.frequency": {"low": "0.8 GHz", "high": "1.5 GHz", "step": "0.1 GHz"},
    "hw.levels.package.fanout": [2, 4, 8],
    "hw.levels.server.fanout": [1, 2, 4, 8],
    "hw.levels.rack.fanout": [1, 2, 4, 8],
    "hw.levels.rack.link.latency": {"low": "100 ns", "high": "10 us", "count": 3, "log": True},
    "hw.levels.package.link.latency": {"low": "50 ns", "high": "400 ns", "count": 3, "log": True},
}
SIZE = 8 * 8 * 3 * 4 * 4 * 3 * 3
CHUNK = 8192
WANTED = Wanted("time_per_output_token", tensor=8, pipeline=8)


def search(keep: int, chunk: int = CHUNK, batch: int = 1024, most: int = 10**9) -> Enumeration:
    return Enumeration(chunk=chunk, batch=batch, keep=keep, most=most)


def enumerated(folder: Path, problem: Problem, given: Enumeration, goals: Goals = GOALS) -> Trials:
    trials = Trials(folder, [parameter.key for parameter in problem.space.parameters])
    given.run(problem, goals, trials, seed=1)
    return trials


@pytest.fixture(scope="module")
def large() -> Problem:
    return Problem(MACHINE, SPACE, WANTED, 1024)


@pytest.fixture(scope="module")
def whole(large: Problem, tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """All designs, kept."""
    return enumerated(tmp_path_factory.mktemp("whole"), large, search(keep=SIZE))


@pytest.fixture(scope="module")
def brute() -> dict[str, np.ndarray]:
    """The same designs listed by numpy alone and evaluated in batches of another size, last to first."""
    problem = Problem(MACHINE, SPACE, WANTED, 4096)
    sizes = [parameter.size for parameter in problem.space.parameters]
    listed = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, len(sizes))
    columns = problem.evaluate(listed[::-1].astype(float))
    return {name: values[::-1] for name, values in columns.items()} | {"designs": listed}


def brute_front(columns: dict[str, np.ndarray]) -> list[int]:
    """Row numbers of the feasible designs that no other beats, the first of equal ones, by comparing each with all that
    were not beaten before it, and these with each other."""
    limits = [columns[f"headroom.{name}"] >= 0 for name in GOALS.constraints]
    feasible = np.flatnonzero(np.logical_and.reduce([columns["legal"] == 1, *limits]))
    signs = {"maximize": -1.0, "minimize": 1.0}
    points = np.stack([signs[s] * columns[f"metrics.{n}"][feasible] for n, s in GOALS.objectives.items()], axis=1)
    order = np.argsort(points.sum(axis=1), kind="stable")  # what beats a point mostly has a smaller sum: few rivals
    rivals = np.empty((0, points.shape[1]))
    numbers: list[int] = []
    for i in order:
        if not (rivals <= points[i]).all(axis=1).any():
            rivals = np.vstack([rivals, points[i]])
            numbers.append(int(feasible[i]))
    return sorted(np.array(numbers)[~beaten(rivals, rivals)])


def test_every_design_is_evaluated_once(whole: Trials, brute: dict[str, np.ndarray]) -> None:
    designs, columns = whole.load()
    assert len(designs) == SIZE > 2e4
    order, listed = np.lexsort(designs.T[::-1]), np.lexsort(brute["designs"].T[::-1])
    assert np.array_equal(designs[order], brute["designs"][listed])
    assert whole.totals()[0] == SIZE
    assert set(columns) | {"designs"} == set(brute)
    for name, values in columns.items():
        np.testing.assert_allclose(values[order], brute[name][listed], rtol=2e-6, atol=1e-9, err_msg=name)


def test_the_front_is_that_of_brute_force(whole: Trials, brute: dict[str, np.ndarray]) -> None:
    designs, columns = whole.load()
    front, expected = GOALS.front(columns), brute_front(brute)
    assert set(rows(designs[front])) == set(rows(brute["designs"][expected].astype(float)))
    assert len(front) > 10
    assert 0 < GOALS.feasible(columns).sum() < SIZE


def test_a_space_too_large_to_keep_has_the_same_front(large: Problem, whole: Trials, tmp_path: Path) -> None:
    designs, columns = whole.load()
    few, kept = enumerated(tmp_path, large, search(keep=1000)).load()
    assert len(few) < SIZE / 20
    one, other = GOALS.front(columns), GOALS.front(kept)
    assert len(one) > 10
    assert rows(designs[one]) == rows(few[other])
    assert same({k: v[one] for k, v in columns.items()}, {k: v[other] for k, v in kept.items()})


@pytest.mark.parametrize("left", [0, 1, 5])
def test_an_interrupted_enumeration_goes_on_where_it_was(
    large: Problem, whole: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    begun = Trials(tmp_path, whole.keys)
    for part in whole.parts()[:left]:
        shutil.copy(part, begun.folder / part.name)
    taken, done = dse.search.enumerate.chunk, []

    def counted(*given: Any, **named: Any) -> Any:
        kept = taken(*given, **named)
        done.append(kept.evaluated)
        return kept

    monkeypatch.setattr(dse.search.enumerate, "chunk", counted)
    before = begun.totals()[0]
    resumed = enumerated(tmp_path, large, search(keep=SIZE))
    assert sum(done) == SIZE - before
    assert (before > 0) == (left > 0)
    assert counts(resumed) == counts(whole)
    assert np.array_equal(resumed.load()[0], whole.load()[0])
    assert same(resumed.load()[1], whole.load()[1])


@pytest.mark.parametrize("chunk", [pytest.param(1, marks=pytest.mark.slow), 7, 100])
@pytest.mark.parametrize("keep", [1, WRITTEN])
def test_designs_that_are_the_same_machine_are_evaluated_once(
    problem: Problem, tmp_path: Path, chunk: int, keep: int
) -> None:
    designs, columns = enumerated(tmp_path, problem, search(keep, chunk, batch=8)).load()
    assert len(set(rows(designs))) == len(designs)
    if keep == WRITTEN:
        assert len(designs) == DIFFERENT
    everything = problem.space.designs(0, WRITTEN)
    expected = everything[GOALS.front(problem.evaluate(everything))]
    assert set(rows(designs[GOALS.front(columns)])) == set(rows(problem.canonical(expected)))


def test_a_space_of_one_machine_is_one_design(tmp_path: Path) -> None:
    problem = Problem(("hw=corsair_card", "model=llama3_8b", "serving=interactive"), {}, Wanted("power", tensor=8), 1)
    designs, _ = enumerated(tmp_path, problem, search(keep=10, batch=1)).load()
    assert designs.shape == (1, 0)


def test_a_larger_space_than_wanted_is_refused(problem: Problem, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"search=enumerate: 36 designs are more than search\.most=35"):
        enumerated(tmp_path, problem, search(keep=10, most=35))


def test_an_interval_cannot_be_enumerated(tmp_path: Path) -> None:
    space = {"hw.chip.engine.frequency": {"low": "1 GHz", "high": "2 GHz"}}
    with pytest.raises(ValueError, match=r"search=enumerate: hw\.chip\.\S+: an interval .*search=optuna"):
        enumerated(tmp_path, Problem(MACHINE, space, WANTED, 8), search(keep=10))


@pytest.mark.parametrize(("name", "value"), [("chunk", 0), ("chunk", -1), ("batch", 0)])
def test_counts_below_one_are_refused(name: str, value: int) -> None:
    given = {"chunk": 8, "batch": 8, "keep": 8, "most": 8} | {name: value}
    with pytest.raises(ValueError, match=f"search.{name}: {value} must be at least"):
        Enumeration(**given)
