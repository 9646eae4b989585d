"""What a report shows about each point of a front and each baseline: worked out once the study is on disk, added to it.

Machines of one pytree structure are asked together. A part that fails is said, and absent; the study stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dse.evaluation.mapping import Wanted
from dse.machine.findings import best_point
from dse.machine.roofline_rows import rooflines
from dse.problem.concrete import concrete
from dse.problem.problem import Problem
from dse.problem.session import Session
from dse.problem.space import Files
from dse.problem.template import Template
from dse.report import details_parts as parts
from dse.report.details_parts import Shown, chips, grouped, key_of, spread_out
from dse.run.answers import STUDY
from dse.run.bars import along
from dse.run.console import console
from dse.run.store import write_json
from hw.units import Rule

Study = dict[str, Any]
Kept = Mapping[str, tuple[Template, Mapping[str, Any]]]  # of each baseline: what it is composed of, and its answers
Mapped = Callable[[np.ndarray], dict[str, Any]]


def most(session: Session) -> int:
    """How many points of a front are detailed; raises ValueError where it is no number."""
    try:
        return int(Rule(least=0, whole=True).read(session.config["details"]))
    except ValueError as error:
        raise ValueError(f"details: {error}") from None


def add_details(session: Session, problem: Problem, study: Study, kept: Kept, mapped: Mapped) -> None:
    """Write `details` into study.json: name of a point or baseline -> what is told of it.

    kept : of each baseline its template, and its answers with its curve and runners-up; mapped : the mapping of a
    design, and those that came next.
    """
    if not (count := most(session)):
        return
    start = time.perf_counter()
    try:
        study["details"] = details(problem, study, kept, mapped, count, session.wanted)
        write_json(session.folder / STUDY, study)
    except Exception as error:
        study.pop("details", None)
        console.print(f"the report has no details of its machines: {error}", style="yellow")
        return
    seconds = time.perf_counter() - start
    console.print(f"details of {len(study['details'])} machines took {seconds:.1f} s; details=0 leaves them out")


def details(
    problem: Problem, study: Study, kept: Kept, mapped: Mapped, count: int, wanted: Wanted
) -> dict[str, dict[str, Any]]:
    """Name -> `machine`, `chips`, `curve`, `roofline`, `mappings`, `sources`, and `absent`: what failed, and why."""
    points = picked(study, count)
    shown = [of_design(problem, one) for one in points]
    designs = {one["name"]: design_of(problem, one) for one in points}
    shown += [of_baseline(one, *kept[one["name"]]) for one in study["baselines"] if one["name"] in kept]
    found: dict[str, dict[str, Any]] = {one.name: {"chips": chips(one.candidate), "absent": {}} for one in shown}
    known = {one["point"]: one for one in study["mappings"]}
    listed = {key_of(row): place for place, row in enumerate(study["assumptions"])}

    def mapping(one: Shown) -> dict[str, Any]:
        told = known.get(one.name) or kept.get(one.name, (None, None))[1] or mapped(designs[one.name])
        return {name: told[name] for name in ("chosen", "runners_up")}

    def curves(alike: Sequence[Shown]) -> list[Any]:
        if wanted.batch:
            raise ValueError("the batch is given (mapping.batch)")
        before = [kept[one.name][1]["curve"] for one in alike if one.name in kept]
        others = [one for one in alike if one.name not in kept]
        return before if not others else [*parts.curves(others, wanted), *before]  # designs come first

    for places in along("details by kind of machine", grouped(shown)):
        alike = [shown[place] for place in places]
        told(found, alike, "machine", parts.machines)
        told(found, alike, "roofline", lambda many: rooflines([one.candidate for one in many], [o.point for o in many]))
        told(found, alike, "curve", curves)
    for one in shown:
        told(found, [one], "mappings", lambda many: [mapping(many[0])])
        told(found, [one], "sources", lambda many: [parts.sources(many[0], listed)])
    return found


def told(
    found: dict[str, dict[str, Any]], alike: Sequence[Shown], part: str, answer: Callable[[Sequence[Shown]], list[Any]]
) -> None:
    """Put one part of some machines in its place; where it fails, why."""
    try:
        for one, content in zip(alike, answer(alike), strict=True):
            found[one.name][part] = content
    except Exception as error:
        words = str(error) or type(error).__name__
        for one in alike:
            found[one.name]["absent"][part] = words
        console.print(f"{part} of {', '.join(one.name for one in alike)} is absent: {words}", style="yellow")


def picked(study: Study, count: int) -> list[dict[str, Any]]:
    """The points that are detailed: the best by each objective, and others evenly over the front; the nearest where
    there is no front."""
    points = study["front"] or study["nearest"]
    bests = [best_point(points, goal["name"], goal["sense"])["name"] for goal in study["objectives"]] if points else []
    first = [place for place, one in enumerate(points) if one["name"] in bests]
    return [points[place] for place in spread_out(len(points), count, first)] if points else []


def design_of(problem: Problem, one: Mapping[str, Any]) -> np.ndarray:
    return np.array([one["codes"][parameter.key] for parameter in problem.space.parameters])


def of_design(problem: Problem, one: Mapping[str, Any]) -> Shown:
    """A point of the front as what is detailed."""
    design = design_of(problem, one)
    found = problem.template(problem.space.structures(design[None])[0])
    chosen = {
        parameter.key: parameter.text(code)
        for parameter, code in zip(problem.space.parameters, design.tolist(), strict=True)
        if not isinstance(parameter, Files) and problem.active(found, parameter.key)
    }
    return Shown(one["name"], one, found, concrete(problem, design), chosen)


def of_baseline(one: Mapping[str, Any], found: Template, _: Any) -> Shown:
    """A baseline as what is detailed."""
    return Shown(one["name"], one, found, found.candidate, {})
