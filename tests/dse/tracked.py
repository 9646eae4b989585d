"""A finished study in a folder, made without physics; and a tracking server as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from running import free_port

from dse.evaluation.metrics import SECTIONS, Headroom, Metrics, units

GOALS = {
    "tokens_per_second_per_user": "maximize",
    "energy_per_token": "minimize",
    "cost_per_million_tokens": "minimize",
}
TYPICAL = {  # by unit
    "s": 6.6e-4, "token/s": 193874.6, "": 456.0, "J/token": 1.0, "W": 47868.31, "m^2": 0.592, "USD": 3757276.0,
    "kg": 49295.8, "Hz": 8.77e8, "K": 343.9, "dB": -17.86,
}  # fmt: skip
SIZES = {name: TYPICAL[unit] for name, unit in units(Metrics).items() if name not in GOALS}
STARTING = 90  # seconds that a server may take to begin


def answer(speed: float, memory: str = "plain") -> dict[str, Any]:
    """All answers about a machine that pays for its speed, in SI, with shares that are tiny as well."""
    metrics = SIZES | {"tokens_per_second_per_user": speed, "energy_per_token": 1e-3 * speed**0.8}
    metrics |= {"cost_per_million_tokens": 1e-3 * speed**0.7}
    sections: dict[str, Any] = {"metrics": metrics}
    for section, kind in SECTIONS.items():
        names = list(units(kind))
        if section != "metrics":
            sections[section] = {name: 1.0 / 3**i for i, name in enumerate(names)}
    sections["headroom"] |= {"memory": 8.9e7, "power": 0.0}
    degrees = {
        "tensor": 8,
        "sequence": 1,
        "attention_data": 1,
        "expert": 1,
        "pipeline": 4,
        "stages_inside": 0,
        "data": 1,
    }
    sections["mapping"] = degrees | {"batch": 32, "users": 128, "weights": memory, "cache": memory}
    return sections | {"legal": True}


def point(name: str, speed: float, memory: str) -> dict[str, Any]:
    """A point of a front."""
    bounds = {"metrics": {goal: {"p5": answer(speed)["metrics"][goal] * 0.9, "p50": 1.0, "p95": 2.0} for goal in GOALS}}
    return answer(speed, memory) | {
        "name": name,
        "parameters": {"hw/chip/memory": memory, "format": "narrow", "hw.chip.engine.cores": 64.0 + speed,
                       "hw.chip.engine.frequency": 0.9,
                       "hw.chip.memory.stack.layers": None if memory == "flat" else 2.0},
        "command": f"dse task=evaluate experiment=small hw/chip/memory={memory} 'hw.chip.engine.frequency=900 MHz'",
        "violations": "", "equal": {}, "bounds": bounds, "chance": {"works": 1.0, "front": 0.51},
    }  # fmt: skip


def about(command: str) -> dict[str, Any]:
    from dse.problem.session import commit, versions

    return {
        "command": command, "created": "2026-11-22T13:45:09", "seed": 1, "versions": versions(), "commit": commit(),
        "choices": {"experiment": "small", "hw": "rack", "model": "large", "format": "wide", "serving": "chat",
                    "search": "enumerate", "space": "small"},
        "catalogue": [{"name": "conf", "digest": "0123456789abcdef" * 2, "files": 412}],
        "config": {"task": {}, "hw": {"chip": {"engine": {"cores": 64}}}, "seed": 1, "run": None,
                   "search": {"storage": "postgresql://me:***@host/db"}},
    }  # fmt: skip


def study(count: int = 4) -> dict[str, Any]:
    """What study.json says of a search."""
    speeds = [60.0 * 1.6**i for i in range(count)]
    front = [point(f"F{i + 1}", speed, "flat" if i % 2 else "tall") for i, speed in enumerate(speeds[::-1])]
    base = answer(20.0) | {"name": "A server of today", "parameters": {}, "feasible": True}
    base["command"] = "dse task=evaluate experiment=small hw=server format=wide"
    parameters = {name: {"unit": "", "factor": 1.0} for name in front[0]["parameters"]}
    parameters["hw.chip.engine.frequency"] = {"unit": "GHz", "factor": 1e-9}
    objectives = [
        {"name": name, "sense": sense, "unit": units(Metrics)[name], "means": ""} for name, sense in GOALS.items()
    ]
    found = [one["metrics"] for one in front]
    return {
        "title": "A small question", "experiment": "small", "question": "Which of these, <tall> or flat?",
        "counts": {"evaluated": 40, "feasible": 30, "front": count, "space": 40}, "hypervolume": 0.99,
        "objectives": objectives, "constraints": ["memory", "power"], "robust": None,
        "columns": {"parameters": parameters}, "front": front, "nearest": [], "baselines": [base], "mappings": [],
        "others": {"feasible": {goal: [one[goal] * 1.3 for one in found] for goal in GOALS}, "infeasible": {}},
        "assumptions": [], "finding": ["The tall ones are dear.", "The flat ones are slow."],
        "seconds": {"total": 80.1, "evaluate": 78.8},
    } | about("dse experiment=small")  # fmt: skip


def write_study(folder: Path, count: int = 4) -> Path:
    """The folder of a finished search."""
    folder.mkdir(parents=True)
    content = study(count)
    (folder / "study.json").write_text(json.dumps(content))
    (folder / "report.html").write_text("<!doctype html><html><body><h1 id=here>the report itself</h1></body></html>")
    (folder / "front.csv").write_text("name\nF1\n")
    rows = [trial(20.0 + i) for i in range(40)]
    pd.DataFrame(rows).to_parquet(folder / "trials.parquet")
    return folder


def trial(speed: float) -> dict[str, Any]:
    found = answer(speed)
    row: dict[str, Any] = {"hw/chip/memory": "flat", "hw.chip.engine.cores": 64.0, "hw.chip.engine.frequency": 9e8}
    row |= {f"metrics.{name}": found["metrics"][name] for name in units(Metrics)}
    return row | {f"headroom.{name}": 1.0 for name in units(Headroom)} | {"legal": 1.0}


def write_evaluation(folder: Path, hw: str, frequency: str) -> Path:
    """The folder of one job of a sweep."""
    folder.mkdir(parents=True)
    told = about(f"dse task=evaluate experiment=small hw={hw} model=small 'hw.chip.engine.frequency={frequency}'")
    told["choices"] = told["choices"] | {"hw": hw}
    content = answer(50.0 + len(hw)) | {"title": f"{hw} large wide chat", "missing": [], "cautions": []} | told
    (folder / "metrics.json").write_text(json.dumps(content))
    return folder


@contextlib.contextmanager
def serving(folder: Path, store: str = "", port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A tracking server with its files below the folder: its address and its process, a group of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             "--backend-store-uri", store or f"sqlite:///{folder}/server.db",
             "--artifacts-destination", str(folder / "files")]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            words, stdout=log, stderr=log, start_new_session=True, cwd=folder,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        )  # fmt: skip
    uri = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + STARTING
        while not answers(uri):
            told = (folder / "server.log").read_text()[-2000:]
            assert process.poll() is None, told
            assert time.monotonic() < until, told
            time.sleep(0.2)
        yield uri, process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes], how: int = signal.SIGKILL) -> None:
    """End a server and its workers at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    if how == signal.SIGKILL:
        process.wait()


def answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
