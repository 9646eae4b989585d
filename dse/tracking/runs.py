"""What is logged of a run's folder, as plain data: which runs, with which tags, numbers, files and notes."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dse.configuration.schema import NOTES
from dse.run.answers import BEGUN
from dse.run.passwords import without_passwords
from dse.tracking import notes
from dse.tracking.keys import answers, chosen, key, mapping, number, parameters

LONGEST_TAG = 5000  # what every MLflow store takes
LONGEST_NAME = 250
LONGEST_PARAMETER = 500
COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759", "#76b7b2", "#edc948", "#9c755f")
GREY = "#8c8c8c"
OPENED = (".json", ".csv", ".parquet", ".html", ".svg", ".png")

Draw = Callable[[Path], list[str]]  # writes files into a folder; returns those that are tables


@dataclass(frozen=True)
class DataSet:
    """What answers were made from: its name, the digest of its content, where it is from, and its size in words."""

    name: str
    digest: str
    source: str
    context: str
    profile: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One run of MLflow. `part`: what it is of the folder, once in it; `order`: later ones stand below."""

    part: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    files: Sequence[Path] = ()
    draw: Draw | None = None
    datasets: Sequence[DataSet] = ()
    seconds: float = 0.0
    order: int = 0


@dataclass(frozen=True)
class Logged:
    """All that is logged of an answer: its digest, the first of the runs is the whole, and what the folder lacks."""

    digest: str
    runs: list[Run]
    created: datetime.datetime
    content: Mapping[str, Any]
    missing: list[str]


def created(content: Mapping[str, Any]) -> datetime.datetime:
    """When the answer was written; now, where it does not say."""
    try:
        return datetime.datetime.fromisoformat(str(content["created"]))
    except (KeyError, ValueError):
        return datetime.datetime.now()


def files_of(folder: Path, answer: str, others: Sequence[str]) -> list[Path]:
    """The files of an answer in a folder: what people open; not the other answers, drafts and the search's own."""
    left = {name for name in others if name != answer} | {BEGUN}
    return [path for path in sorted(folder.iterdir()) if path.is_file() and path.name not in left
            and path.name[0] != "." and path.suffix in OPENED]  # fmt: skip


def shared_tags(about: Mapping[str, Any]) -> dict[str, str]:
    """Versions, commit, seed, command and the composed configuration, section by section, without its notes."""
    tags = {f"dse.version.{name}": str(version) for name, version in about.get("versions", {}).items()}
    tags |= {"dse.commit": about.get("commit") or "none", "dse.seed": str(about.get("seed", "")),
             "dse.command": short(about.get("command", ""))}  # fmt: skip
    for section, content in about.get("config", {}).items():
        if isinstance(content, Mapping) and (told := without_notes(content)):
            tags[f"dse.config.{section}"] = short(json.dumps(told, separators=(",", ":")))
    return {name: without_passwords(value) for name, value in tags.items()}


def short(text: str, most: int = LONGEST_TAG) -> str:
    """The text, or as much of it as a store takes."""
    return text if len(text) <= most else text[: most - 1] + "…"


def without_notes(node: Any) -> Any:
    """A configuration without sources and class names."""
    if not isinstance(node, Mapping):
        return node
    return {name: without_notes(value) for name, value in node.items() if name not in NOTES}


def catalogue(about: Mapping[str, Any]) -> list[DataSet]:
    """The configurations that an answer was composed from, by digest; none where a run did not say."""
    return [
        DataSet(
            one["name"], one["digest"], str(one.get("version") or one["name"]), "catalogue", {"files": one["files"]}
        )
        for one in about.get("catalogue", ())
    ]


