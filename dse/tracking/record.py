"""Finished runs -> MLflow, from what lies in their folders, so that it can be done again at any time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.problem.folders import read, signed
from dse.problem.session import versions
from dse.run.answers import BEGUN, LEFT, Left
from dse.run.console import console, warn
from dse.run.passwords import without_passwords
from dse.run.store import digest_of
from dse.tracking import address
from dse.tracking.others import of_receipts, of_service, of_validation
from dse.tracking.runs import Logged, Run, created, files_of, of_evaluation, of_study

Build = Callable[[Path, Mapping[str, Any], list[Path]], list[Run]]


BUILDS: Mapping[str, Build] = {  # task -> how its answer is logged
    "explore": of_study,
    "evaluate": of_evaluation,
    "serve": of_service,
    "receipts": of_receipts,
    "validate": of_validation,
}
LOGGED = {LEFT[task].answer: (LEFT[task], build) for task, build in BUILDS.items()}


def record(folder: Path, tracking: Mapping[str, Any], answer: str | None = None) -> None:
    """Log a run's folder, all of its answers or one; where the server cannot be reached, say how to do it later."""
    if not tracking["enabled"]:
        return
    again = f"dse task=log run={folder}"
    try:
        log(folder, tracking, answer)
    except ConnectionError as error:
        warn(f"{error}; later: {again}", style="bold red")


def record_again(folder: Path, tracking: Mapping[str, Any]) -> Mapping[str, Any]:
    """Log a run's folder that was not logged, or only in part, and return its first answer; raises where it cannot."""
    if not tracking["enabled"]:
        raise ValueError("tracking: nothing is logged with tracking=none; write tracking=mlflow")
    return next(iter(log(folder, tracking, None).values()))


def log(folder: Path, tracking: Mapping[str, Any], answer: str | None) -> dict[str, dict[str, Any]]:
    """Log what is in a folder, and return it; raises ConnectionError in words, within seconds, where it cannot be."""
    from dse.tracking.store import Done

    uri, start, done = address.checked(tracking["uri"]), time.perf_counter(), Done()
    contents = {name: read(folder / name, "run") for name in ([answer] if answer else answers_in(folder))}
    shown = without_passwords(uri)
    for name, content in contents.items():
        try:
            address.reachable(uri)
            _write(folder, name, content, tracking, uri, done)
        except Exception as error:
            waited = time.perf_counter() - start
            part = f" after {done.new + done.completed} runs" if done.new + done.completed else ""
            words = f"tracking.uri: not logged to {shown}{part}: {address.reason(error)} ({waited:.1f} s)"
            raise ConnectionError(words) from None
    return contents


def answers_in(folder: Path) -> list[str]:
    """The answers that a folder holds; raises FileNotFoundError where there is none."""
    found = [name for name in LOGGED if (folder / name).is_file()]
    if not found:
        begun = (folder / BEGUN).is_file()
        why = "the search did not finish" if begun else "the run did not finish, or is of a task that is not logged"
        raise FileNotFoundError(f"run: {folder} holds none of {', '.join(LOGGED)}: {why}")
    return found


def _write(
    folder: Path, name: str, content: Mapping[str, Any], tracking: Mapping[str, Any], uri: str, done: Any
) -> None:
    from dse.tracking import store, views

    (left, build), start, before = LOGGED[name], time.perf_counter(), (done.new, done.completed, done.there)
    missing = [file for file in left.beside if not (folder / file).is_file()]
    tell_of(folder, content, missing)
    logged = Logged(digest_of([folder / name]), build(folder, content, files_of(folder, name, list(LOGGED))),
                    created(content), content, missing)  # fmt: skip
    client = store.client_of(uri)
    title = tracking["experiment"] or experiment_of(content, left)
    with store.one_at_a_time(uri):
        experiment = store.open_experiment(client, uri, title, tracking.get("artifacts"))
        first = len(done.ids)
        store.write(client, experiment, logged, done)
        found = views.views_of(logged, done.ids[first])
        store.save_views(client, experiment, found, views.MOST_VIEWS, views.OURS)
    counts = [after - then for after, then in zip((done.new, done.completed, done.there), before, strict=True)]
    told = [f"{n} {words}" for n, words in zip(counts, ("logged", "completed", "there already"), strict=True) if n]
    where = f"experiment {title!r}, {time.perf_counter() - start:.1f} s"
    console.print(f"MLflow      runs: {', '.join(told)} ({where})")
    console.print(f"open        {opened(uri, experiment, views.key_of(found))}")


def experiment_of(content: Mapping[str, Any], left: Left) -> str:
    """The MLflow experiment of an answer: that of ours which a study is of or a command line names."""
    from dse.tracking.keys import overrides

    named = not left.home or "experiment" in dict(overrides(content.get("command", "")))
    return (content.get("choices", {}).get("experiment") if named else left.home) or "dse"


def tell_of(folder: Path, content: Mapping[str, Any], missing: Sequence[str]) -> None:
    """Say what the folder lacks and which version wrote it, where that is another."""
    from dse.tracking.keys import unknown

    if missing:
        warn(f"{folder} lacks {', '.join(missing)}; logged without")
    then, now = content.get("versions", {}).get("inferscape"), versions()["inferscape"]
    points = content.get("front") or ([content] if "metrics" in content else [])
    lacks, more = unknown(points[0]) if points else ([], [])
    if then != now or lacks or more:
        told = [f"has no {', '.join(lacks)}"] * bool(lacks) + [f"has {', '.join(more)}, not known here"] * bool(more)
        warn("; it ".join([signed(content, folder, "written"), *told]))


def opened(uri: str, experiment: str, view: str) -> str:
    """How to see what was logged: the address, and before it the command of a UI where no server runs."""
    path = f"/#/experiments/{experiment}/runs?workflowType=machine_learning"
    path += f"&viewStateShareKey={view}" if view else ""
    if uri.startswith("http"):
        return without_passwords(uri).rstrip("/") + path
    return f"mlflow ui --backend-store-uri {without_passwords(uri)}   then http://127.0.0.1:5000{path}"
