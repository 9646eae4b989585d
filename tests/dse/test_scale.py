"""The same answers from two real workers of Dask as from one process, also where one of them is killed."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from plain_question import GOALS as PLAIN_GOALS
from plain_question import SIZE, Plain, asked, askers
from running import run_here
from small import BATCH, GOALS, SMALL, WRITTEN, same, small_problem

from dse.enumerate import Enumeration
from dse.problem import Problem
from dse.scale import Spread, each, joined
from dse.scale_dask import AHEAD, Cluster, DaskWorkers, environment
from dse.store import Trials

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
    """The same files with the same content, to the last bit and in the same order."""
    assert [part.name for part in one.parts()] == [part.name for part in other.parts()]
    assert np.array_equal(one.load()[0], other.load()[0])
    assert same(one.load()[1], other.load()[1])


def test_an_enumeration_on_two_workers_is_that_of_one_process(
    problem: Problem, workers: DaskWorkers, tmp_path: Path
) -> None:
    alone = enumerated(tmp_path / "alone", problem)
    equal(enumerated(tmp_path / "spread", Spread(problem, workers)), alone)
    assert len(alone.parts()) == -(-WRITTEN // CHUNK)


def test_a_batch_is_shared_and_answered_in_its_order(problem: Problem, workers: DaskWorkers) -> None:
    designs = problem.canonical(problem.space.designs(0, WRITTEN))[::-1]
    double = small_problem(batch=WORKERS * BATCH)
    spread = Spread(double, workers)
    assert same(spread.evaluate(designs), problem.evaluate(designs))
    assert spread.space == double.space
    assert list(spread.cautions) == list(problem.cautions), "found here, though others looked"
    assert spread.evaluate(designs[:0]) == {}


def double(question: Any, item: int) -> tuple[int, int]:
    time.sleep(0.02 * (item % 3))  # so that they are done in another order
    return 2 * item, os.getpid()


def test_results_come_in_order_with_few_ahead(workers: DaskWorkers) -> None:
    taken = itertools.count()
    answers = workers.each(None, double, (next(taken) for _ in range(40)))
    assert next(answers)[0] == 0
    assert next(taken) <= AHEAD * WORKERS + 1, "an endless enumeration must not be handed out at once"
    assert [number for number, _ in answers] == sorted(number for number, _ in workers.each(None, double, rest(taken)))


def fails(question: Any, item: int) -> int:
    if item == 3:
        raise ValueError("space: a value that only a worker meets")
    return item


def test_an_error_on_a_worker_is_told_in_its_words(workers: DaskWorkers) -> None:
    with pytest.raises(ValueError, match="space: a value that only a worker meets"):
        list(workers.each(None, fails, range(8)))
