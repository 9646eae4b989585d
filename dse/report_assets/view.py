"""The study as the tables and the charts read it: display units, five digits, no NaN."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dse.report_assets.markup import words

SHOWN = 60
"""Bars that stay legible in one chart; above, evenly spaced points are drawn."""
SHARES = ("shares", "energy_shares", "cost_shares", "carbon_shares")


def view_of(study: Mapping[str, Any]) -> dict[str, Any]:
    """The study in display units, the objectives first among the metrics; the nearest where there is no front."""
    wanted = {item["name"]: item for item in study["objectives"]}
    columns = study["columns"]
    metrics = {name: wanted.get(name, {}) | columns["metrics"].get(name, {}) for name in [*wanted, *columns["metrics"]]}
    places = {"metrics": metrics, "headroom": columns.get("headroom", {})}
    points = [_point(point, places) for point in study["front"] or study.get("nearest") or []]
    return {
        "front": bool(study["front"]),
        "points": points,
        "baselines": [_point(point, places) for point in study.get("baselines", [])],
        "others": {kind: _table(table, metrics) for kind, table in study.get("others", {}).items()},
        "objectives": list(wanted),
        "parameters": {name: _column(name, spec) for name, spec in columns.get("parameters", {}).items()},
        "causes": {key: {name: spec.get("means", "") for name, spec in columns.get(key, {}).items()} for key in SHARES},
        "bars": _thinned(points, next(iter(wanted))),
        **{key: {name: _column(name, spec) for name, spec in place.items()} for key, place in places.items()},
    }


def _point(point: Mapping[str, Any], places: Mapping[str, Mapping]) -> dict[str, Any]:
    misses = point.get("violations") or ""
    row = {
        "name": point["name"],
        "command": point.get("command", ""),
        "feasible": point.get("feasible", not misses),
        "misses": misses if isinstance(misses, str) else ", ".join(misses),
    }
    for key, place in places.items():
        row[key] = {name: _scaled(point.get(key, {}).get(name), spec) for name, spec in place.items()}
    for key in ("parameters", "mapping", "chance"):
        row[key] = {name: _tidy(value) for name, value in point.get(key, {}).items()}
    for key in SHARES:
        row[key] = {name: _finite(value) or 0.0 for name, value in point.get(key, {}).items()}
    return row


def _column(name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    unit = (spec.get("unit") or "").replace("^2", "\u00b2").replace("^3", "\u00b3")
    return {"label": words(name), "unit": unit, "means": spec.get("means") or "", "sense": spec.get("sense") or ""}


def _table(table: Mapping[str, Iterable[Any]], metrics: Mapping[str, Mapping]) -> dict[str, list]:
    return {name: [_scaled(value, metrics.get(name, {})) for value in column] for name, column in table.items()}


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _scaled(value: Any, spec: Mapping[str, Any]) -> float | None:
    """SI -> display unit."""
    finite = _finite(value)
    return None if finite is None else float(f"{finite * spec.get('factor', 1.0):.5g}")


def _tidy(value: Any) -> str:
    """A parameter as text: no 1.2000000000000002, no 8.0."""
    if value is None:
        return "\u2013"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _thinned(points: Sequence[dict], objective: str) -> list[str]:
    """Names in the order of the objective, evenly thinned to what one chart can show."""
    known = [point for point in points if any(point["shares"].values())]
    ranked = sorted(known, key=lambda point: (point["metrics"][objective] is None, point["metrics"][objective] or 0.0))
    count = min(len(ranked), SHOWN)
    return [ranked[round(i * (len(ranked) - 1) / max(count - 1, 1))]["name"] for i in range(count)]
