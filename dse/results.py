"""From evaluated columns to what people and files are given: points with names, units and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dse.metrics import SECTIONS, meanings, units
from hw.units import readable

DEGREES = ("tensor", "sequence", "attention_data", "expert", "pipeline", "stages_inside", "data", "batch", "users")


def point(columns: Mapping[str, np.ndarray], row: int, tiers: Sequence[str]) -> dict[str, Any]:
    """All answers about one design, in SI, with the names of the tiers."""
    found: dict[str, Any] = {
        section: {name: float(columns[f"{section}.{name}"][row]) for name in units(kind)}
        for section, kind in SECTIONS.items()
    }
    found["mapping"] = {name: int(columns[f"mapping.{name}"][row]) for name in DEGREES} | {
        name: tiers[int(columns[f"mapping.{name}"][row])] for name in ("weights", "cache")
    }
    found["legal"] = bool(columns["legal"][row])
    return found


def display(points: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """For each answer the unit and factor that make the points readable, and what it means."""
    shown: dict[str, dict[str, dict[str, Any]]] = {}
    for section, kind in SECTIONS.items():
        shown[section] = {}
        for name, unit in units(kind).items():
            sizes = [abs(p[section][name]) for p in points if np.isfinite(p[section][name])]
            factor, label = readable(unit, float(np.median(sizes)) if sizes else 0.0)
            shown[section][name] = {"unit": label, "factor": factor, "means": meanings(kind)[name]}
    return shown


def head(name: str, unit: str) -> str:
    """A column's head, unit last."""
    return f"{name} {unit}".strip()


def bytes_in_words(size: float) -> str:
    """A number of bytes with its unit, such as `1.2 GB`."""
    factor, unit = readable("B", size)
    return f"{size * factor:.3g} {unit}"
