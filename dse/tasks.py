"""What `task=…` can be: each a function of the composed configuration."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dse.problem.session import Session
from dse.run.answers import LEFT
from dse.run.outcome import ended


def evaluate(config: Any) -> None:
    """One machine, one model, one traffic, under the best mapping: metrics.json and a table."""
    session = Session.of(config)
    from dse.machine import single

    _logged(single.run, session, session.folder, "evaluate")


def validate(config: Any) -> None:
    """The model against what others measured: validation.json and a table."""
    session = Session.of(config)
    from dse.validation import validate as validation

    _logged(validation.run, session, session.out, "validate")


def calibrate(config: Any) -> None:
    """Constants of operators fitted to measurements: calibration.json, a table, and on request the configurations."""
    session = Session.of(config)
    from dse.validation import calibrate as calibration

    calibration.run(session)


def describe(config: Any) -> None:
    """The composed machine and model, shown: describe.json, machine.svg and tables."""
    session = Session.of(config)
    from dse.machine import describe as describing

    describing.run(session)


def check(config: Any) -> None:
    """The composed machine held against the rules that shipped ones keep: check.json and a table."""
    from dse.documents import check as checking

    checking.run(Session.of(config))


def catalogue(config: Any) -> None:
    """Every machine on the search path on one page: catalogue.html."""
    from dse.documents import catalogue_table

    catalogue_table.run(Session.of(config))


def serve(config: Any) -> None:
    """A trace of requests served by the composed machine: serve.json, requests.parquet, serving.svg and tables."""
    session = Session.of(config)
    from dse.simulation import serve as serving

    _logged(serving.run, session, session.folder, "serve")


def sensitivity(config: Any) -> None:
    """Which numbers of the composed machine are worth knowing better: sensitivity.json, bounds and a table."""
    session = Session.of(config)
    from dse.machine import sensitivity as knowing

    knowing.run(session)


def explore(config: Any) -> None:
    """Search the space; write trials, front, study and report; log to MLflow."""
    session, start = Session.of(config), time.perf_counter()  # what is wrong is said before what takes time
    from dse.evaluation.goals import Goals
    from dse.problem.problem import Problem
    from dse.report import study
    from dse.report.details import most
    from dse.run.bars import activity
    from dse.run.console import console
    from dse.run.damaged import set_aside
    from dse.run.store import Trials
    from dse.search import resuming
    from dse.search.reference import read_reference
    from dse.tracking.address import refuse
    from dse.tracking.record import record
    from dse.uncertainty.robust import asked_for, question

    refuse(session.config["tracking"])
    search = study.make(session.config["search"])
    scale = study.make(session.config["scale"], "scale")
    goals = Goals.read(session.config["objectives"])
    asked_for(session.config)
    most(session)
    resuming.refuse_changes(session)
    reference = read_reference(session, goals)  # before anything is moved
    for words in set_aside(session.folder) if session.config["resume"] else ():
        console.print(words, style="yellow")
    with activity("composing and building the machines of the space"):
        problem = Problem(session.overrides, session.config["space"], session.wanted, search.batch)
        asked_of = question(problem, goals, session.config, session.seed)
    trials = None
    try:
        with scale.spread(asked_of) as asked:
            resuming.begin(session)
            trials = Trials(session.folder, [parameter.key for parameter in problem.space.parameters])
            console.print(f"searching into {session.folder}, seed {session.seed}")
            seconds = search.run(asked, goals, trials, session.seed)
        console.print("searched; front, baselines, spreads and report follow")
        study.finish(session, problem, goals, trials, seconds | {"total": time.perf_counter() - start}, reference)
    except (KeyboardInterrupt, ConnectionError):
        resuming.tell_what_is_kept(session, trials)
        raise
    record(session.folder, session.config["tracking"])


def receipts(config: Any) -> None:
    """Published claims held against the model: receipts.json, receipts.html and a table."""
    session = Session.of(config)
    from dse.claims import receipts as checking

    _logged(checking.run, session, session.out, "receipts")


def _logged(run: Callable[[Session], None], session: Session, folder: Path, task: str) -> None:
    """Do a task and log its answer; an address that can be none is refused before."""
    from dse.tracking.address import refuse

    refuse(session.config["tracking"])
    run(session)
    from dse.tracking.record import record

    record(folder, session.config["tracking"], LEFT[task].answer)


def benchmark(config: Any) -> None:
    """How fast this machine evaluates: benchmark.json and a table."""
    session = Session.of(config)
    from dse.documents import benchmark as measuring

    measuring.run(session)


def log(config: Any) -> None:
    """Log a finished run's folder to MLflow, or what is missing of it there."""
    session = Session.of(config)
    folder = session.config["run"]
    if not folder:
        raise ValueError("run: which run is to be logged? write dse task=log run=FOLDER")
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"run: there is no folder {folder!r}; name the folder of a finished run")
    from dse.tracking.record import record_again

    found = record_again(Path(folder), session.config["tracking"])
    ended("log", {"title": found.get("title", folder), "folder": str(folder), "seed": found.get("seed")}, [])


def studio(config: Any) -> None:
    """A page on this machine that moves numbers of the composed machine and shows what they do."""
    session = Session.of(config)
    from dse.studio import task as moving

    moving.run(session)
