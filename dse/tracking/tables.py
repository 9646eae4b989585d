"""Tables as MLflow shows them: JSON that its UI renders, of a size that a browser takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dse.evaluation.goals import Goals
from dse.evaluation.metrics import Metrics, units
from dse.tracking.keys import answer_key, key, mapping, number, parameters, sized

MOST_CELLS = 40_000  # of a table: the UI stands still for minutes over some hundred thousand


def write_table(path: Path, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Write rows as MLflow's own table artifact; its name, since the run's tags must name it."""
    kept = rows[: max(1, MOST_CELLS // max(len(names), 1))]
    heads = [name.replace(".", "/") for name in names]  # the UI takes a point in a name for a step into the cell
    text = json.dumps({"columns": heads, "data": [[finite(cell) for cell in row] for row in kept]})
    path.write_text(text, encoding="utf-8")
    return [path.name]


def finite(cell: Any) -> Any:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def front_table(place: Path, study: Mapping[str, Any]) -> list[str]:
    """front.json: the front and the baselines, with parameters, metrics and mapping."""
    shown = study["columns"].get("parameters", {})
    points = [*study["front"], *study.get("baselines", [])] or study.get("nearest", [])
    found = [{"point": one["name"]} | parameters(one, shown) | metrics(one) | mapping(one) for one in points]
    names = list(dict.fromkeys(name for row in found for name in row))
    return write_table(place / "front.json", names, [[row.get(name) for name in names] for row in found])


def metrics(found: Mapping[str, Any]) -> dict[str, float]:
    """Metrics alone, as they are logged."""
    known = [(name, unit, found["metrics"].get(name)) for name, unit in units(Metrics).items()]
    return {answer_key("metrics", name, unit): number(value * sized(unit)[0]) for name, unit, value in known
            if value is not None}  # fmt: skip


def trials_table(place: Path, path: Path, study: Mapping[str, Any]) -> list[str]:
    """trials.json: every design that was evaluated, with its parameters and metrics; the front first, then what keeps
    every limit, then the rest, each by the first objective. Of very many as many as a browser takes."""
    import pandas as pd

    frame = pd.read_parquet(path)
    if not len(frame):
        return []
    goals = Goals({one["name"]: one["sense"] for one in study["objectives"]}, tuple(study["constraints"]))
    columns = {str(name): frame[name].to_numpy() for name in frame.columns}
    feasible, first = goals.feasible(columns), goals.lower_is_better(columns)[:, 0]
    state = np.where(feasible, 1, 2)
    state[goals.front(columns)] = 0
    order = np.lexsort([first, state])
    told: dict[str, Any] = {"state": np.array(["front", "feasible", "breaks a limit"], dtype=object)[state[order]]}
    for name, shown in study["columns"].get("parameters", {}).items():
        if name in frame.columns:
            told[key(name, shown["unit"])] = rounded(frame[name].to_numpy()[order], shown["factor"])
    for name, unit in units(Metrics).items():
        if f"metrics.{name}" in columns:
            told[answer_key("metrics", name, unit)] = rounded(columns[f"metrics.{name}"][order], sized(unit)[0])
    most = max(1, MOST_CELLS // len(told))
    rows = zip(*(values[:most].tolist() for values in told.values()), strict=True)
    return write_table(place / "trials.json", list(told), list(rows))


def rounded(values: np.ndarray, factor: float) -> np.ndarray:
    """Values in their unit with five digits, names as they are; whole numbers without a point."""
    if values.dtype.kind not in "fiu":
        return values.astype(object)
    sizes = values.astype(float) * factor
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (4 - np.floor(np.log10(np.abs(sizes))))
        short = np.where(sizes == 0, 0.0, np.round(sizes * scale) / scale)
    if (np.isfinite(short) & (short == np.floor(short))).all():
        return short.astype(np.int64).astype(object)
    return np.array([float(f"{one:.5g}") for one in short], dtype=object)
