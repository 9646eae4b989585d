"""What a point of the studio is held against: the front of a finished study, its baselines, and where it has been."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dse.evaluation.goals import Goals
from dse.problem.commands import kept
from dse.problem.folders import read
from dse.run.answers import STUDY
from dse.run.flags import name_of

SAME = 1e-6  # relative: a search keeps seven digits


@dataclass(frozen=True)
class Front:
    """Points to be seen beside one's own: name and metrics of the front and of the baselines, the rest without names.

    title : of the study; words, folders : its overrides, and the folders of YAMLs that they need; design : what its
    first point sets of its space, its mapping left free.
    """

    title: str = ""
    points: Sequence[tuple[str, Mapping[str, float]]] = ()
    baselines: Sequence[tuple[str, Mapping[str, float]]] = ()
    others: Mapping[str, Sequence[float]] = field(default_factory=dict)
    words: Sequence[str] = ()
    design: Sequence[str] = ()
    folders: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)


def read_front(folder: Path) -> Front:
    """The front that a finished search left in its folder; errors name the folder."""
    study = read(folder / STUDY, "run")
    points = study["front"] or study.get("nearest") or []
    words, design, folders = begun(study, points)
    return Front(
        str(study.get("title") or study["experiment"]),
        [(str(point["name"]), point["metrics"]) for point in study["front"]],
        [(str(point["name"]), point["metrics"]) for point in study["baselines"]],
        study["others"].get("feasible") or study["others"].get("infeasible") or {},
        words,
        design,
        folders,
        study["config"],
    )


def begun(study: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str], list[str]]:
    """The words that compose a study's machines, those of its first point, and its folders of YAMLs."""
    given = shlex.split(study["command"])[1:]
    folders = [word.partition("=")[2] for word in given if word.startswith("--config-dir=")]
    words = [word for word in kept([word for word in given if not word.startswith("-")]) if "=" in word]
    keys = {str(key) for key in points[0]["parameters"]} if points else set()
    chosen = [word for word in shlex.split(points[0]["command"])[1:] if name_of(word) in keys] if points else []
    first = [f"experiment={study['experiment']}"] if study["experiment"] else []
    return list({name_of(word): word for word in (*first, *words)}.values()), chosen, folders


def against(metrics: Mapping[str, float], front: Front, goals: Goals) -> str:
    """Where a point lies to the front, in words; empty where there is no front."""
    if not front.points:
        return ""
    signs = {name: 1.0 if sense == "maximize" else -1.0 for name, sense in goals.objectives.items()}

    def behind(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
        return all(sign * (other[n] - one[n]) >= -SAME * abs(other[n]) for n, sign in signs.items())

    over = [name for name, seen in front.points if behind(metrics, seen)]
    beaten = [name for name, seen in front.points if behind(seen, metrics)]
    if same := [name for name in over if name in beaten]:
        return f"Exactly {same[0]} of the front."
    if over:
        more = f" and {len(over) - 1} more" if len(over) > 1 else ""
        return f"Behind the front: {over[0]}{more} {'are' if more else 'is'} no worse in any objective."
    if beaten:
        named = f"{', '.join(beaten[:3])}{' …' if len(beaten) > 3 else ''}"
        return f"Beyond the front: no worse than {named} in any objective."
    return "Beside the front: no point of it is better in every objective."
