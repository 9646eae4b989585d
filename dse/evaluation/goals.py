"""Goals: which metrics are wanted high or low, and which headrooms must not be below zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import moocore
import numpy as np

from dse.evaluation.metrics import Headroom, Metrics, units
from dse.run.near import nearest

SENSES = ("maximize", "minimize")
BEYOND = 1.1  # the reference point of the hypervolume lies a tenth beyond the worst feasible value
Columns = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Goals:
    """Objectives with their senses, and constraints, by name."""

    objectives: dict[str, str]
    constraints: tuple[str, ...]

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Goals:
        """From a configuration; raises ValueError where a name or a sense does not exist."""
        _refuse_unknown("objectives", given, ("goals", "constraints"))
        objectives = {str(name): str(sense) for name, sense in given["goals"].items() if sense is not None}
        _refuse_unknown("objectives.goals", objectives, units(Metrics))
        if not isinstance(given["constraints"], (list, tuple)):
            raise ValueError(f"objectives.constraints: {given['constraints']!r} is not a list; write [memory, power]")
        _refuse_unknown("objectives.constraints", given["constraints"], units(Headroom))
        for name, sense in objectives.items():
            if sense not in SENSES:
                raise ValueError(f"objectives.goals.{name}: {sense!r} is no sense; write maximize or minimize")
        if not objectives:
            raise ValueError("objectives.goals: nothing is wanted; name at least one metric")
        return cls(objectives, tuple(str(name) for name in given["constraints"]))

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        return ["maximize" if sense == "maximize" else "minimize" for sense in self.objectives.values()]

    def values(self, columns: Columns) -> np.ndarray:
        """Objectives of designs, [designs, objectives], as they are."""
        return np.stack([columns[f"metrics.{name}"] for name in self.objectives], axis=1)

    def lower_is_better(self, columns: Columns) -> np.ndarray:
        """Objectives of designs, negated where the most is wanted."""
        signs = np.array([-1.0 if sense == "maximize" else 1.0 for sense in self.objectives.values()])
        return self.values(columns) * signs

    def shortfalls(self, columns: Columns) -> np.ndarray:
        """How much each constraint is missed, [designs, constraints + 1], in typical sizes; last, no legal mapping."""
        short = [-columns[f"headroom.{name}"] / typical(name) for name in self.constraints]
        return np.stack([*short, 1.0 - columns["legal"].astype(float)], axis=1)

    def feasible(self, columns: Columns) -> np.ndarray:
        """True where a mapping exists, every constraint holds and every objective is a number."""
        kept = (self.shortfalls(columns) <= 0).all(axis=1)
        return np.asarray(kept & np.isfinite(self.values(columns)).all(axis=1))

    def front(self, columns: Columns) -> np.ndarray:
        """Indices of the feasible designs that no other feasible one beats, the first of equal ones, best first
        objective first."""
        rows = np.flatnonzero(self.feasible(columns))
        if not len(rows):
            return rows
        points = self.lower_is_better(columns)[rows]
        kept = moocore.is_nondominated(points)
        rows, points = rows[kept], points[kept]
        return rows[np.lexsort(points.T[::-1])]

    def equals(self, columns: Columns, row: int) -> np.ndarray:
        """Indices of the other feasible designs that equal this one in every objective."""
        same = (self.values(columns) == self.values(columns)[row]).all(axis=1) & self.feasible(columns)
        same[row] = False
        return np.flatnonzero(same)

    def hypervolume(self, columns: Columns) -> float | None:
        """Share of the box between the best and a tenth beyond the worst feasible values that the front dominates."""
        feasible = self.feasible(columns)
        return self.box(columns).share(self.lower_is_better(columns)[feasible]) if feasible.any() else None

    def box(self, columns: Columns) -> Box:
        """The box around the feasible designs, of which there must be one."""
        points = self.lower_is_better(columns)[self.feasible(columns)]
        span = np.ptp(points, axis=0)
        return Box(points.min(axis=0), np.where(span > 0, span, 1.0))

    def nearest(self, columns: Columns, most: int = 5) -> np.ndarray:
        """Indices of the designs that miss the constraints by the least."""
        short = np.nan_to_num(np.maximum(self.shortfalls(columns), 0), nan=np.inf).sum(axis=1)
        return np.argsort(short, kind="stable")[:most]


@dataclasses.dataclass(frozen=True)
class Box:
    """From the best values to a tenth beyond the worst, lower is better; `span` is from the best to the worst."""

    best: np.ndarray
    span: np.ndarray

    def share(self, points: np.ndarray) -> float:
        """Share of the box that points [designs, objectives] dominate; above one where some beat its best."""
        reference = np.full(points.shape[1], BEYOND)
        return float(moocore.hypervolume((points - self.best) / self.span, ref=reference) / BEYOND ** points.shape[1])


def typical(name: str) -> float:
    """The size by which a headroom's shortfall is counted."""
    return next(f.metadata["typical"] for f in dataclasses.fields(Headroom) if f.name == name)


def _refuse_unknown(place: str, names: Any, known: Any) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{place}: there is no {name!r}; {nearest(name, known)}")