def of_study(folder: Path, study: Mapping[str, Any], files: list[Path]) -> list[Run]:
    """One run for the study, and a flat run for each point of its front and each baseline."""
    from dse.tracking.charts import draw_study

    shared, data = shared_tags(study), catalogue(study)
    numbers = {key(f"count/{name}"): float(n) for name, n in study.get("counts", {}).items() if n is not None}
    numbers |= {key(f"time/{name}", "s"): number(n) for name, n in study.get("seconds", {}).items() if n is not None}
    numbers |= {"hypervolume": number(study["hypervolume"])} if study.get("hypervolume") else {}
    asked = {name: study.get("choices", {}).get(name) for name in ("search", "space", "objectives")}
    whole = Run(
        "study",
        short(f"study {study['title']}", LONGEST_NAME),
        shared | {"dse.kind": "study", "mlflow.note.content": notes.of_study(study)},
        chosen(study.get("choices", {}), "") | {name: value for name, value in asked.items() if value},
        numbers,
        files,
        lambda place: draw_study(place, folder, study),
        data,
        float(study.get("seconds", {}).get("total") or 0.0),
    )
    points = [("front", one) for one in study["front"]] + [("baseline", one) for one in study.get("baselines", [])]
    colours = colouring(study["front"])
    return [whole, *(of_point(study, kind, one, i + 1, shared, data, colours) for i, (kind, one) in enumerate(points))]


def of_point(
    study: Mapping[str, Any],
    kind: str,
    found: Mapping[str, Any],
    order: int,
    shared: Mapping[str, str],
    data: Sequence[DataSet],
    colours: Mapping[str, str],
) -> Run:
    """One flat run for a point: parameters and metrics as plain numbers, the unit at the end of the key."""
    named = " ".join(choice for choice in notes.chosen(found) if choice not in everywhere(study)) or study["title"]
    name = found["name"] if kind == "baseline" else f"{found['name']} {named}"
    tags = {"dse.kind": kind, "dse.front": found["name"]} if kind == "front" else {"dse.kind": kind}
    tags |= {"dse.rebuild": short(found.get("command", "")), "mlflow.note.content": notes.of_point(study, found, kind)}
    tags |= {"mlflow.runColor": colours.get(found["name"], GREY) if kind == "front" else GREY}
    same = chosen(study.get("choices", {}), found.get("command", "") if kind == "baseline" else "")
    shown, wanted = study["columns"].get("parameters", {}), [goal["name"] for goal in study["objectives"]]
    params = same | parameters(found, shown) | mapping(found)
    return Run(f"{kind} {found['name']}", short(name, LONGEST_NAME), {**shared, **tags}, params, answers(found, wanted),
               datasets=data, order=order)  # fmt: skip


def everywhere(study: Mapping[str, Any]) -> set[str]:
    """The choices of files that all points of a front share."""
    chosen = [set(notes.chosen(one)) for one in study["front"]]
    return set.intersection(*chosen) if len(chosen) > 1 else set()


def colouring(front: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A colour for each point: that of its first choice of a file that differs over the front."""
    names = [name for name in (front[0]["parameters"] if front else {})
             if 1 < len({str(one["parameters"].get(name)) for one in front}) <= len(COLOURS)
             and isinstance(front[0]["parameters"][name], str)]  # fmt: skip
    if not names:
        return {one["name"]: COLOURS[0] for one in front}
    values = list(dict.fromkeys(str(one["parameters"].get(names[0])) for one in front))
    return {one["name"]: COLOURS[values.index(str(one["parameters"].get(names[0])))] for one in front}


def of_evaluation(folder: Path, result: Mapping[str, Any], files: list[Path]) -> list[Run]:
    """One flat run for one machine; those of a sweep share their keys."""
    title = result.get("title") or "evaluation"
    params = chosen(result.get("choices", {}), result.get("command", "")) | mapping(result)
    tags = shared_tags(result) | {"dse.kind": "evaluate", "mlflow.note.content": notes.of_evaluation(result)}
    return [
        Run("evaluate", short(title, LONGEST_NAME), tags, params, answers(result), files, datasets=catalogue(result))
    ]
