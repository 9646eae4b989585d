"""task=serve: a trace of requests served by the composed machine, request by request."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from dse.configuration.compose import Origin
from dse.configuration.schema import build
from dse.evaluation.evaluate import Candidate
from dse.evaluation.rules import Rules, StepTimes
from dse.problem.session import Session, about
from dse.problem.template import template
from dse.run.answers import LEFT
from dse.run.bars import activity, bar
from dse.run.console import console
from dse.run.outcome import ended
from dse.run.store import write_json, write_whole
from dse.simulation import latencies
from dse.simulation import report as serve_report
from dse.simulation.latencies import Targets
from dse.simulation.picture import picture
from dse.simulation.rates import Largest, largest_rate
from dse.simulation.simulate import Served, simulate
from dse.simulation.step_times import filling_times, steady_state, step_times
from dse.traffic.traces import Trace, load
from hw.link import Link
from hw.units import Rule

IDLE = 1e-4  # of the trace's rate: so slow that every request is alone
BINS = 240  # of the time line
POINTS = 201  # of a distribution
TOLD = {  # rules that others say, and where
    "chunk": "scheduler=chunked scheduler.chunk=…",
    "continuous": "scheduler=static or another scheduler",
    "hits": "serving.hits=…",
}


def run(session: Session) -> None:
    """Simulate, write serve.json, requests.parquet and serving.svg, print."""
    config = session.config
    recorded = load(config["trace"], config["rate"], config["requests"], session.seed, session.folders)
    targets = read_targets(config["serving"])
    found = template(session.overrides)
    rules = rules_of(session, found.candidate)
    trace = within(recorded, int(found.candidate.model.longest_context))
    with activity("compiling and timing the steps of the machine"):
        times, description = step_times(found, session.wanted, rules, trace)
        filling = filling_times(found, description, rules, trace)
    with activity(f"serving {len(trace):,} requests"):
        served = simulate(trace, times, rules, filling)
    result = answer(served, rules, targets, largest(trace, times, rules, targets, filling))
    if "in_flight" in result:
        result["steady"] = steady_state(found, session.wanted, description, trace, result["in_flight"]["mean"])
    result |= {"machine": description, "replicas": served.replicas, "slots": served.slots}
    result["cache_per_replica"] = served.cache_capacity / served.replicas
    content = result | about(session)
    write(session, served, targets, content)
    serve_report.show(result, description, rules)
    ended("serve", content, LEFT["serve"].files(session.folder))


def rules_of(session: Session, candidate: Candidate) -> Rules:
    """The rules of the simulation, with what the scheduler and the traffic say of prompts."""
    for name, place in TOLD.items():
        if name in session.config["simulation"]:
            raise ValueError(f"simulation.{name}: a simulation takes that from elsewhere; write {place}")
    rules: Rules = build(session.config["simulation"], "simulation", Origin(session.overrides))
    scheduler = candidate.scheduler
    told = {"chunk": float(scheduler.beside), "continuous": float(scheduler.continuous)}
    if candidate.prefill is not None:
        if rules.prefill_replicas:
            raise ValueError(
                f"simulation.prefill_replicas: {rules.prefill_replicas:g} of the machine's own replicas fill "
                "prompts, but prefill=… names a pool for that; write 0, or prefill=none"
            )
        told |= crossing(candidate.prefill.link)
    return dataclasses.replace(rules, **told, hits=float(candidate.serving.hits))


def crossing(link: Link) -> dict[str, float]:
    """Bandwidth and latency of a link as its longer messages meet them."""
    latency, moved = float(link.send(0.0)), 1e9
    return {"transfer_bandwidth": moved / (float(link.send(moved)) - latency), "transfer_latency": latency}


def within(trace: Trace, most: int) -> Trace:
    """The requests that the model can attend to; ValueError where there is none."""
    fits = trace.prompt + trace.output <= most
    if not fits.any():
        raise ValueError(
            f"trace: every request of {trace.name} is longer than {most:,} tokens, to which the model attends; "
            "name another model or trace"
        )
    if not fits.all():
        left = int((~fits).sum())
        words = f"{left:,} of {len(trace):,} requests are longer than {most:,} tokens, the model's most, and left out"
        console.print(words, style="yellow")
    return trace.only(fits)


def read_targets(serving: Mapping[str, Any]) -> Targets:
    """The upper limits that the traffic states."""
    found = {}
    for name in ("time_to_first_token", "time_per_output_token"):
        try:
            found[name] = Rule("s", above=0).read(serving[f"{name}_target"])
        except ValueError as error:
            raise ValueError(f"serving.{name}_target: {error}") from None
    return Targets(**found)


def answer(served: Served, rules: Rules, targets: Targets, found: Largest | None) -> dict[str, Any]:
    """All that serve.json says of the simulation."""
    columns = latencies.latencies(served)
    chosen = latencies.counted(served, rules)
    more = {
        "largest_rate": found and vars(found) | {"requests": searched(served.trace, rules)},
        "trace": served.trace.statistics(),
    }
    shares = np.linspace(0, 1, POINTS)
    known = {name: values[chosen][~np.isnan(values[chosen])] for name, values in columns.items()}
    quantiles = {name: np.quantile(values, shares) for name, values in known.items() if len(values)}
    return (
        latencies.answers(served, rules, targets)
        | more
        | {"distributions": {"share": shares} | quantiles, "timeline": timeline(served)}
    )


def largest(
    trace: Trace, times: StepTimes, rules: Rules, targets: Targets, filling: StepTimes | None = None
) -> Largest | None:
    """The largest rate at which enough requests meet both targets; none where it is not asked for or has no meaning."""
    few = trace.first(searched(trace, rules))
    if len(few) < 2 or few.rate == 0:
        return None
    with bar("simulations at other rates", 14) as advance:

        def attained(rate: float) -> float:
            share = latencies.attainment(simulate(few.at(rate), times, rules, filling), rules, targets)
            advance(1)
            return share

        alone = attained(trace.rate * IDLE)
        return largest_rate(attained, trace.rate, rules.attained_share, alone)


def searched(trace: Trace, rules: Rules) -> int:
    """How many requests the largest rate is looked for with."""
    return min(len(trace), int(rules.search_requests))


def timeline(served: Served) -> dict[str, np.ndarray]:
    """Requests in flight and waiting, all replicas, means over equal times: [bin]; the time is the bin's begin, s."""
    if not len(served.passes):
        return {}
    begins, ends, inside = served.passes[:, 0], served.passes[:, 1], served.passes[:, 4]
    edges = np.linspace(served.trace.arrival[0], ends.max(), BINS + 1)
    queued = served.queue[:, 0], served.queue[:, 1]
    return {
        "time": edges[:-1],
        "in_flight": means(np.r_[begins, ends], np.r_[inside, -inside], edges),
        "waiting": means(*queued, edges),
    }


def means(times: np.ndarray, changes: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Means [bin] of a level between edges that changes at some times."""
    order = np.argsort(times, kind="stable")
    at, level = times[order], np.cumsum(changes[order])
    area = np.r_[0.0, np.cumsum(level[:-1] * np.diff(at))]
    covered = np.interp(edges, at, area, left=0.0)
    return np.maximum(np.diff(covered) / np.diff(edges), 0.0)


def write(session: Session, served: Served, targets: Targets, result: dict[str, Any]) -> None:
    """The three files of a run."""
    import pandas as pd

    session.folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(dict(latencies.table(served, targets))).to_parquet(session.folder / "requests.parquet")
    write_json(session.folder / "serve.json", result)
    title = " ".join(session.choices.get(group, "") for group in ("hw", "model", "format", "scheduler"))
    write_whole(session.folder / "serving.svg", picture(title.strip(), result))
