"""The front as front.csv and as a table in the terminal."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.evaluation.metrics import SECTIONS
from dse.evaluation.results import DEGREES, head
from dse.machine.findings import labelled
from dse.run.console import console, table
from dse.run.numbers import digits
from dse.search.progress import in_words

MOST_ROWS = 30  # rows of the front that the terminal shows


def front_columns(study: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Heads of front.csv with what reads their cells from a point."""
    columns: list[tuple[str, Any]] = [("name", lambda p: p["name"])]
    for key, shown in study["columns"]["parameters"].items():
        columns.append((head(key, shown["unit"]), lambda p, key=key: p["parameters"][key]))
    for section in SECTIONS:
        for name, shown in study["columns"][section].items():
            label = name if section == "metrics" else f"{section}.{name}"
            factor = shown["factor"]
            cell = lambda p, s=section, n=name, f=factor: p[s][n] * f  # noqa: E731
            columns.append((head(label, shown["unit"]), cell))
    columns += sure_columns(study)
    names = (*DEGREES, "weights", "cache")
    columns += [(f"mapping.{name}", lambda p, n=name: p["mapping"][n]) for name in names]
    return [*columns, ("command", lambda p: p["command"])]


def sure_columns(study: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The chance of each point to be on the front, and the bounds of its objectives, where machines were drawn."""
    if not all("chance" in p for p in study["front"]) or not study["front"]:
        return []
    columns: list[tuple[str, Any]] = [
        ("chance.works", lambda p: p["chance"]["works"]),
        ("chance.front", lambda p: p["chance"]["front"]),
    ]
    for goal in study["objectives"]:
        shown = study["columns"]["metrics"][goal["name"]]
        for share in ("p5", "p50", "p95"):
            cell = lambda p, n=goal["name"], s=share, f=shown["factor"]: p["bounds"]["metrics"][n][s] * f  # noqa: E731
            columns.append((head(f"{goal['name']}.{share}", shown["unit"]), cell))
    return columns


def write_front(path: Path, study: Mapping[str, Any]) -> None:
    """front.csv: units in the heads, the command line that rebuilds each point last."""
    columns = front_columns(study)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([name for name, _ in columns])
        writer.writerows([cell(p) for _, cell in columns] for p in study["front"])


def show(study: Mapping[str, Any], folder: Path) -> None:
    """The front as a table, the baselines under it, and where everything is."""
    points = study["front"] or study["nearest"]
    goals = {o["name"]: study["columns"]["metrics"][o["name"]] for o in study["objectives"]}
    units = {key: shown["unit"] for key, shown in study["columns"]["parameters"].items()}
    labels = [labelled(p) for p in points]
    varied = [key for key in units if len({label[key] for label in labels}) > 1]
    heads = ["", *(head(n, g["unit"]) for n, g in goals.items()), *(head(short(k, units), units[k]) for k in varied)]
    rows = [_row(p, label, varied, goals) for p, label in zip(points, labels, strict=True)][:MOST_ROWS]
    rows += [_row(p, {}, varied, goals) for p in study["baselines"]]
    fit = fitting([h.replace("_", " ") for h in heads], rows, console.width)
    table(f"{summary(study)} (modelled; baselines last)", fit, [row[: len(fit)] for row in rows])
    left_out = varied[len(fit) - 1 - len(goals) :] if len(fit) < len(heads) else []
    notes = [f"{key}={_cell(labels[0][key])} {units[key]}".strip() for key in units if labels and key not in varied]
    for words in (
        f"in front.csv as well: {', '.join(left_out)}" if left_out else "",
        f"more rows in front.csv: {len(points) - MOST_ROWS}" if len(points) > MOST_ROWS else "",
        f"the same for all of them: {', '.join(notes)}" if notes else "",
        *study["finding"],
        in_words(study["progress"]),
        f"report      {folder / 'report.html'}",
    ):
        if words:
            console.print(words)


def fitting(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """As many of the first columns as a terminal of this width shows without breaking a word."""
    taken = 1
    for n, name in enumerate(heads):
        words = [*name.split(), *(row[n] for row in rows)] if n else [w for row in rows for w in row[0].split()]
        taken += max((len(word) for word in words), default=0) + 3
        if taken > width:
            return list(heads[: max(n, 2)])
    return list(heads)


def short(key: str, keys: Iterable[str]) -> str:
    """As few of a key's last words as tell it from the others: `cores`, `rack fanout`."""
    split = [other.replace("/", ".").split(".") for other in keys]
    words = key.replace("/", ".").split(".")
    alike = (n for n in range(1, len(words) + 1) if sum(other[-n:] == words[-n:] for other in split) == 1)
    return " ".join(words[-next(alike, len(words)) :]).replace(" fanout", "")


def summary(study: Mapping[str, Any]) -> str:
    """How many designs were evaluated, and how many are feasible and on the front."""
    counts = study["counts"]
    if not study["front"]:
        return f"none of {counts['evaluated']:,} designs keeps every constraint; the nearest"
    return f"{counts['front']} points on the front of {counts['evaluated']:,} designs, {counts['feasible']:,} feasible"


def _row(p: Mapping[str, Any], label: Mapping[str, Any], keys: Sequence[str], goals: Mapping[str, Any]) -> list[str]:
    answers = (digits(p["metrics"][name] * shown["factor"]) for name, shown in goals.items())
    return [p["name"], *answers, *(_cell(label.get(key)) for key in keys)]


def _cell(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:g}"
