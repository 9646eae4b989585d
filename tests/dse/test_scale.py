"""The same answers from two real workers of Dask as from one process, also where one of them is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from plain_question import GOALS as PLAIN_GOALS
from plain_question import SIZE, Plain, asked, askers
from running import free_port, run_here
from small import BATCH, GOALS, SMALL, WRITTEN, counts, same, small_problem

from dse.problem.problem import Problem
from dse.run.store import Trials
from dse.search.enumerate import Enumeration
from dse.search.optimise import OptunaSearch
from dse.search.scale import Recipe, Spread, each, joined
from dse.search.scale_dask import AHEAD, Cluster, DaskWorkers, result_of

pytest.importorskip("distributed", reason="needs Dask: pip install 'inferscape[scale]'")
WORKERS = 2
CHUNK = 8


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A real scheduler with two worker processes."""
    with Cluster(workers=WORKERS).client() as client:
        client.wait_for_workers(WORKERS)
        yield client


@pytest.fixture(scope="module")
def workers(client: Any) -> DaskWorkers:
    return DaskWorkers(client, WORKERS)


def enumerated(folder: Path, question: Any, goals: Any = GOALS, chunk: int = CHUNK) -> Trials:
    trials = Trials(folder, [parameter.key for parameter in question.space.parameters])
    Enumeration(chunk=chunk, batch=BATCH, keep=10**6, most=10**6).run(question, goals, trials, seed=1)
    return trials


def equal(one: Trials, other: Trials) -> None:
    """The same batches with the same content, to the last bit and in the same order."""
    assert counts(one) == counts(other)
    assert np.array_equal(one.load()[0], other.load()[0])
    assert same(one.load()[1], other.load()[1])


@pytest.mark.slow
def test_an_enumeration_on_two_workers_is_that_of_one_process(
    problem: Problem, workers: DaskWorkers, tmp_path: Path
) -> None:
    alone = enumerated(tmp_path / "alone", problem)
    equal(enumerated(tmp_path / "spread", Spread(problem, workers)), alone)
    assert len(alone.parts()) == 1 + 3, "6 designs of one structure, 18 of the other, 8 at most in a chunk"


@pytest.mark.slow
def test_a_batch_is_shared_and_answered_in_its_order(problem: Problem, workers: DaskWorkers) -> None:
    designs = problem.canonical(problem.space.designs(0, WRITTEN))[::-1]
    double = small_problem(batch=WORKERS * BATCH)
    spread = Spread(double, workers)
    assert same(spread.evaluate(designs), problem.evaluate(designs))
    assert spread.space == double.space
    assert list(spread.cautions) == list(problem.cautions), "found here, though others looked"
    assert spread.evaluate(designs[:0]) == {}


def test_a_sampler_whose_batches_are_shared_meets_the_same_designs(workers: DaskWorkers, tmp_path: Path) -> None:
    sampler = {"_target_": "optuna.samplers.NSGAIISampler", "population_size": 8}
    log = tmp_path / "log"
    kept = []
    for name, question in {"alone": Plain(), "spread": Spread(Plain(log, pause=0.05), workers)}.items():
        kept.append(Trials(tmp_path / name, [parameter.key for parameter in question.space.parameters]))
        OptunaSearch(trials=48, batch=16, sampler=sampler).run(question, PLAIN_GOALS, kept[-1], seed=2)
    equal(*kept)
    assert len(askers(log)) == WORKERS


def doubled(question: Any, item: int) -> int:
    time.sleep(0.02 * (-item % 3))  # so that they are done in another order
    return 2 * item


def test_results_come_in_order_with_few_ahead(workers: DaskWorkers) -> None:
    taken = itertools.count()
    answers = workers.each(None, doubled, iter(lambda: next(taken), 41))
    assert next(answers) == 0
    handed = next(taken)  # which is one more that is not handed out
    assert handed <= AHEAD * WORKERS, "an endless enumeration must not be handed out at once"
    assert list(answers) == [2 * item for item in range(1, 41) if item != handed]


def fails(question: Any, item: int) -> int:
    if item == 3:
        raise ValueError("space: a value that only a worker meets")
    return item


def test_an_error_on_a_worker_is_told_in_its_words(workers: DaskWorkers) -> None:
    with pytest.raises(ValueError, match="space: a value that only a worker meets"):
        list(workers.each(None, fails, range(8)))


