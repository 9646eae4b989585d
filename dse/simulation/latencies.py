"""What serving a trace came to: latencies, rates, goodput, queues, batches, from what became of each request.

Counted are the requests that are neither among the first (`warm_up`: the machine fills) nor the last (`drain`: it
empties); the others are served beside them all the same. Rates are of what happens between the arrivals of the first
and the last counted request, whoever it belongs to; where fewer than half of the counted ones are done by then (all
came at once, or far too many), until the last token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.evaluation.rules import Rules
from dse.simulation.simulate import Served

SHOWN = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True)
class Targets:
    """Upper limits, s."""

    time_to_first_token: float
    time_per_output_token: float


def latencies(served: Served) -> dict[str, np.ndarray]:
    """Seconds [request] of each latency; NaN for the refused, and per output token for answers of one token.

    time_per_output_token : (last - first) / (output - 1), so waits between two tokens count;
    queueing : from the arrival until the prompt begins to be filled.
    """
    arrival, output = served.trace.arrival, served.trace.output
    gaps = np.where(output > 1, output - 1, np.nan)
    return {
        "time_to_first_token": served.first - arrival,
        "time_per_output_token": (served.last - served.first) / gaps,
        "end_to_end": served.last - arrival,
        "queueing": np.where(served.refused, np.nan, served.admitted - arrival),
    }


def met(served: Served, targets: Targets) -> np.ndarray:
    """Which requests [request] meet both targets; an answer of one token needs only the first, the refused miss."""
    found = latencies(served)
    slow = found["time_per_output_token"] > targets.time_per_output_token
    return (found["time_to_first_token"] <= targets.time_to_first_token) & ~slow


def counted(served: Served, rules: Rules) -> slice:
    """The requests between warm-up and drain; at least one."""
    many = len(served.trace)
    first = min(int(rules.warm_up * many), many - 1)
    return slice(first, max(first + 1, many - int(rules.drain * many)))


def attainment(served: Served, rules: Rules, targets: Targets) -> float:
    """The share of the counted requests that meet both targets."""
    return float(np.mean(met(served, targets)[counted(served, rules)]))


def answers(served: Served, rules: Rules, targets: Targets) -> dict[str, Any]:
    """Everything at once: plain data in SI units."""
    chosen, good = counted(served, rules), met(served, targets)
    start, end = window(served, chosen)
    found = {name: summary(values[chosen]) for name, values in latencies(served).items()}
    return {
        "latencies": found,
        "attainment": attainment(served, rules, targets),
        **rates(served, good, start, end),
        "targets": vars(targets),
        "requests": {
            "all": len(good),
            "counted": chosen.stop - chosen.start,
            "refused": int(np.sum(served.refused)),
            "preempted": int(np.sum(served.preemptions > 0)),
        },
        "preemptions": int(np.sum(served.preemptions)),
        "prefix_hits": float(np.sum(served.hits) / np.sum(served.trace.prompt)),
        "window": {"start": start, "end": end},
        **occupancy(served, start, end),
    }


def summary(values: np.ndarray) -> dict[str, float | None]:
    """Mean, quantiles and maximum of what is known; none where nothing is."""
    known = values[~np.isnan(values)]
    if not len(known):
        return dict.fromkeys(("mean", *SHOWN))
    found: dict[str, float | None] = {name: float(np.quantile(known, q)) for name, q in SHOWN.items()}
    return {"mean": float(np.mean(known)), **found}


def window(served: Served, chosen: slice) -> tuple[float, float]:
    """The time that rates are of, s."""
    arrival, last = served.trace.arrival, served.last
    start, end = float(arrival[chosen][0]), float(arrival[chosen][-1])
    if np.mean(last[chosen] <= end) < 0.5 and not np.all(served.refused):
        end = float(np.nanmax(last))
    return start, max(end, start)


def rates(served: Served, good: np.ndarray, start: float, end: float) -> dict[str, Any]:
    """Throughput of all, and goodput of those who met both targets: requests and tokens of answers a second."""
    span, output = end - start, served.trace.output
    ended = (served.last >= start) & (served.last <= end)
    shares = {"throughput": np.ones(len(good), bool), "goodput": good}
    return {
        name: {
            "requests_per_second": float(np.sum(ended & kept)) / span if span else 0.0,
            "tokens_per_second": float(np.sum(between(served, start, end)[kept] * output[kept])) / span
            if span
            else 0.0,
        }
        for name, kept in shares.items()
    }


def between(served: Served, start: float, end: float) -> np.ndarray:
    """The share [request] of each answer that comes between two times: its tokens spread evenly from first to last."""
    length = np.maximum(served.last - served.first, 1e-9)
    inside = np.minimum(served.last, end) - np.maximum(served.first, start)
    instant = (served.first >= start) & (served.first <= end) & (served.trace.output == 1)
    share = np.where(served.trace.output == 1, instant, np.clip(inside / length, 0, 1))
    return np.where(served.refused, 0.0, share)


def occupancy(served: Served, start: float, end: float) -> dict[str, Any]:
    """How full the machine was: means over the window, of one replica where it says so.

    batch : sequences that decode in a pass that has any, one replica; in_flight, cache : all replicas, means over time;
    utilisation : share of the replicas' time in which they run passes.
    """
    if not len(served.passes) or end <= start:
        return {}
    begins, ends, _, decodes, inside, _, held, _ = served.passes.T
    seconds = np.clip(np.minimum(ends, end) - np.maximum(begins, start), 0, None)
    span, decoding = end - start, decodes > 0
    busy = float(np.sum(seconds[decoding]))
    return {
        "batch": {"mean": float(decodes @ seconds) / busy if busy else 0.0, "max": float(np.max(decodes))},
        "in_flight": {"mean": float(inside @ seconds) / span, "max_of_a_replica": float(np.max(inside))},
        "queue": queue(served, start, end),
        "cache": {
            "mean": float(held @ seconds) / span,
            "max_of_a_replica": float(np.max(held)),
            "mean_share": float(held @ seconds) / span / served.cache_capacity,
        },
        "utilisation": float(np.sum(seconds)) / span / served.replicas,
    }


def queue(served: Served, start: float, end: float) -> dict[str, float]:
    """Requests that wait, on all replicas: mean over time and maximum."""
    if not len(served.queue):
        return {"mean": 0.0, "max": 0.0}
    times, lengths = served.queue[:, 0], np.cumsum(served.queue[:, 1])
    until = np.r_[times[1:], max(end, times[-1])]
    seconds = np.clip(np.minimum(until, end) - np.maximum(times, start), 0, None)
    return {"mean": float(lengths @ seconds) / (end - start), "max": float(np.max(lengths))}


def table(served: Served, targets: Targets) -> Mapping[str, np.ndarray]:
    """A column for each thing that is known of every request: requests.parquet."""
    trace = served.trace
    given = {"arrival": trace.arrival, "prompt": trace.prompt, "output": trace.output}
    became = {name: getattr(served, name) for name in ("admitted", "first", "last", "preemptions", "hits", "replica")}
    return given | became | latencies(served) | {"met": met(served, targets), "refused": served.refused}
