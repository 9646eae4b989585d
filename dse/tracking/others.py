"""What is logged of served traces, receipts and validations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dse.tracking import notes
from dse.tracking.keys import chosen, key, number
from dse.tracking.runs import LONGEST_NAME, DataSet, Run, catalogue, shared_tags, short
from dse.tracking.tables import write_table

TAILS = ("mean", "p50", "p90", "p99", "max")
RATES = ("throughput", "goodput")
ERRORS = ("count", "median_absolute_error", "p90_absolute_error", "bias", "inside_spread")


def of_service(folder: Path, result: Mapping[str, Any], files: list[Path]) -> list[Run]:
    """One flat run for a served trace."""
    trace, choices = result["trace"], result.get("choices", {})
    params = chosen(choices, result.get("command", "")) | {"trace": trace["name"], "requests": trace["requests"]}
    params |= {name: choices[name] for name in ("scheduler", "prefill", "draft") if choices.get(name)}
    params |= {f"mapping.{name}": value for name, value in result.get("machine", {}).items()}
    title = " ".join(choices.get(group, "") for group in ("hw", "model", "format")).strip()
    name = f"{title}, {trace['name']} at {trace['rate']:.3g} requests/s"
    tags = shared_tags(result) | {"dse.kind": "serve", "dse.trace": trace["name"],
                                  "mlflow.note.content": notes.of_service(result)}  # fmt: skip
    data = catalogue(result)
    if trace.get("digest"):
        told = {"requests": trace["requests"], "rate": trace["rate"], "duration s": trace["duration"]}
        data.append(
            DataSet(str(trace["name"]), trace["digest"], str(trace.get("source") or trace["name"]), "trace", told)
        )
    return [Run("serve", short(name, LONGEST_NAME), tags, params, of_latencies(result), files, datasets=data)]


def of_latencies(result: Mapping[str, Any]) -> dict[str, float]:
    """Tails of latencies in ms, rates, load and how many requests meet their targets."""
    found = {key(f"{name}/{column}", "ms"): number(tails[column] * 1e3) for name, tails in result["latencies"].items()
             for column in TAILS if tails.get(column) is not None}  # fmt: skip
    for name in RATES:
        for unit, value in result.get(name, {}).items():
            found[
                key(name, unit.replace("_per_second", "/s").replace("requests", "request").replace("tokens", "token"))
            ] = number(value)
    shares = {"attainment": result.get("attainment"), "utilisation": result.get("utilisation"),
              "prefix_hits": result.get("prefix_hits"), "preemptions": result.get("preemptions"),
              "batch mean": result.get("batch", {}).get("mean"), "queue mean": result.get("queue", {}).get("mean"),
              "in_flight mean": result.get("in_flight", {}).get("mean"),
              key("trace rate", "request/s"): result["trace"].get("rate"),
              key("largest_rate", "request/s"): (result.get("largest_rate") or {}).get("rate")}  # fmt: skip
    return found | {name: number(float(value)) for name, value in shares.items() if value is not None}


def of_receipts(folder: Path, content: Mapping[str, Any], files: list[Path]) -> list[Run]:
    """One run for all receipts: how many of each verdict, and the claims as a table."""
    named = [one["name"] for one in content["receipts"]]
    title = f"receipts: {named[0]}" if len(named) == 1 else f"receipts: {len(named)} claims"
    numbers = {f"verdict/{kind}": float(count) for kind, count in content.get("counts", {}).items()}
    numbers |= {"count/claims": float(len(named)), **timed(content)}
    tags = shared_tags(content) | {"dse.kind": "receipts", "mlflow.note.content": notes.of_receipts(content)}

    def draw(place: Path) -> list[str]:
        rows = [[one["name"], line["quantity"].replace("_", " "), *(line[name] for name in SHOWN), line["unit"],
                 one["verdict"]["kind"], one["verdict"]["words"]]
                for one in content["receipts"] for line in one["lines"] or [NO_LINE]]  # fmt: skip
        return write_table(place / "claims.json", ["claim", "quantity", *SHOWN, "SI unit", "verdict", "why"], rows)

    return [Run("receipts", title, tags, {"claims": short(", ".join(named), 500)}, numbers, files, draw,
                catalogue(content), float(content.get("seconds", 0.0)))]  # fmt: skip


SHOWN = ("claimed", "modelled", "lower", "upper")
NO_LINE: dict[str, Any] = {"quantity": "", "unit": ""} | dict.fromkeys(SHOWN)


def timed(content: Mapping[str, Any]) -> dict[str, float]:
    seconds = content.get("seconds")
    return {key("time/total", "s"): number(seconds)} if isinstance(seconds, (int, float)) else {}


def of_validation(folder: Path, content: Mapping[str, Any], files: list[Path]) -> list[Run]:
    """One run for a suite: errors of all its rows and of each group, as fractions, and the rows as a table."""
    numbers = errors("", content["overall"])
    for by in ("by_quantity", "by_kind", "in_sample", "leave_one_chip_out"):
        groups = content.get(by) or {}
        told = groups if by.startswith("by_") else {by: groups}
        for name, found in told.items():
            numbers |= errors(f"{name}/", found)
    tags = shared_tags(content) | {"dse.kind": "validate", "dse.suite": content["suite"],
                                   "mlflow.note.content": notes.of_validation(content)}  # fmt: skip
    data = catalogue(content)
    if content.get("data_digest"):
        data.append(DataSet(content["suite"], content["data_digest"], Path(content["data"]).name, "measured",
                            {"rows": len(content["rows"])}))  # fmt: skip

    def draw(place: Path) -> list[str]:
        names = list(dict.fromkeys(name for row in content["rows"] for name in row))
        rows = [[cell(row.get(name)) for name in names] for row in content["rows"]]
        return write_table(place / "rows.json", names, rows)

    return [
        Run(
            "validate", f"validation: {content['suite']}", tags, {"suite": content["suite"]}, numbers, files, draw, data
        )
    ]


def cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (dict, list)) else value


def errors(lead: str, found: Mapping[str, Any]) -> dict[str, float]:
    """Errors of some rows by name, where there are any."""
    return {key(f"{lead}{name}"): number(float(found[name])) for name in ERRORS if found.get(name) is not None}
