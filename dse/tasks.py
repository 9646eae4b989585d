"""What `task=…` can be: each a function of the composed configuration."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from dse.session import Session


def evaluate(config: Any) -> None:
    """One machine, one model, one traffic, under the best mapping: metrics.json and a table."""
    from dse import single
    from dse.record import record

    session = Session.of(config)
    single.run(session)
    record(session.folder, session.config["tracking"])


def validate(config: Any) -> None:
    """The model against what others measured: validation.json and a table."""
    from dse import validate as validation

    validation.run(Session.of(config))


def calibrate(config: Any) -> None:
    """Constants of operators fitted to measurements: calibration.json, a table, and on request the configurations."""
    from dse import calibrate as calibration

    calibration.run(Session.of(config))


def describe(config: Any) -> None:
    """The composed machine and model, shown: describe.json, machine.svg and tables."""
    from dse import describe as describing

    describing.run(Session.of(config))


def serve(config: Any) -> None:
    """A trace of requests served by the composed machine: serve.json, requests.parquet, serving.svg and tables."""
    from dse import serve as serving

    serving.run(Session.of(config))


def sensitivity(config: Any) -> None:
    """Which numbers of the composed machine are worth knowing better: sensitivity.json, bounds and a table."""
    from dse import sensitivity as knowing

    knowing.run(Session.of(config))


def explore(config: Any) -> None:
    """Search the space; write trials, front, study and report; log to MLflow."""
    from dse import study
    from dse.console import console
    from dse.damaged import set_aside
    from dse.goals import Goals
    from dse.problem import Problem
    from dse.record import record
    from dse.reference import read_reference
    from dse.robust import question
    from dse.store import Trials

    session, start = Session.of(config), time.perf_counter()
    search = study.make(session.config["search"])
    scale = study.make(session.config["scale"], "scale")
    goals = Goals.read(session.config["objectives"])
    session.switch("elasticities")  # what is wrong is said before anything is evaluated
    study.refuse_changes(session)
    for words in set_aside(session.folder) if session.config["resume"] else ():
        console.print(words, style="yellow")
    reference = read_reference(session, goals)
    problem = Problem(session.overrides, session.config["space"], session.wanted, search.batch)
    try:
        with scale.spread(question(problem, goals, session.config, session.seed)) as asked:
            study.begin(session)
            trials = Trials(session.folder, [parameter.key for parameter in problem.space.parameters])
            console.print(f"searching into {session.folder}; what is not compiled yet takes up to a minute first")
            seconds = search.run(asked, goals, trials, session.seed)
    except (KeyboardInterrupt, ConnectionError):
        if study.begun(session):
            console.print(f"what is evaluated is kept; go on with: {study.resumption(session, session.overrides)}")
        raise
    console.print("searched; front, baselines, spreads and report follow")
    study.finish(session, problem, goals, trials, seconds | {"total": time.perf_counter() - start}, reference)
    record(session.folder, session.config["tracking"])


def receipts(config: Any) -> None:
    """Published claims held against the model: receipts.json, receipts.html and a table."""
    from dse import receipts as checking

    checking.run(Session.of(config))


def benchmark(config: Any) -> None:
    """How fast this machine evaluates: benchmark.json and a table."""
    from dse import benchmark as measuring

    measuring.run(Session.of(config))


def log(config: Any) -> None:
    """Log a finished run's folder to MLflow again."""
    from dse.record import record

    session = Session.of(config)
    folder = session.config["run"]
    if not folder:
        raise ValueError("run: which run is to be logged? write dse task=log run=FOLDER")
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"run: there is no folder {folder!r}; name the folder of a finished run")
    record(Path(folder), session.config["tracking"], required=True)


def studio(config: Any) -> None:
    """A page on this machine that moves numbers of the composed machine and shows what they do."""
    from dse import studio as moving

    moving.run(Session.of(config))
