"""The study as the tables and the charts read it: display units, five digits, no NaN."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dse.evaluation.metrics import MEASURES
from dse.machine.axes import LOG_FROM
from dse.report.assets.markup import words

SHOWN = 60
"""Bars that stay legible in one chart; above, evenly spaced points are drawn."""
TEXTS = ("title", "question", "command", "experiment")
LISTS = ("objectives", "constraints", "front", "nearest", "baselines", "mappings", "assumptions", "finding")
MAPS = ("columns", "others", "counts", "seconds", "versions")


def whole(study: Mapping[str, Any]) -> dict[str, Any]:
    """The study with every section that a page reads: of older or damaged ones the missing are empty, and objectives
    and units that are nowhere said are those of the points."""
    found = dict(study)
    found |= {name: study.get(name) or "" for name in TEXTS}
    found |= {name: study.get(name) or [] for name in LISTS} | {name: study.get(name) or {} for name in MAPS}
    found["title"] = found["title"] or "A study"
    for place in ("front", "nearest", "baselines"):
        found[place] = [{"name": f"{place} {i + 1}", **one} for i, one in enumerate(found[place])]
    points = [*found["front"], *found["nearest"], *found["baselines"]]
    found["columns"] = {key: _bare(points, key) for key in ("metrics", "headroom", *MEASURES, "parameters")} | dict(
        found["columns"]
    )
    named = list(found["columns"]["metrics"])[:2]
    found["objectives"] = found["objectives"] or [{"name": name, "sense": "", "unit": ""} for name in named]
    return found


def _bare(points: Sequence[Mapping[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    """Columns of which nothing but the names is known."""
    return {name: {"unit": "", "factor": 1.0} for point in points for name in point.get(key) or {}}


def view_of(study: Mapping[str, Any]) -> dict[str, Any]:
    """The study in display units, the objectives first among the metrics; the nearest where there is no front."""
    wanted = {item["name"]: item for item in study["objectives"]}
    columns = study["columns"]
    metrics = {name: wanted.get(name, {}) | columns["metrics"].get(name, {}) for name in [*wanted, *columns["metrics"]]}
    places = {"metrics": metrics, "headroom": columns.get("headroom", {})}
    points = [_point(point, places) for point in study["front"] or study.get("nearest") or []]
    baselines = [_point(point, places) for point in study.get("baselines", [])]
    causes = {key: {name: spec.get("means", "") for name, spec in columns.get(key, {}).items()} for key in MEASURES}
    return {
        "front": bool(study["front"]),
        "log_from": LOG_FROM,
        "points": points,
        "baselines": baselines,
        "others": {kind: _table(table, metrics) for kind, table in study.get("others", {}).items()},
        "objectives": list(wanted),
        "parameters": {name: _column(name, spec) for name, spec in columns.get("parameters", {}).items()},
        "causes": causes,
        "measures": {key: metric for key, metric in MEASURES.items() if causes[key] and metric in metrics},
        "bars": _thinned(points, next(iter(wanted), "")),
        "sensitivity": {point["name"]: _sensitivity(point["sensitivity"]) for point in study["front"]
                        if point.get("sensitivity")},
        "mappings": {one["point"]: one for one in study.get("mappings", []) if "point" in one},
        "command": study.get("command") or "",
        **{key: {name: _column(name, spec) for name, spec in place.items()} for key, place in places.items()},
    }  # fmt: skip


def _point(point: Mapping[str, Any], places: Mapping[str, Mapping]) -> dict[str, Any]:
    misses = point.get("violations") or ""
    row = {
        "name": point["name"],
        "command": point.get("command", ""),
        "feasible": point.get("feasible", not misses),
        "misses": misses if isinstance(misses, str) else ", ".join(misses),
        "bounds": {},
    }
    for key, place in places.items():
        row[key] = {name: _scaled((point.get(key) or {}).get(name), spec) for name, spec in place.items()}
    for name, found in ((point.get("bounds") or {}).get("metrics") or {}).items():
        ends = [_scaled(found.get(share), places["metrics"].get(name, {})) for share in ("p5", "p95")]
        if None not in ends:
            row["bounds"][name] = ends
    for key in ("parameters", "mapping", "counterparts"):
        row[key] = {name: _tidy(value) for name, value in (point.get(key) or {}).items()}
    row["chance"] = {
        name: f"{value:.3g}" for name, value in (point.get("chance") or {}).items() if _finite(value) is not None
    }
    for key in MEASURES:
        row[key] = {name: _digits(_finite(value) or 0.0) for name, value in (point.get(key) or {}).items()}
    return row


def _sensitivity(found: Mapping[str, Any]) -> dict[str, Any]:
    """Slopes and moves of a point, without what is no number."""
    slopes = {
        name: {path: _digits(value) for path, value in each.items() if _finite(value) is not None}
        for name, each in found.get("elasticities", {}).items()
    }
    kept = ("path", "counted", "change", "effect", "from", "to", "unit")
    moves = {
        name: [
            {key: one.get(key) for key in kept} | {"breaks": list(one.get("breaks", {}))}
            for one in each
            if None not in (_finite(one.get("effect")), _finite(one.get("change")))
        ]
        for name, each in found.get("effects", {}).items()
    }
    return {"elasticities": slopes, "effects": moves}


def _column(name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    unit = re.sub(r"m\^?2\b", "m\u00b2", spec.get("unit") or "")
    return {"label": words(name), "unit": unit, "means": spec.get("means") or "", "sense": spec.get("sense") or ""}


def _table(table: Mapping[str, Iterable[Any]], metrics: Mapping[str, Mapping]) -> dict[str, list]:
    return {name: [_scaled(value, metrics.get(name, {})) for value in column] for name, column in table.items()}


def _finite(value: Any) -> float | None:
    return None if not isinstance(value, (int, float)) or not math.isfinite(value) else float(value)


def _digits(value: float) -> float:
    """A number in five digits."""
    return float(f"{value:.5g}")


def _scaled(value: Any, spec: Mapping[str, Any]) -> float | None:
    """SI -> display unit."""
    finite = _finite(value)
    return None if finite is None else _digits(finite * spec.get("factor", 1.0))


def _tidy(value: Any) -> str:
    """A parameter as text: no 1.2000000000000002, no 8.0."""
    if value is None:
        return "\u2013"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _thinned(points: Sequence[dict], objective: str) -> list[str]:
    """Names in the order of the objective, evenly thinned to what one chart can show."""
    known = [point for point in points if any(point["shares"].values())]
    ranked = sorted(
        known, key=lambda point: (point["metrics"].get(objective) is None, point["metrics"].get(objective) or 0.0)
    )
    count = min(len(ranked), SHOWN)
    return [ranked[round(i * (len(ranked) - 1) / max(count - 1, 1))]["name"] for i in range(count)]
