"""The front as front.csv and as a table in the terminal."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.console import console, digits, table
from dse.results import head

MOST_ROWS = 30  # rows of the front that the terminal shows


def front_columns(study: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Heads of front.csv with what reads their cells from a point."""
    columns: list[tuple[str, Any]] = [("name", lambda p: p["name"])]
    for key, shown in study["columns"]["parameters"].items():
        columns.append((head(key, shown["unit"]), lambda p, key=key: p["parameters"][key]))
    for section in ("metrics", "headroom", "shares", "energy_shares"):
        for name, shown in study["columns"][section].items():
            label = name if section == "metrics" else f"{section}.{name}"
            factor = shown["factor"]
            cell = lambda p, s=section, n=name, f=factor: p[s][n] * f  # noqa: E731
            columns.append((head(label, shown["unit"]), cell))
    names = ("tensor", "pipeline", "expert", "data", "batch", "users", "weights", "cache")
    columns += [(f"mapping.{name}", lambda p, n=name: p["mapping"][n]) for name in names]
    return [*columns, ("command", lambda p: p["command"])]


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
    varied = [key for key in units if len({p["parameters"][key] for p in points}) > 1]
    heads = [
        "",
        *(head(name, shown["unit"]) for name, shown in goals.items()),
        *(head(short(key, units), units[key]) for key in varied),
    ]
    rows = [_row(p, varied, goals) for p in unlike(points, goals)[:MOST_ROWS]]
    rows += [_row(p | {"parameters": {}}, varied, goals) for p in study["baselines"]]
    table(f"{summary(study)} (modelled; baselines last)", [h.replace("_", " ") for h in heads], rows)
    same = [f"{key}={_cell(points[0]['parameters'][key])} {units[key]}".strip() for key in units if key not in varied]
    if same and points:
        console.print(f"the same for all of them: {', '.join(same)}")
    for words in study["finding"]:
        console.print(words)
    console.print(f"report      {folder / 'report.html'}")


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


def unlike(points: list[dict[str, Any]], goals: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Points without those that equal an earlier one in every objective."""
    first: dict[tuple[float, ...], dict[str, Any]] = {}
    for p in points:
        first.setdefault(tuple(p["metrics"][name] for name in goals), p)
    return list(first.values())


def _row(p: Mapping[str, Any], keys: Sequence[str], goals: Mapping[str, Any]) -> list[str]:
    answers = (digits(p["metrics"][name] * shown["factor"]) for name, shown in goals.items())
    return [p["name"], *answers, *(_cell(p["parameters"].get(key)) for key in keys)]


def _cell(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:g}"
