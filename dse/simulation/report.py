"""What a person is told of a simulated trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dse.evaluation.rules import Rules
from dse.run.console import console, table
from dse.run.numbers import amount, digits
from hw.units import readable

LATENCIES = {
    "time_to_first_token": "from arrival to the first token",
    "time_per_output_token": "mean gap between a request's tokens",
    "end_to_end": "from arrival to the last token",
    "queueing": "from arrival until its prompt is begun",
}
LONG = 20  # targets of the time to first token that a trace must last, for a queue that grows to show
COLUMNS = ("mean", "p50", "p90", "p99", "max")


def show(result: Mapping[str, Any], description: Mapping[str, Any], rules: Rules) -> None:
    """The trace, the latencies, the rates and what they mean."""
    console.print(trace_in_words(result["trace"]))
    console.print("machine: " + "  ".join(f"{name} {value}" for name, value in description.items()))
    counted, every = result["requests"]["counted"], result["requests"]["all"]
    rows = [_latency(name, result["latencies"][name]) for name in LATENCIES]
    heads = ["latency", *COLUMNS, "unit", "what it is"]
    table(f"latencies (simulated; {counted:,} of {every:,} requests counted)", heads, rows)
    table("rates and load (simulated)", ["answer", "value", "unit", "what it is"], _rates(result))
    if "steady" in result:
        table(
            f"against the steady state of {result['steady']['users']:.4g} in flight, all of mean length (modelled)",
            ["answer", "steady", "simulated, mean", "unit", "what the steady state leaves out"],
            _against(result),
        )
    for words in warnings(result):
        console.print(words, style="yellow")
    console.print(verdict(result, rules), style="bold")


def trace_in_words(trace: Mapping[str, Any]) -> str:
    """The trace as a line."""
    lengths = [f"{name} {trace[name]['mean']:,.0f} ({trace[name]['p50']:,.0f} / {trace[name]['p99']:,.0f})"
               for name in ("prompt", "output")]  # fmt: skip
    return (
        f"trace: {trace['name']}, {trace['requests']:,} requests at {trace['rate']:.4g} a second; "
        f"tokens, mean (p50 / p99): {', '.join(lengths)}"
    )


def _latency(name: str, found: Mapping[str, float | None]) -> list[str]:
    factor, unit = readable("s", found["p50"] or 0.0)
    cells = [digits(None if found[column] is None else (found[column] or 0.0) * factor) for column in COLUMNS]
    return [name, *cells, unit, LATENCIES[name]]


def _rates(result: Mapping[str, Any]) -> list[list[str]]:
    """Rows of answer, value, unit, what it is."""
    rows = [["attainment", f"{result['attainment']:.1%}", "", "share of the requests that meet both targets"]]
    for name, means in (("throughput", "all that is served"), ("goodput", "of requests that meet both targets")):
        rows += [
            [name, digits(result[name]["requests_per_second"]), "request/s", means],
            [name, digits(result[name]["tokens_per_second"]), "token/s", means],
        ]
    if "batch" in result:
        rows += [
            ["batch", digits(result["batch"]["mean"]), "sequences", "decode together in a replica's pass, mean"],
            ["in_flight", digits(result["in_flight"]["mean"]), "sequences", "in all replicas, mean over time"],
            ["queue", digits(result["queue"]["mean"]), "requests", "wait, all replicas, mean over time"],
            ["cache", f"{result['cache']['mean_share']:.1%}", "", "of the replicas' cache in use, mean over time"],
            ["utilisation", f"{result['utilisation']:.1%}", "", "of the replicas' time spent in passes"],
        ]
    rows.append(["preemptions", f"{result['preemptions']:,}", "", "times that a request was put back, its cache lost"])
    rows.append(["prefix_hits", f"{result['prefix_hits']:.1%}", "", "of the prompts' tokens were held already"])
    return rows


def _against(result: Mapping[str, Any]) -> list[list[str]]:
    """Rows of answer, steady, simulated, unit, what lies between."""
    steady, found, rows = result["steady"], result["latencies"], []
    beyond = {
        "time_to_first_token": "waiting, for others' prompts and for room; prompts of unlike lengths",
        "time_per_output_token": "batches that swell and shrink; stalls",
    }
    for name, words in beyond.items():
        mean = found[name]["mean"] or 0.0
        factor, unit = readable("s", mean)
        share = f"{mean / steady[name] - 1:+.1%}: " if steady[name] else ""
        rows.append([name, digits(steady[name] * factor), digits(mean * factor), unit, share + words])
    served = result["throughput"]["tokens_per_second"]
    rows.append(
        ["throughput", digits(steady["tokens_per_second"]), digits(served), "token/s", "users who do not come at once"]
    )
    return rows


def warnings(result: Mapping[str, Any]) -> list[str]:
    """What makes the answers less than they seem."""
    words, refused = [], result["requests"]["refused"]
    if refused:
        most = amount(result["cache_per_replica"], "B") if "cache_per_replica" in result else "its cache"
        words.append(f"{refused:,} requests are refused: prompt and answer need more than {most} of a replica")
    served, asked = result["throughput"]["requests_per_second"], result["trace"]["rate"]
    if asked and served < 0.9 * asked:
        words.append(
            f"overloaded: {asked:.4g} requests/s come and {served:.4g} are served, so the queue and all latencies grow "
            "with the length of the trace; give a lower rate="
        )
    return words


def verdict(result: Mapping[str, Any], rules: Rules) -> str:
    """The largest rate in words."""
    found, targets = result["largest_rate"], result["targets"]
    limits = " and ".join(f"{name} {limit * 1e3:.4g} ms" for name, limit in targets.items())
    asked = f"{rules.attained_share:.0%} of the requests within {limits}"
    if found is None:
        return f"targets: {limits}"
    if not found["rate"]:
        return f"no rate keeps {asked}: of requests that are served alone, {found['attainment']:.1%} are"
    many = f"{len(found['tried']) + 1} simulations of {found['requests']:,} requests"
    words = f"largest rate with {asked}: {found['rate']:.4g} requests/s ({many})"
    if not found["bounded"]:
        words += "; a lower bound: so few requests are within them even when all come at once"
    elif found["requests"] / found["rate"] < LONG * targets["time_to_first_token"]:
        needed = LONG * targets["time_to_first_token"] * found["rate"]
        words += f"; too high, since the queue had no time to grow: give simulation.search_requests={needed:.0f}"
    return words
