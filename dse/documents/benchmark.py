"""task=benchmark: how fast this machine evaluates, against what its compiler reaches on plain arithmetic."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dse.configuration.compose import compose, plain
from dse.evaluation.goals import Goals
from dse.problem.blocks import Crossing
from dse.problem.problem import Problem
from dse.problem.session import Session, about, read_wanted
from dse.run.answers import LEFT
from dse.run.bars import activity
from dse.run.console import console, table
from dse.run.outcome import ended
from dse.run.store import Trials, write_json
from dse.search.enumerate import Asked, chunks_of
from dse.search.optimise import Asking, OptunaSearch

SECONDS = 5.0  # that each rate is measured over, at least
CHUNK = 262144  # designs
SAMPLED = 3  # sets of systems, at most, of all over the space
CHAINS = (1, 4, 8)  # of plain programs, of which the fastest is the limit
STANDARD = "experiment=stacked_rack"  # what is measured where nothing is named
TRIALS = 512  # of the sampler whose share is measured
COMPILED = "/jax/core/compile/backend_compile_duration"
Rates = dict[str, Any]


def run(session: Session) -> None:
    """benchmark.json and a table."""
    session.folder.mkdir(parents=True, exist_ok=True)
    overrides = [*session.overrides, *([] if chosen_by(session.overrides) else [STANDARD])]
    config = plain(compose(overrides))
    goals = Goals.read(config["objectives"])
    problem = Problem(overrides, config["space"], read_wanted(config["mapping"]), 128)
    with activity("chips x systems, single and double precision"):
        single, double = (crossed(problem, goals, single=single) for single in (True, False))
    with activity("designs that share nothing"):
        shared_nothing = alone(problem)
    with activity("first evaluation of a new process, twice"):
        first = first_evaluation(session)
    with activity("Optuna's share"):
        share = sampled(problem, goals, session.seed)
    found = {
        "evaluations_per_second": single["evaluations_per_second"],
        "share_of_xla_limit": single["evaluations_per_second"] / single["limit"],
        "seconds_to_first_evaluation": first,
        "optuna_share": share,
        "compilations": single["compilations"],
        "device": f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores",
        "batch": single["batch"],
        "single": single,
        "double": double,
        "one_by_one": shared_nothing,
    }
    content = found | about(session)
    files = LEFT["benchmark"].files(session.folder)
    write_json(files[0], content)
    show(found)
    ended("benchmark", content, files)


def chosen_by(overrides: Sequence[str]) -> bool:
    """True where a space, or what it varies, was named."""
    return any(word.lstrip("+~").partition("=")[0] in ("experiment", "space", "hw", "model") for word in overrides)


def crossed(problem: Problem, goals: Goals, single: bool) -> Rates:
    """Candidates x mappings a second where all combinations of chips and systems are asked for, and what a plain
    elementwise program of as many operations reaches; every mapping is worked out, though searches skip those that a
    system cannot have."""
    wanted = Asked(tuple(goals.objectives.items()), goals.constraints, CHUNK, single, whole=False)
    listing = chunks_of(problem, wanted).listing(0)
    if not isinstance(listing, Crossing):
        raise ValueError("space: the benchmark needs one pool without a draft; write prefill=none draft=none")
    thorough, mappings = replace(listing, every=True), listing.grid.size
    first, _ = timed(lambda: thorough.answers(thorough.chunks[0]))
    listing.answers(listing.chunks[0])
    with compiling() as compiled:
        rate, searched = answered(thorough), answered(listing)
    count, divisions = thorough.operations()
    return {
        "evaluations_per_second": rate * mappings,
        "candidates_per_second": searched,
        "decided_per_second": searched * mappings,
        "mappings": mappings,
        "tried_share": listing.tried_share(),
        "operations": count,
        "divisions": divisions,
        "limit": max(straight_rate(count, divisions, chains, single) for chains in CHAINS),
        "seconds_to_compile": first,
        "compilations": len(compiled),
        "batch": [listing.beside, listing.inside],
    }


def answered(listing: Crossing) -> float:
    """Candidates a second, as a search goes through them: all chips in systems from all over the space."""
    around = sorted({chunk[:2] for chunk in listing.chunks})
    taken = set(around[:: -(-len(around) // SAMPLED)])
    chunks = [chunk for chunk in listing.chunks if chunk[:2] in taken]
    seconds, designs = repeated(lambda: sum(len(listing.answers(chunk).designs) for chunk in chunks))
    return designs / seconds


def alone(problem: Problem) -> Rates:
    """Candidates x mappings a second of designs that share nothing, in double precision, as samplers ask for them."""
    designs = problem.canonical(problem.space.drawn(np.random.default_rng(0), problem.batch))
    problem.evaluate(designs)
    kinds = [problem.kind_at(structure).grid.own.size for structure in problem.space.structures(designs)]
    seconds, evaluated = repeated(lambda: len(problem.evaluate(designs)["legal"]))
    return {
        "candidates_per_second": evaluated / seconds,
        "evaluations_per_second": evaluated * float(np.mean(kinds)) / seconds,
    }


def straight_rate(count: float, divisions: float, chains: int, single: bool) -> float:
    """Evaluations a second of a straight elementwise program of so many operations, divisions among them, in so many
    chains that do not wait for each other, on all cores, of one array."""
    kind = np.float32 if single else np.float64
    steps = max(1, round((count - divisions) / 4))
    every = steps / divisions if divisions >= 1 else np.inf

    def straight(x: Any, y: Any) -> Any:
        values, divided = [x + i for i in range(chains)], 0
        for step in range(steps):
            value = values[step % chains]
            value = jnp.maximum(value * y + value, y) - y
            if step >= divided * every:
                value, divided = value / (value + 2), divided + 1
            values[step % chains] = value
        return functools.reduce(jnp.add, values)

    size = 2**18
    x = np.linspace(0.5, 0.9, size, dtype=kind)
    program = jax.jit(straight)
    jax.block_until_ready(program(x, x))
    seconds, done = repeated(lambda: jax.block_until_ready(program(x, x)).size)
    return done / seconds


def sampled(problem: Problem, goals: Goals, seed: int) -> float:
    """The sampler's share of the seconds of a search."""
    sampler = {"_target_": "optuna.samplers.NSGAIISampler", "population_size": 16}
    search = OptunaSearch(trials=TRIALS, batch=problem.batch, sampler=sampler)
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder), [parameter.key for parameter in problem.space.parameters])
        seconds = Asking(search, problem, goals, trials, seed).run()
    return seconds["sampler"] / (seconds["sampler"] + seconds["evaluate"])


