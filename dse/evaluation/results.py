"""From evaluated columns to what people and files are given: points with names, units and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dse.evaluation.metrics import SECTIONS, SOMETIMES, meanings, units
from hw.units import readable

DEGREES = ("tensor", "sequence", "attention_data", "expert", "pipeline", "stages_inside", "data", "batch", "users")


def point(
    columns: Mapping[str, np.ndarray], row: int, tiers: Sequence[str], beside: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """All answers about one design, in SI, with the names of the tiers; `beside`: those of other machines."""
    found: dict[str, Any] = {
        section: {name: float(columns[f"{section}.{name}"][row]) for name in units(kind)}
        for section, kind in SECTIONS.items()
    }
    found["mapping"] = mapping_of(columns, row, "mapping", tiers)
    found["legal"] = bool(columns["legal"][row])
    for section, kind in SOMETIMES.items():
        names = [name for name in units(kind) if f"{section}.{name}" in columns]
        if names and not np.isnan(columns[f"{section}.{names[0]}"][row]):
            found[section] = {name: float(columns[f"{section}.{name}"][row]) for name in names}
    for section, named in (beside or {}).items():
        found[f"{section}_mapping"] = mapping_of(columns, row, f"{section}_mapping", named)
    return found


def mapping_of(columns: Mapping[str, np.ndarray], row: int, section: str, tiers: Sequence[str]) -> dict[str, Any]:
    """A mapping in whole numbers and the names of tiers."""
    return {name: int(columns[f"{section}.{name}"][row]) for name in DEGREES} | {
        name: tiers[int(columns[f"{section}.{name}"][row])] for name in ("weights", "cache")
    }


def display(points: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """For each answer the unit and factor that make the points readable, and what it means."""
    shown: dict[str, dict[str, dict[str, Any]]] = {}
    for section, kind in (SECTIONS | SOMETIMES).items():
        having = [p for p in points if section in p]
        if not having and section in SOMETIMES:
            continue
        shown[section] = {}
        for name, unit in units(kind).items():
            sizes = [abs(p[section][name]) for p in having if np.isfinite(p[section][name])]
            factor, label = readable(unit, float(np.median(sizes)) if sizes else 0.0)
            shown[section][name] = {"unit": label, "factor": factor, "means": meanings(kind)[name]}
    return shown


def head(name: str, unit: str) -> str:
    """A column's head, unit last."""
    return f"{name} {unit}".strip()
