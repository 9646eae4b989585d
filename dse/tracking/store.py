"""Runs into an MLflow store: few calls, and the same ones again do no harm."""

from __future__ import annotations

import getpass
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dse.tracking.address import SQLITE, database
from dse.tracking.runs import LONGEST_PARAMETER, DataSet, Logged, Run, short

RETRIES, TIMEOUT = "1", "10"  # a server that is down or hangs costs seconds, not minutes
MOST = 100  # parameters or tags of a call
TABLES = "mlflow.loggedArtifacts"  # the tag by which the UI knows tables
KIND = {"mlflow.experimentKind": "custom_model_development"}  # or the UI asks, and opens another page
SOURCE = {"mlflow.source.name": "dse", "mlflow.source.type": "LOCAL"}


@dataclass
class Done:
    """What became of the runs: ids in their order, and how many were new, completed and there already."""

    experiment: str = ""
    ids: list[str] = field(default_factory=list)
    new: int = 0
    completed: int = 0
    there: int = 0


def client_of(uri: str) -> Any:
    """A client of the store that gives up within seconds."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", RETRIES)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", TIMEOUT)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow

    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient(uri)


@contextmanager
def one_at_a_time(uri: str) -> Iterator[None]:
    """Hold a lock beside a SQLite file: two processes that create its tables at once would crash one."""
    if not uri.startswith(SQLITE):
        yield
        return
    import fcntl

    with open(f"{database(uri)}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def open_experiment(client: Any, uri: str, name: str, artifacts: str | None) -> str:
    """The id of the experiment; artifacts of a database lie beside it or where `artifacts` says, a server has its
    own place."""
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "deleted":
        raise ConnectionError(
            f"the experiment {name!r} was deleted there; restore it with `mlflow experiments restore "
            f"--experiment-id {found.experiment_id}`, or name another with tracking.experiment=NAME"
        )
    if found is not None:
        if not set(KIND) & set(found.tags):
            client.set_experiment_tag(found.experiment_id, *next(iter(KIND.items())))
        return found.experiment_id
    return client.create_experiment(name, artifact_location=place(uri, artifacts), tags=KIND)


def place(uri: str, artifacts: str | None) -> str | None:
    """Where a new experiment keeps its files; none where a server decides."""
    if artifacts:
        return artifacts if "://" in artifacts else Path(artifacts).resolve().as_uri()
    if uri.startswith(SQLITE):
        return (database(uri).resolve().parent / "mlartifacts").as_uri()
    return None if uri.startswith(("http", "databricks", "uc")) else (Path.cwd() / "mlartifacts").as_uri()


def write(client: Any, experiment: str, logged: Logged, done: Done) -> None:
    """Write all runs of an answer. What is there and finished is left alone; what was begun is completed."""
    done.experiment = experiment
    before = {run.data.tags.get("dse.part"): run for run in known(client, experiment, logged.digest)}
    whole = ""
    for run in logged.runs:
        found = before.get(run.part)
        if found is not None and found.info.status == "FINISHED":
            done.there += 1
            done.ids.append(found.info.run_id)
        else:
            done.ids.append(write_run(client, experiment, logged, run, found, whole))
            done.completed += found is not None
            done.new += found is None
        whole = whole or done.ids[0]


def known(client: Any, experiment: str, digest: str) -> list[Any]:
    """The runs that were logged of an answer before, page by page."""
    found, token = [], None
    while True:
        page = client.search_runs([experiment], f"tags.`dse.run` = '{digest}'", max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def write_run(client: Any, experiment: str, logged: Logged, run: Run, found: Any, whole: str) -> str:
    """Write one run, or complete it; its id. It is finished when all of it is there."""
    begun = int(logged.created.timestamp() * 1000) - run.order
    tags = {**run.tags, **SOURCE, "mlflow.user": user(), "dse.part": run.part, "dse.run": logged.digest}
    if logged.missing and not whole:
        tags["dse.missing"] = ", ".join(logged.missing)
    if found is None:
        given = tags | ({"dse.study": whole} if whole else {})
        run_id = client.create_run(experiment, start_time=begun, tags=given, run_name=run.name).info.run_id
    else:
        run_id = found.info.run_id
    later = {} if whole else {"dse.study": run_id}
    with tempfile.TemporaryDirectory() as drawn:
        tables = run.draw(Path(drawn)) if run.draw else []
        later |= {TABLES: json.dumps([{"path": name, "type": "table"} for name in tables])} if tables else {}
        log_numbers(client, run_id, run, later, {} if found is None else found.data.params, begun)
        for path in [*run.files, *sorted(Path(drawn).iterdir())]:
            client.log_artifact(run_id, str(path))
    if run.datasets:
        client.log_inputs(run_id, [entity(one) for one in run.datasets])
    client.set_terminated(run_id, "FINISHED", begun + round(run.seconds * 1000))
    return run_id


def user() -> str:
    with suppress(Exception):
        return getpass.getuser()
    return "unknown"


def log_numbers(
    client: Any, run_id: str, run: Run, tags: Mapping[str, str], known: Mapping[str, str], when: int
) -> None:
    """Parameters, metrics and late tags in as few calls as may be."""
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(name, value, when, 0) for name, value in run.metrics.items()]
    params = [
        Param(name, short(str(value), LONGEST_PARAMETER)) for name, value in run.params.items() if name not in known
    ]
    late = [RunTag(name, value) for name, value in tags.items()]
    first = 1000 - 2 * MOST  # of the entities of a call
    client.log_batch(run_id, metrics[:first], params[:MOST], late)
    for i in range(first, len(metrics), first):
        client.log_batch(run_id, metrics[i : i + first])
    for i in range(MOST, len(params), MOST):
        client.log_batch(run_id, params=params[i : i + MOST])


def entity(data: DataSet) -> Any:
    """A dataset as MLflow keeps it."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"uri": data.source})
    told = Dataset(data.name[:500], data.digest[:36], "local", source, profile=json.dumps(dict(data.profile)))
    return DatasetInput(told, [InputTag("mlflow.data.context", data.context)])


def save_views(client: Any, experiment: str, views: Mapping[str, str], most: int, prefix: str) -> None:
    """Write saved views of the UI as tags of the experiment; of ours the newest are kept."""
    tags = client.get_experiment(experiment).tags
    for name, value in views.items():
        if tags.get(name) != value:
            client.set_experiment_tag(experiment, name, value)
    ours: Sequence[str] = sorted((name for name in {*tags, *views} if name.startswith(prefix)),
                                 key=lambda name: age(views.get(name) or tags[name]))  # fmt: skip
    for name in ours[: max(0, len(ours) - most)]:
        client.delete_experiment_tag(experiment, name)


def age(view: str) -> float:
    with suppress(ValueError, KeyError, TypeError):
        return float(json.loads(view)["createdAt"])
    return 0.0
