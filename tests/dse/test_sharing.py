"""Two processes on one study in a real PostgreSQL: no design twice, the front of one process, a kill survived."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from plain_question import FEW, GOALS, Plain, asked, askers
from running import run_here
from sharing_worker import BATCH, KEYS, searched
from small import SMALL, rows, same

from dse.run.passwords import without_passwords
from dse.run.store import Trials
from dse.search.storage import connected

pytest.importorskip("psycopg", reason="needs a driver: pip install 'inferscape[scale]'")
FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
BIN = FOUND[-1].parent if FOUND else Path(shutil.which("initdb") or "/absent/initdb").parent
DIFFERENT = int(FEW.size)
ALL = FEW.designs(0, DIFFERENT)


def as_user(*words: str | Path) -> None:
    """Run a program of PostgreSQL, which refuses to be root."""
    user = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    subprocess.run([*user, *words], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=60)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL of its own, on a socket in a folder of its own."""
    if not (BIN / "initdb").exists():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if os.geteuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip("PostgreSQL refuses to be root, and there is no user postgres")
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        data = Path(folder) / "data"
        as_user(BIN / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        as_user(BIN / "pg_ctl", "-D", data, "-o", options, "-l", Path(folder) / "log", "-w", "start")
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            as_user(BIN / "pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture
def database(server: str) -> str:
    """An empty database."""
    import psycopg

    host = server.split("host=")[1]
    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as connection:
        name = f"study_{time.monotonic_ns()}"
        connection.execute(f"create database {name}".encode())
    return server.replace("/postgres?", f"/{name}?")


PROXY = """\
import sys
from optuna.storages import get_storage, run_grpc_proxy_server
run_grpc_proxy_server(get_storage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


@pytest.fixture
def proxy(database: str) -> Iterator[str]:
    """Optuna's proxy before the database."""
    pytest.importorskip("grpc")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen([sys.executable, "-c", PROXY, database, str(port)], stderr=subprocess.DEVNULL)
    yield f"grpc://127.0.0.1:{port}"
    running.kill()
    running.wait(10)


def begin(url: str, folder: Path, trials: int, pause: float = 0.0, patience: float = 30.0) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    command = [sys.executable, str(Path(__file__).parent / "sharing_worker.py"), url, str(folder)]
    return subprocess.Popen(
        [*command, str(trials), str(pause), str(patience)],
        env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def both(url: str, folder: Path, trials: int) -> list[Trials]:
    """Two workers from beginning to end; what each has on disk."""
    running = [begin(url, folder / name, trials, pause=0.3) for name in ("one", "other")]
    for worker in running:
        _, told = worker.communicate(timeout=200)
        assert worker.returncode == 0, told
    return [Trials(folder / name, KEYS) for name in ("one", "other")]


@pytest.mark.parametrize("way", ["database", pytest.param("proxy", marks=pytest.mark.slow)])
def test_two_workers_share_a_space_and_find_its_front(way: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    kept = both(request.getfixturevalue(way), tmp_path, trials=1000)
    log = asked(tmp_path / "log")
    assert len(askers(tmp_path / "log")) == 2, "both had a part in it"
    assert len(log) == len(set(log)) == DIFFERENT, "no design was evaluated twice"
    answers = Plain().evaluate(ALL)
    front = ALL[GOALS.front(answers)]
    for trials in kept:
        designs, columns = trials.load()
        assert set(rows(designs)) == set(rows(ALL))
        assert same(columns, Plain().evaluate(designs)), "also those of the other worker, to the last bit"
        assert set(rows(designs[GOALS.front(columns)])) == set(rows(front))
        assert trials.totals() == (DIFFERENT, int(GOALS.feasible(answers).sum()))


@pytest.mark.slow
def test_the_budget_is_that_of_the_study(database: str, tmp_path: Path) -> None:
    kept = both(database, tmp_path, trials=18)
    assert len(asked(tmp_path / "log")) == len(set(asked(tmp_path / "log"))) == 18
    assert [len(trials.load()[0]) for trials in kept] == [18, 18]


def test_a_killed_worker_costs_its_batch_and_can_go_on(database: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    victim = begin(database, tmp_path / "victim", 1000, pause=0.5)
    deadline = time.monotonic() + 100
    while not (log.exists() and len(asked(log)) > BATCH) and time.monotonic() < deadline:
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait(10)
    before = asked(log)
    assert BATCH < len(before) < DIFFERENT, "killed in the middle"
    survivor = searched(database, tmp_path / "survivor", 1000, pause=0.0, patience=3.0)
    assert set(rows(survivor.load()[0])) == set(rows(ALL))
    assert set(asked(log)) == {str(tuple(map(int, design))) for design in ALL}
    assert len(asked(log)) - DIFFERENT <= BATCH, "the batch under way"
    count = len(asked(log))
    resumed = searched(database, tmp_path / "victim", 1000, pause=0.0, patience=3.0)
    assert set(rows(resumed.load()[0])) == set(rows(ALL))
    assert len(asked(log)) == count, "nothing is left to evaluate"


def test_a_database_that_goes_away_leaves_what_was_done(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    append, name, host = Trials.append, database.split("/")[3].split("?")[0], database.split("host=")[1]

    def drop_at_the_second(self: Trials, *given: Any) -> None:
        append(self, *given)
        if len(self.parts()) == 2:
            with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as connection:
                connection.execute(f"drop database {name} with (force)".encode())

    monkeypatch.setattr(Trials, "append", drop_at_the_second)
    with pytest.raises(ConnectionError, match=r"search\.storage: .* is gone .*what was evaluated is kept"):
        searched(database, tmp_path / "one", 1000, pause=0.0, patience=30.0)
    assert len(Trials(tmp_path / "one", KEYS).load()[0]) == 2 * BATCH


@pytest.mark.slow
def test_the_command_line_joins_a_study_and_writes_no_password(database: str, own: Path, tmp_path: Path) -> None:
    url = database.replace("postgres@", "postgres:hidden@")
    words = ("--config-dir", str(own), *SMALL, f"search.storage='{url}'", "search.study=small", "search.trials=16")
    for name in ("one", "other"):
        done = run_here(tmp_path, *words, f"hydra.run.dir={name}")
        assert done.code == 0, done.err
        assert json.loads((tmp_path / name / "study.json").read_text())["counts"]["evaluated"] == 16
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"hidden@" in content for content in written)
    fronts = [pd.read_csv(tmp_path / name / "front.csv", usecols=lambda c: c != "command") for name in ("one", "other")]
    assert len(fronts[0]) > 1
    pd.testing.assert_frame_equal(fronts[0], fronts[1])


def test_another_question_is_not_mixed_in(database: str, tmp_path: Path) -> None:
    from dse.evaluation.goals import Goals
    from dse.search.optimise import OptunaSearch

    searched(database, tmp_path / "one", 3, 0.0, 3.0)
    sampler = {"_target_": "optuna.samplers.RandomSampler"}
    search = OptunaSearch(8, 4, sampler, storage=database, study="plain")
    with pytest.raises(ValueError, match=r"search\.study: 'plain' holds trials of another machine"):
        search.run(Plain(space=FEW), Goals({"power": "minimize"}, ()), Trials(tmp_path / "other", KEYS), seed=1)


def test_one_folder_is_one_worker(tmp_path: Path) -> None:
    from dse.search.optimise_shared import alone_in

    with alone_in(tmp_path), pytest.raises(ValueError, match="another process writes into"):
        alone_in(tmp_path)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "postgresql+psycopg://me:hidden@127.0.0.1:1/none",
            r"no database answers at .*//me:\*\*\*@127\.",
        ),
        ("grpc://127.0.0.1:1", "no proxy answers at grpc://127.0.0.1:1 within 8 s"),
    ],
)
def test_a_storage_that_is_not_there_is_said_in_seconds(url: str, words: str, tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=words) as error:
        connected(url)
    assert time.monotonic() - start < 20
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize("url", ["postgre://x/y", "grpc://nowhere", "nothing"])
def test_an_address_of_nothing_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"search\.storage: "):
        connected(url)


def test_passwords_are_not_written_down() -> None:
    given = {"search": {"storage": "postgresql+psycopg://me:secret@host:5432/x"}, "more": ["a=grpc://host:1", 3.0]}
    assert without_passwords(given) == {
        "search": {"storage": "postgresql+psycopg://me:***@host:5432/x"},
        "more": ["a=grpc://host:1", 3.0],
    }


def test_answers_survive_the_storage_to_the_last_bit() -> None:
    numbers = np.array([1 / 3, np.nextafter(1, 2), 1e-310, np.inf, np.nan])
    assert np.array_equal(np.array(json.loads(json.dumps(numbers.tolist()))), numbers, equal_nan=True)
