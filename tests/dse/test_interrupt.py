"""A search that is stopped or killed goes on, and ends as if nothing had happened."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from running import COMMAND, run_here, run_process
from small import SMALL

TRIALS = 200
SPACE = """\
hw/chip/memory: [sram_lpddr5, stack_lpddr5x]
hw.chip.engine.cores: {low: 64, high: 640}
hw.chip.engine.frequency: {low: 0.6 GHz, high: 1.4 GHz, log: true}
hw.chip.memory.stack.layers: [1, 2, 4]
"""
LIMITS = "objectives.constraints=[memory,power,heat]"
WORDS = (*SMALL, "space=wide", f"search.trials={TRIALS}", "search.sampler.population_size=16", "seed=5", LIMITS)


@pytest.fixture(scope="module")
def wide(own: Path) -> tuple[str, ...]:
    """The small question over intervals, so that 25 batches are under way for a while."""
    (own / "space" / "wide.yaml").write_text(SPACE)
    return ("--config-dir", str(own), *WORDS)


@pytest.fixture(scope="module")
def uninterrupted(wide: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = run_here(folder, *wide, "hydra.run.dir=study")
    assert done.code == 0, done.err
    return folder / "study"


def parts(folder: Path) -> int:
    return len(list((folder / "study" / "trials").glob("*.parquet")))


def stop(folder: Path, words: tuple[str, ...], how: signal.Signals) -> tuple[int, str]:
    """Start the search, send it a signal once its second batch is on disk; its exit code and what it said."""
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may inherit it ignored
    try:
        began = subprocess.Popen(
            [*COMMAND, *words, "hydra.run.dir=study"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, heeded)
    deadline = time.monotonic() + 120
    while parts(folder) < 2 and began.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    began.send_signal(how)
    told, _ = began.communicate(timeout=60)
    return began.returncode, told


def same_result(folder: Path, other: Path) -> None:
    """Trials equal to the last bit and in their order, fronts equal to the letter."""
    ours, theirs = pd.read_parquet(folder / "trials.parquet"), pd.read_parquet(other / "trials.parquet")
    assert len(ours) == TRIALS
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert (folder / "front.csv").read_text() == (other / "front.csv").read_text()
    assert len(pd.read_csv(folder / "front.csv")) > 1


@pytest.fixture(scope="module")
def interrupted(wide: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    folder = tmp_path_factory.mktemp("interrupted")
    return folder, *stop(folder, wide, signal.SIGINT)


def test_an_interrupt_leaves_what_was_done(interrupted: tuple[Path, int, str]) -> None:
    folder, code, told = interrupted
    assert code == 130
    assert "Traceback" not in told
    assert 2 <= parts(folder) < TRIALS // 8, "stopped in the middle"
    assert not (folder / "study" / "front.csv").exists()


def test_an_interrupt_says_how_to_go_on_and_that_ends_as_the_uninterrupted(
    interrupted: tuple[Path, int, str], uninterrupted: Path
) -> None:
    """The command line that is told, typed as it is told."""
    folder, _, told = interrupted
    (line,) = [line for line in told.splitlines() if "resume=" in line]
    program, *words = shlex.split(line[line.index("dse ") :])
    assert program == "dse"
    done = run_here(folder, *words)
    assert done.code == 0, done.err
    same_result(folder / "study", uninterrupted)


@pytest.mark.slow
def test_a_killed_search_ends_as_the_uninterrupted(wide: tuple[str, ...], uninterrupted: Path, tmp_path: Path) -> None:
    """Killed in one process and ended in another, neither of which is this one."""
    code, _ = stop(tmp_path, wide, signal.SIGKILL)
    assert code == -signal.SIGKILL
    left = parts(tmp_path)
    assert 2 <= left < TRIALS // 8
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "study" / "trials").glob("*.parquet")}
    done = run_process(tmp_path, *wide, "resume=study")
    assert done.code == 0, done.err
    same_result(tmp_path / "study", uninterrupted)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "study" / "trials").glob("*.parquet")}
    assert kept.items() <= after.items(), "what was on disk is not evaluated again"


def test_a_finished_search_that_is_resumed_stays_as_it_was(wide: tuple[str, ...], uninterrupted: Path) -> None:
    before = {name: (uninterrupted / name).read_bytes() for name in ("front.csv", "trials.parquet")}
    done = run_here(uninterrupted.parent, *wide, f"resume={os.path.relpath(uninterrupted, uninterrupted.parent)}")
    assert done.code == 0, done.err
    assert {name: (uninterrupted / name).read_bytes() for name in before} == before
