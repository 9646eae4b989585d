"""What a run says of itself at the head of its page: markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from dse.machine.findings import labelled
from dse.run.numbers import digits
from dse.tracking.keys import sized

MOST_ROWS = 40  # of a table in a note
LONGEST = 4800


def of_study(study: Mapping[str, Any]) -> str:
    """What the study asked and found, its front as a table, and the command."""
    found = [f"- {escape(words, quote=False)}" for words in study.get("finding", [])]
    counts = study.get("counts", {})
    told = ", ".join(f"{counts[name]:,} {name}" for name in ("evaluated", "feasible") if counts.get(name) is not None)
    parts = [
        escape(study.get("question") or "", quote=False),
        "\n".join(found),
        table_of(study),
        command(study.get("command", "")),
    ]
    return whole([*parts, f"{told}. All of them: `trials.parquet`; the whole study: `report.html`, under Artifacts."])


def table_of(study: Mapping[str, Any]) -> str:
    """The front and the baselines by their objectives."""
    goals = [goal["name"] for goal in study.get("objectives", [])]
    points = [*study.get("front", []), *study.get("baselines", [])][:MOST_ROWS]
    if not points or not goals:
        return ""
    shown = [column(study, name) for name in goals]
    rows = [[one["name"], choices(one), *(size(one["metrics"].get(name), factor) for name, (factor, _) in
             zip(goals, shown, strict=True))] for one in points]  # fmt: skip
    heads = [f"{name.replace('_', ' ')} ({unit})" for name, (_, unit) in zip(goals, shown, strict=True)]
    return table(["point", "choices", *heads], rows)


def column(study: Mapping[str, Any], name: str) -> tuple[float, str]:
    """Factor and unit of a metric, as they are logged."""
    from dse.evaluation.metrics import Metrics, units

    return sized(units(Metrics)[name]) if name in units(Metrics) else (1.0, "")


def chosen(found: Mapping[str, Any]) -> list[str]:
    """The choices of files of a point."""
    return [value for value in labelled(found).values() if isinstance(value, str)]


def choices(found: Mapping[str, Any]) -> str:
    return ", ".join(chosen(found))


def size(value: float | None, factor: float = 1.0) -> str:
    return "-" if value is None else digits(value * factor)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in markdown; numbers to the right."""
    lines = [f"| {' | '.join(heads)} |", f"|{'|'.join(['---', '---', *['---:'] * (len(heads) - 2)])}|"]
    return "\n".join([*lines, *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)])


def command(text: str) -> str:
    return f"```\n{text}\n```" if text else ""


def whole(parts: Iterable[str]) -> str:
    """The parts as one text, as long as every store takes; of what is too long the table is left out first."""
    kept = [part for part in parts if part]
    text = "\n\n".join(kept)
    if len(text) > LONGEST:
        text = "\n\n".join(part for part in kept if not part.startswith("| "))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def of_point(study: Mapping[str, Any], found: Mapping[str, Any], kind: str) -> str:
    """What a point is and what bounds it, and the command that rebuilds it."""
    what = f"Point {found['name']} of the front of" if kind == "front" else "A baseline of"
    named = choices(found)
    misses = found.get("violations") if kind == "front" or not found.get("feasible", True) else ""
    parts = [f"{what} *{study['title']}*{f': {named}' if named else ''}.", causes(found)]
    parts += (
        [f"It breaks a limit{f': {misses}' if misses else ''}."] if misses or not found.get("feasible", True) else []
    )
    return whole([*parts, "Rebuilt by", command(found.get("command", ""))])


def causes(found: Mapping[str, Any]) -> str:
    """Where time, energy and cost go, the largest parts of each."""
    sections = {"shares": "time of a token", "energy_shares": "energy", "cost_shares": "cost"}
    said = []
    for section, words in sections.items():
        largest = sorted(found.get(section, {}).items(), key=lambda item: -(item[1] or 0))[:3]
        said += [f"- {words}: " + ", ".join(f"{share:.0%} {name}" for name, share in largest)] * bool(largest)
    return "\n".join(said)


def of_evaluation(result: Mapping[str, Any]) -> str:
    """What was evaluated, what does not fit, where time and energy go, and the command."""
    said = [f"- does not fit: {words}" for words in result.get("missing", [])]
    said += [f"- {words}" for words in result.get("cautions", [])]
    return whole([result.get("title", ""), "\n".join(said), causes(result), command(result.get("command", ""))])


def of_service(result: Mapping[str, Any]) -> str:
    """Which trace was served by which machine, the tails and the largest rate."""
    trace, targets = result["trace"], result.get("targets", {})
    limits = " and ".join(f"{name.replace('_', ' ')} {digits(limit * 1e3)} ms" for name, limit in targets.items())
    first = f"{trace['requests']:,} requests of the trace *{trace['name']}*, {digits(trace['rate'])} a second."
    rows = [[name.replace("_", " "), "ms", *(size(found.get(column), 1e3) for column in ("p50", "p90", "p99"))]
            for name, found in result["latencies"].items()]  # fmt: skip
    largest, kept = result.get("largest_rate"), result.get("attainment")
    said = [f"{kept:.1%} of the requests meet both targets ({limits})." if kept is not None else ""]
    said += [f"The largest rate that keeps them: {digits(largest['rate'])} requests/s."] if largest else []
    return whole(
        [
            first,
            table(["latency", "unit", "p50", "p90", "p99"], rows),
            " ".join(said),
            command(result.get("command", "")),
        ]
    )


def of_receipts(content: Mapping[str, Any]) -> str:
    """Every claim with its verdict."""
    rows = [[one["name"], one["verdict"]["kind"], one["verdict"]["words"]] for one in content["receipts"]]
    lines = ["| claim | verdict | why |", "|---|---|---|"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    counts = ", ".join(f"{count} {kind}" for kind, count in content.get("counts", {}).items())
    return whole(
        [f"Published claims held against the model: {counts}.", "\n".join(lines), command(content.get("command", ""))]
    )


def of_validation(content: Mapping[str, Any]) -> str:
    """How far the model is off what others measured, group by group."""
    heads = ["rows of", "group", "rows", "median error", "90 % within", "bias", "inside"]
    rows = [["all", "", *errors(content["overall"])]]
    rows += [[by.removeprefix("by_"), name, *errors(found)] for by in ("by_quantity", "by_kind")
             for name, found in content.get(by, {}).items()]  # fmt: skip
    warned = "\n".join(f"- {words}" for words in content.get("warnings", []))
    return whole([f"The suite *{content['suite']}*: modelled against measured.", table(heads, rows[:MOST_ROWS]), warned,
                  command(content.get("command", ""))])  # fmt: skip


def errors(found: Mapping[str, Any]) -> list[str]:
    names = ("median_absolute_error", "p90_absolute_error", "bias", "inside_spread")
    shown = ["-" if found.get(name) is None else f"{found[name]:{'+' if name == 'bias' else ''}.1%}" for name in names]
    return [f"{found.get('count', 0):,}", *shown]
