"""How fast it is: `pytest -m benchmark -s tests/benchmarks` prints the figures that the README states."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from dse.evaluation.batches import best_of_each
from dse.evaluation.mapping import Wanted
from dse.problem.problem import Problem

pytestmark = pytest.mark.benchmark
SPACE = {
    "hw.chip.engine.cores": [128, 192, 256, 320, 384, 512],
    "hw.chip.engine.frequency": {"low": "0.8 GHz", "high": "1.6 GHz", "count": 64},
}


def run(*words: str, cwd) -> float:
    """Seconds of one whole process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "dse", *words], cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - start


def test_evaluations_per_second():
    """Candidate x mapping evaluations per second of the whole model, float64, on this machine's processor."""
    overrides = ["hw=squadrack_fabrex", "model=llama3_70b", "serving=chat"]
    problem = Problem(overrides, SPACE, Wanted("time_per_output_token"), 384)
    designs = problem.space.designs(0, 384)
    shared = problem.kind(jax.tree.structure(problem.template(()).candidate))
    candidates, choices = problem.stacked(designs, shared), shared.grid

    def once() -> float:
        start = time.perf_counter()
        jax.block_until_ready(best_of_each(candidates, choices, problem.wanted, shared.varied))
        return time.perf_counter() - start

    first = once()
    seconds = float(np.median([once() for _ in range(20)]))
    count = len(designs) * choices.size
    print(f"\n{count} evaluations a call, {choices.size} mappings a candidate: {count / seconds:.3g} a second")
    print(f"first call {first:.1f} s")
    assert seconds < first


def test_start_to_first_evaluation(tmp_path):
    """Seconds from typing the command to a first answer, without logging, compiled programs on disk."""
    words = ("task=evaluate", "hw=corsair_server", "model=llama3_8b", "serving=interactive", "tracking=none")
    run(*words, cwd=tmp_path)
    print(f"\nstart to first evaluation: {run(*words, cwd=tmp_path):.1f} s")


def test_help(tmp_path):
    seconds = [run("--help", cwd=tmp_path) for _ in range(3)]
    print(f"\ndse --help: {min(seconds):.2f} s")


@pytest.mark.parametrize("words", [("search=enumerate",), ("search=optuna", "search.trials=2048")])
def test_main_job(tmp_path, words):
    """Seconds of the main job by part, exact and sampled."""
    seconds = run(*words, "tracking=none", "hydra.run.dir=run", cwd=tmp_path)
    study = json.loads((tmp_path / "run" / "study.json").read_text())
    parts = study["seconds"]
    share = parts["sampler"] / parts["total"]
    print(f"\n{' '.join(words)}: {seconds:.1f} s, {study['counts']}, sampler {share:.0%} of the search, {parts}")