class Killer(threading.Thread):
    """Kills a process that has been asked, once both have been asked something."""

    def __init__(self, log: Path) -> None:
        super().__init__(daemon=True)
        self.log, self.killed = log, 0

    def run(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not self.killed:
            time.sleep(0.05)
            if self.log.exists() and len(askers(self.log)) == WORKERS and len(asked(self.log)) > 6 * CHUNK:
                self.killed = int(self.log.read_text().splitlines()[-1].split()[0])
                os.kill(self.killed, signal.SIGKILL)


def test_a_killed_worker_costs_its_chunk(workers: DaskWorkers, tmp_path: Path) -> None:
    log = tmp_path / "log"
    killer = Killer(log)
    killer.start()
    trials = enumerated(tmp_path / "spread", Spread(Plain(log, pause=0.15), workers), PLAIN_GOALS)
    assert killer.killed in askers(log)
    equal(trials, enumerated(tmp_path / "alone", Plain(), PLAIN_GOALS))
    assert SIZE <= len(asked(log)) <= SIZE + 2 * CHUNK, "the chunk under way, and one whose answer was on its way"


@contextlib.contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of Dask, with these tests' modules within reach."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    command = [sys.executable, "-m", *words]
    running = subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield running
    finally:
        running.terminate()
        running.wait(30)


def test_a_scheduler_that_goes_away_leaves_what_was_done(tmp_path: Path) -> None:
    address, question = f"tcp://127.0.0.1:{free_port()}", Plain(tmp_path / "log", pause=0.1)
    host = ("--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1], "--no-dashboard")
    with (
        started("distributed.cli.dask_scheduler", *host) as scheduler,
        started("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"),
        Cluster(address=address, patience=60).spread(question) as spread,
    ):
        trials = Trials(tmp_path / "gone", [p.key for p in question.space.parameters])
        append = trials.append

        def kill_at_the_third(*given: Any) -> None:
            append(*given)
            if len(trials.parts()) == 3:
                scheduler.kill()

        trials.append = kill_at_the_third
        with pytest.raises(ConnectionError, match="the scheduler is gone"):
            Enumeration(CHUNK, CHUNK, 10**6, 10**6).run(spread, PLAIN_GOALS, trials, seed=1)
    left = len(trials.parts())
    assert 3 <= left < SIZE / CHUNK
    resumed = enumerated(tmp_path / "gone", Plain(), PLAIN_GOALS)
    equal(resumed, enumerated(tmp_path / "alone", Plain(), PLAIN_GOALS))


def test_a_scheduler_that_is_not_there_is_said_in_seconds(own: Path, tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    words = ("--config-dir", str(own), *SMALL, "scale=dask", f"scale.address={address}", "scale.patience=1")
    done = run_here(tmp_path, *words, "hydra.run.dir=study")
    assert done.code == 1
    assert f"scale.address: no scheduler answers at '{address}' within 1 s" in done.err
    assert "BUG" not in done.err
    assert not (tmp_path / "study" / "search.json").exists()


def test_a_scheduler_without_workers_is_said() -> None:
    import distributed

    settings = {"n_workers": 0, "processes": False, "dashboard_address": None}
    nobody = pytest.raises(ConnectionError, match="has had no worker for")
    with (
        distributed.LocalCluster(**settings) as empty,
        nobody,
        Cluster(address=empty.scheduler_address, patience=0.5).spread(Plain()),
    ):
        pass


def test_a_chunk_that_stops_worker_after_worker_is_said() -> None:
    from distributed import KilledWorker

    class Lost:
        def result(self) -> None:
            raise KilledWorker("answer-1", None, 3)  # type: ignore[arg-type]

    with pytest.raises(ConnectionError, match=r"4 workers stopped one after the other at the same chunk.*memory"):
        result_of(Lost())


def test_a_worker_of_another_version_is_refused(problem: Problem) -> None:
    recipe = dataclasses.replace(Recipe.of(problem), version="another")
    with pytest.raises(ValueError, match=r"scale: a worker .* has another version"), recipe.open():
        pass


@pytest.mark.slow
def test_the_command_line_finds_the_same_with_workers(own: Path, tmp_path: Path) -> None:
    words = ("--config-dir", str(own), *SMALL, "search=enumerate", f"search.chunk={CHUNK}")
    for name, more in {"alone": (), "spread": ("scale=dask",)}.items():
        done = run_here(tmp_path, *words, *more, f"hydra.run.dir={name}")
        assert done.code == 0, done.err
    one, other = (pd.read_parquet(tmp_path / name / "trials.parquet") for name in ("alone", "spread"))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    studies = [json.loads((tmp_path / name / "study.json").read_text()) for name in ("alone", "spread")]
    for part in ("front", "counts", "hypervolume", "finding"):
        assert studies[0][part] == studies[1][part]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"workers": 0}, "scale.workers: 0"),
        ({"threads": "many"}, "scale.threads: 'many'"),
        ({"patience": -1}, "scale.patience: -1"),
        ({"memory": "much"}, "scale.memory: 'much' is no amount"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words), Cluster(**given).client():
        pass


def test_shares_are_joined_with_what_only_some_have() -> None:
    found = joined([{"a": np.array([1.0])}, {"a": np.array([2.0, 3.0]), "b": np.array([4.0, 5.0])}])
    assert found["a"].tolist() == [1, 2, 3]
    assert np.array_equal(found["b"], [np.nan, 4, 5], equal_nan=True)


def test_without_workers_items_are_answered_here() -> None:
    assert list(each(Plain(), lambda question, item: (type(question), item), [1])) == [(Plain, 1)]
