"""Finished runs -> MLflow, from what lies in their folders, so that it can be done again at any time."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dse.console import console, warn
from dse.metrics import SECTIONS, units
from dse.results import head
from dse.schema import NOTES
from hw.units import readable

TYPICAL_SIZES = {"s": 1e-3, "J/token": 1e-3, "W": 1.0, "B": 1e9}
LONGEST_TAG = 5000  # what every MLflow store takes
RETRIES = "2"  # a tracking server that is down costs seconds, not minutes
ARTIFACTS = ("front.csv", "trials.parquet", "study.json", "report.html", "metrics.json")


def record(folder: Path, tracking: Mapping[str, Any], required: bool = False) -> None:
    """Log a run's folder; where the server cannot be reached, say how to do it later and go on."""
    if not tracking["enabled"]:
        if required:
            raise ValueError("tracking: nothing is logged with tracking=none; write tracking=mlflow")
        return
    try:
        _log(folder, tracking)
    except FileNotFoundError:
        raise
    except Exception as error:
        again = f"dse task=log run={folder}"
        if required:
            raise ConnectionError(f"tracking.uri: {tracking['uri']!r} took nothing ({first_line(error)})") from None
        warn(f"not logged to {tracking['uri']}: {first_line(error)}; later: {again}", style="bold red")
        return
    console.print(f"MLflow      {ui_command(tracking['uri'])}")


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def ui_command(uri: str) -> str:
    """The line that opens the MLflow UI."""
    return f"mlflow ui --backend-store-uri {uri}" if "://" in uri and not uri.startswith("http") else uri


def _log(folder: Path, tracking: Mapping[str, Any]) -> None:
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", RETRIES)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    study, single = folder / "study.json", folder / "metrics.json"
    if not study.is_file() and not single.is_file():
        raise FileNotFoundError(f"{folder} holds neither study.json nor metrics.json: the run did not finish")
    write, content = (log_study, study) if study.is_file() else (log_single, single)
    found = json.loads(content.read_text())
    name = tracking["experiment"] or found["choices"].get("experiment") or "dse"
    with one_at_a_time(tracking["uri"]):
        write(mlflow, open_experiment(mlflow, str(tracking["uri"]), name), folder, found)


@contextmanager
def one_at_a_time(uri: str) -> Iterator[None]:
    """Hold a lock beside a SQLite file: two processes that create its tables at once would crash one."""
    if not uri.startswith("sqlite:///"):
        yield
        return
    import fcntl

    path = Path(uri.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def open_experiment(mlflow: Any, uri: str, name: str) -> str:
    """The id of the experiment; artifacts of a SQLite store lie beside the database."""
    mlflow.set_tracking_uri(uri)
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    place = None
    if uri.startswith("sqlite:///"):
        database = Path(uri.removeprefix("sqlite:///")).resolve()
        place = (database.parent / "mlartifacts").as_uri()
    return mlflow.create_experiment(name, artifact_location=place)


def log_single(mlflow: Any, experiment: str, folder: Path, result: Mapping[str, Any]) -> None:
    """One flat run for one evaluation."""
    tags = shared_tags(result) | {"dse.kind": "evaluate"}
    with mlflow.start_run(experiment_id=experiment, run_name=str(result["title"])[:250], tags=tags):
        chosen = {name: result["choices"].get(name, "") for name in ("hw", "model", "format", "serving")}
        mlflow.log_params(chosen | mapping_params(result))
        mlflow.log_metrics(metrics_with_units(result))
        mlflow.log_artifact(str(folder / "metrics.json"))


def log_study(mlflow: Any, experiment: str, folder: Path, study: Mapping[str, Any]) -> None:
    """One run for the study, and a flat run for each point of the front, tagged with the study's id."""
    shared = shared_tags(study)
    note = "\n\n".join([study["question"], *study["finding"]])
    tags = shared | {"dse.kind": "study", "mlflow.note.content": note}
    with mlflow.start_run(experiment_id=experiment, run_name=f"study {study['title']}", tags=tags) as run:
        numbers = {f"count.{name}": float(number) for name, number in study["counts"].items() if number is not None}
        numbers |= {f"time.{name} s": seconds for name, seconds in study["seconds"].items()}
        mlflow.log_metrics(numbers | ({"hypervolume": study["hypervolume"]} if study["hypervolume"] else {}))
        mlflow.log_dict(study["config"], "config.json")
        for name in ARTIFACTS:
            if (folder / name).is_file():
                mlflow.log_artifact(str(folder / name))
        mlflow.set_tag("dse.study", run.info.run_id)
    shared |= {"dse.study": run.info.run_id}
    for found in study["front"]:
        tags = shared | {"dse.kind": "front", "dse.front": found["name"], "dse.rebuild": found["command"]}
        log_point(mlflow, experiment, study, found, f"{study['title']} {found['name']}", tags)
    for found in study["baselines"]:
        tags = shared | {"dse.kind": "baseline", "dse.rebuild": found["command"]}
        log_point(mlflow, experiment, study, found, found["name"], tags)


def shared_tags(about: Mapping[str, Any]) -> dict[str, str]:
    """Versions, commit, seed, command and the composed configuration, section by section, without its notes."""
    tags = {f"dse.version.{name}": version for name, version in about["versions"].items()}
    tags |= {"dse.commit": about["commit"] or "none", "dse.seed": str(about["seed"]), "dse.command": about["command"]}
    for section, content in about["config"].items():
        tags[f"dse.config.{section}"] = json.dumps(without_notes(content), separators=(",", ":"))[:LONGEST_TAG]
    return tags


def without_notes(node: Any) -> Any:
    """A configuration without sources and class names."""
    if not isinstance(node, Mapping):
        return node
    return {name: without_notes(value) for name, value in node.items() if name not in NOTES}


def log_point(mlflow: Any, experiment: str, study: Any, found: Mapping[str, Any], name: str, tags: Any) -> None:
    """One flat run: parameters and metrics as plain numbers, the unit at the end of the key."""
    shown = study["columns"]["parameters"]
    params = {key(name, shown[name]["unit"]): v for name, v in found["parameters"].items() if v is not None}
    with mlflow.start_run(experiment_id=experiment, run_name=name, tags=tags):
        mlflow.log_params(params | mapping_params(found))
        mlflow.log_metrics(metrics_with_units(found))


def key(name: str, unit: str) -> str:
    """A name with its unit, in the letters that MLflow takes: `K*m^2/W` as `K.m2/W`."""
    return head(name, unit).replace("*", ".").replace("^", "").replace("@", ".")


def mapping_params(found: Mapping[str, Any]) -> dict[str, Any]:
    return {f"mapping.{name}": value for name, value in found["mapping"].items()}


def metrics_with_units(found: Mapping[str, Any]) -> dict[str, float]:
    """Metrics, headrooms and shares as plain numbers, always in the same unit, so that runs share a column."""
    named = {}
    for section, kind in SECTIONS.items():
        for name, unit in units(kind).items():
            value = found[section][name]
            if value is not None:
                factor, label = readable(unit, TYPICAL_SIZES.get(unit, 1.0))
                named[key(name if section == "metrics" else f"{section}.{name}", label)] = value * factor
    return named
