"""task=serve from the command line, with plain step times in the place of a machine's."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from machines import composed, files
from plain_machines import Roofline
from running import Done, run_here

from dse.configuration.schema import build
from dse.evaluation.rules import Rules
from dse.simulation import serve
from dse.traffic.traces import synthetic_files

MACHINE = ("task=serve", "hw=corsair_server", "model=llama3_8b", "tracking=none", "hydra.run.dir=run")


STEADY = {"users": 2.0, "time_to_first_token": 0.1, "time_per_output_token": 0.01, "tokens_per_second": 200.0}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "steady_state", lambda *_: STEADY)
    monkeypatch.setattr(serve, "step_times", lambda *_: (Roofline(replicas=2), {"tensor": 4, "replicas": 2}))


def served(folder: Path, *words: str) -> tuple[Done, dict[str, Any]]:
    done = run_here(folder, *MACHINE, *words)
    assert done.code == 0, done.err
    return done, json.loads((folder / "run" / "serve.json").read_text())


def test_a_trace_is_served(tmp_path, plain):
    done, found = served(tmp_path, "requests=400", "simulation.search_requests=100", "rate=8")
    assert found["trace"]["rate"] == pytest.approx(8)
    assert found["trace"]["requests"] == 400
    assert found["requests"] == {"all": 400, "counted": 320, "refused": 0, "preempted": 0}
    first = found["latencies"]["time_to_first_token"]
    assert 0 < first["p50"] <= first["p90"] <= first["p99"] <= first["max"]
    assert found["largest_rate"]["rate"] > 8
    assert found["machine"]["tensor"] == 4
    assert found["command"].startswith("dse task=serve")
    for words in ("time_to_first_token", "goodput", "largest rate with 90% of the requests", "serve.json"):
        assert words in done.out
    rows = pd.read_parquet(tmp_path / "run" / "requests.parquet")
    assert len(rows) == 400
    counted = rows.iloc[40:360]
    assert np.mean(counted.met) == pytest.approx(found["attainment"])
    assert np.quantile(counted.time_to_first_token, 0.9) == pytest.approx(first["p90"])
    check_picture(tmp_path / "run" / "serving.svg")


def check_picture(path: Path) -> None:
    text = path.read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert "nan" not in text
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_same_seed_gives_the_same_answers(tmp_path, plain):
    words = ("requests=60", "simulation.search_requests=0")
    found = [served(tmp_path, *words, f"seed={seed}")[1]["latencies"] for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("scheduler", files("scheduler"))
def test_every_scheduler_serves(scheduler, tmp_path, plain):
    _, found = served(tmp_path, f"scheduler={scheduler}", "requests=50", "simulation.search_requests=0", "rate=2")
    assert found["requests"]["refused"] == 0
    assert found["largest_rate"] is None
    check_picture(tmp_path / "run" / "serving.svg")


def test_a_file_of_ones_own_and_one_request(tmp_path, plain):
    (tmp_path / "mine.csv").write_text("time,prompt_tokens,output_tokens\n0,100,1\n")
    _, found = served(tmp_path, f"trace={tmp_path / 'mine.csv'}", "requests=null")
    assert found["latencies"]["time_per_output_token"]["p50"] is None
    assert found["requests"]["counted"] == 1
    check_picture(tmp_path / "run" / "serving.svg")


def test_a_synthetic_trace_of_ones_own(tmp_path, plain):
    (tmp_path / "mine" / "traces").mkdir(parents=True)
    shipped = synthetic_files()["code_synthetic"].read_text()
    (tmp_path / "mine" / "traces" / "ours.yaml").write_text(shipped.replace("rate: 2.566", "rate: 1.5"))
    words = ("trace=ours", "requests=80", "simulation.search_requests=0", "--config-dir", str(tmp_path / "mine"))
    assert served(tmp_path, *words)[1]["trace"]["rate"] == pytest.approx(1.5)


def test_what_is_too_much_is_said(tmp_path, monkeypatch):
    small = Roofline(cache_capacity=131072.0 * 1500)
    monkeypatch.setattr(serve, "steady_state", lambda *_: STEADY)
    monkeypatch.setattr(serve, "step_times", lambda *_: (small, {}))
    done, found = served(tmp_path, "requests=200", "rate=1000", "simulation.search_requests=50")
    assert found["requests"]["refused"] > 0
    assert "are refused: prompt and answer need more than" in done.out
    assert "overloaded: 1000 requests/s come" in done.out


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("trace=chat_synthetc", "did you mean 'chat_synthetic'?"),
        ("rate=-1", "rate: -1 must be above 0"),
        ("rate=fast", "rate: 'fast' is not a number"),
        ("requests=0", "requests: 0 must be at least 1"),
        ("scheduler=chunk", "did you mean scheduler=chunked?"),
        ("simulation.slots=0", "simulation.slots"),
        ("simulation.slot=5", "did you mean 'slots'?"),
        ("simulation.warm_up=1.5", "must be at most 0.5"),
        ("simulation.transfer_bandwidth=50", "has no unit"),
        ("simulation.prefill_replicas=2", "2 of 2 replicas fill prompts"),
    ],
)
def test_errors_name_place_and_remedy(word, told, tmp_path, plain):
    done = run_here(tmp_path, *MACHINE, word)
    assert done.code == 1
    assert told in done.err
    assert not list(tmp_path.rglob("serve.json"))


def test_shipped_rules_are_the_defaults():
    """The class says what conf/simulation/replicas.yaml says, so that tests and users mean the same."""
    shipped = build(composed("simulation=replicas")["simulation"], "simulation")
    assert vars(shipped) == pytest.approx(vars(Rules(transfer_latency=10e-6)))


def test_means_of_a_level():
    """A level of 2 from 1 to 3 s, 0 before and after: means of single seconds."""
    found = serve.means(np.array([1.0, 3.0]), np.array([2.0, -2.0]), np.arange(5.0))
    assert found.tolist() == [0.0, 2.0, 2.0, 0.0]