def first_evaluation(session: Session) -> float:
    """Seconds from typing a command to its answer, compiled programs on disk."""
    chosen = [f"{group}={session.choices[group]}" for group in ("hw", "model", "format", "serving")]
    words = ("task=evaluate", *chosen, "tracking=none")
    with tempfile.TemporaryDirectory() as folder:

        def once() -> Any:
            command = [sys.executable, "-m", "dse", *words, "hydra.run.dir=run"]
            return subprocess.run(command, cwd=folder, check=True, capture_output=True)

        once()
        return timed(once)[0]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of some work, and what it gave."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def repeated(work: Callable[[], int]) -> tuple[float, int]:
    """Seconds and sum of some work that is done again and again."""
    seconds, done = 0.0, 0
    while seconds < SECONDS:
        spent, count = timed(work)
        seconds, done = seconds + spent, done + count
    return seconds, done


@contextmanager
def compiling() -> Iterator[list[str]]:
    """What is compiled meanwhile."""
    found: list[str] = []

    def note(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == COMPILED:
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


def show(found: Rates) -> None:
    """A table of the rates."""
    rows = [
        ["chips x systems, single precision", f"{found['single']['evaluations_per_second']:.3g}"],
        ["the same, those decided without working them out too", f"{found['single']['decided_per_second']:.3g}"],
        ["chips x systems, double precision", f"{found['double']['evaluations_per_second']:.3g}"],
        ["designs that share nothing, double precision", f"{found['one_by_one']['evaluations_per_second']:.3g}"],
        ["a plain program of as many operations, single", f"{found['single']['limit']:.3g}"],
    ]
    table(f"Candidate x mapping evaluations a second ({found['device']})", ["way", "1/s"], rows)
    single = found["single"]
    console.print(
        f"{found['share_of_xla_limit']:.0%} of the plain program; {single['tried_share']:.0%} of the mappings must be "
        f"worked out: {single['candidates_per_second']:.3g} designs a second; {found['compilations']} compilations "
        f"meanwhile; first evaluation of a new process after {found['seconds_to_first_evaluation']:.1f} s; "
        f"Optuna's share of a sampled search {found['optuna_share']:.0%}"
    )
