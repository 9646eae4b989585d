"""task=explore: what is written when a search ends."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dse.configuration.compose import Origin
from dse.configuration.provenance import assumptions
from dse.configuration.schema import target
from dse.evaluation.explain import in_words, missing
from dse.evaluation.goals import Goals
from dse.evaluation.mapping import Grid
from dse.evaluation.metrics import Metrics, meanings
from dse.evaluation.results import display, point
from dse.evaluation.runners import runners_up
from dse.machine.effects import HELD, sensitivity
from dse.machine.findings import best_point, finding, labelled
from dse.problem.commands import design_overrides, mapping_overrides, rebuild
from dse.problem.concrete import concrete
from dse.problem.opened import opening_of, opening_section, opening_words
from dse.problem.problem import Problem
from dse.problem.session import Session, about
from dse.problem.space import Files
from dse.report.baselines import baselines
from dse.report.counterparts import area_columns, area_shares, complete
from dse.report.details import Kept, add_details
from dse.report.details_parts import chips
from dse.report.tables import show, write_front
from dse.run.answers import LEFT, STUDY
from dse.run.bars import activity, along
from dse.run.near import nearest
from dse.run.outcome import ended
from dse.run.store import Trials, write_json
from dse.search.progress import Reference, own_words, progress
from dse.uncertainty.sureness import beside_the_front, chances_in_words
from hw.units import readable

MOST_EXPLAINED = 12  # points of a front whose slopes are taken
MOST_OTHERS = 3000  # points drawn faintly in the report


def make(given: Mapping[str, Any], section: str = "search") -> Any:
    """The search of a configuration, or where it is computed (section `scale`)."""
    options = {key: value for key, value in given.items() if key != "_target_"}
    cls = target(given, section, str)
    known = [field.name for field in dataclasses.fields(cls)]
    for name in options:
        if name not in known:
            raise ValueError(f"{section}: there is no {name!r}; {nearest(name, known)}")
    return cls(**options)


def finish(
    session: Session,
    problem: Problem,
    goals: Goals,
    trials: Trials,
    seconds: dict[str, float],
    reference: Reference | None = None,
) -> None:
    """Write the trial table, the front, the study and the report, and say what was found; `reference`: what progress
    is held against, else the run's own front."""
    designs, columns = trials.load()
    held = reference or Reference.of(goals, columns, own_words(session.config["search"]))
    write_trials(session.folder / "trials.parquet", problem, designs, columns)
    bases, machines = baselines(session, goals)
    study = describe(session, problem, goals, trials, designs, columns, bases, machines)
    study |= {"seconds": seconds, "progress": progress(goals, trials, columns, held)}
    write_json(session.folder / STUDY, study)
    write_front(session.folder / "front.csv", study)
    with activity("looking at each machine closely"):
        add_details(session, problem, study, machines, lambda design: next_best(problem, design))
    with activity("writing the report"):
        write_report_of(session.folder)
    show(study, session.folder)
    ended("explore", study, LEFT["explore"].files(session.folder), said=True)


def write_report_of(folder: Path) -> None:
    """report.html from what study.json holds."""
    from dse.report.page import write_report

    shown = json.loads((folder / STUDY).read_text())
    for found in (*shown["front"], *shown["nearest"]):
        found["parameters"] = labelled(found)
    write_report(folder / "report.html", shown)


def write_trials(path: Path, problem: Problem, designs: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
    """Every design with its parameters and answers in SI."""
    import pandas as pd

    chosen = {}
    for i, parameter in enumerate(problem.space.parameters):
        read = parameter.text if isinstance(parameter, Files) else parameter.number
        chosen[parameter.key] = [read(code) for code in designs[:, i]]
    pd.DataFrame(chosen | dict(columns)).to_parquet(path)


def describe(
    session: Session,
    problem: Problem,
    goals: Goals,
    trials: Trials,
    designs: np.ndarray,
    columns: Any,
    bases: list[dict[str, Any]],
    machines: Kept,
) -> dict[str, Any]:
    """All about a finished search as plain data; quantities in SI, parameters as displayed."""
    front, totals = goals.front(columns), trials.totals()
    rows = front if len(front) else goals.nearest(columns)
    points = [
        design_point(session, problem, goals, designs, columns, int(row), f"{'F' if len(front) else 'N'}{i + 1}")
        for i, row in enumerate(rows)
    ]
    opened = opening_of(goals, columns, designs)

    def described(design: np.ndarray, row: Mapping[str, np.ndarray], name: str) -> dict[str, Any]:
        return design_point(session, problem, goals, design[None], row, 0, name)

    opening = opening_section(problem, opened, points, described)
    sure = beside_the_front(session, problem, goals, designs, columns, front)
    for found, told in zip(points, sure, strict=False):
        found |= told
    moving = explained(problem, goals, designs[rows], points) if len(front) and session.switch("elasticities") else []
    said = finding(goals, points, len(front), problem.space, session.config)
    if not len(front):
        said.insert(1, opening_words(opening, len(designs), opened.illegal))
    said += moving
    shown = display([*points, *bases]) | {"area_shares": area_columns(), "parameters": parameter_units(problem)}
    complete(problem, bases, {name: found for name, (found, _) in machines.items()}, shown["parameters"])
    config = session.config
    said += chances_in_words(points, config)
    return {
        "title": config["title"] or session.experiment,
        "experiment": session.experiment,
        "question": config["question"],
        "counts": {
            "evaluated": totals[0],
            "feasible": totals[1],
            "front": len(front),
            "space": problem.distinct(),
        },
        "hypervolume": goals.hypervolume(columns),
        "objectives": described_objectives(goals, shown),
        "constraints": list(goals.constraints),
        "robust": config["robust"],
        "columns": shown,
        "front": points if len(front) else [],
        "nearest": [] if len(front) else points,
        "opening": opening,
        "baselines": bases,
        "mappings": mapped(problem, goals, designs, rows, points) if len(front) else [],
        "others": others(goals, columns, set(front.tolist()), int(config["seed"])),
        "assumptions": assumed(session, problem, designs, rows, machines),
        "finding": [*said, *problem.cautions],
    } | about(session)


def mapped(
    problem: Problem, goals: Goals, designs: np.ndarray, rows: np.ndarray, points: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Of the best point by each objective: its mapping, those that came next, and why they lose."""
    by_point: dict[str, list[str]] = {}
    for name, sense in goals.objectives.items():
        by_point.setdefault(best_point(points, name, sense)["name"], []).append(name)
    best = [(found["name"], row) for found, row in zip(points, rows, strict=True) if found["name"] in by_point]
    return [
        {"point": name, "objectives": by_point[name]} | next_best(problem, designs[row])
        for name, row in along("mappings that came next", best)
    ]


def explained(problem: Problem, goals: Goals, designs: np.ndarray, points: list[dict[str, Any]]) -> list[str]:
    """Say in each point what moves its objectives, of the best by an objective and some others; a sentence for each
    objective of its best point."""
    bests = {name: best_point(points, name, sense)["name"] for name, sense in goals.objectives.items()}
    order = sorted(range(len(points)), key=lambda i: points[i]["name"] not in bests.values())
    for i in along("elasticities", order[: max(MOST_EXPLAINED, len(set(bests.values())))]):
        config = problem.template(problem.space.structures(designs[i : i + 1])[0]).config
        candidate = concrete(problem, designs[i])
        points[i]["sensitivity"] = sensitivity(candidate, config, points[i], goals.objectives, goals.constraints)
    named = {point["name"]: point for point in points}
    told = [f"{best}: {words}" for name, best in bests.items() for words in named[best]["sensitivity"]["words"]
            if words.startswith((f"{name} ", f"{name}:"))]  # fmt: skip
    return [*told, HELD] if told else []


def next_best(problem: Problem, design: np.ndarray) -> dict[str, Any]:
    """A design's mapping, and the runners-up."""
    found = problem.template(problem.space.structures(design[None])[0])

    def ask(own: Grid) -> dict[str, Any]:
        return point(problem.under(design, own), 0, found.tiers, found.tiers_beside)

    chosen, losers = runners_up(ask, problem.choices(design), found.candidate, found.tiers, problem.wanted.objective)
    return {"chosen": chosen, "runners_up": losers}


def design_point(
    session: Session, problem: Problem, goals: Goals, designs: np.ndarray, columns: Any, row: int, name: str
) -> dict[str, Any]:
    """One evaluated design with its name, parameters and command line."""
    found = problem.template(problem.space.structures(designs[row : row + 1])[0])
    answers = point(columns, row, found.tiers, found.tiers_beside)
    extra = design_overrides(problem, designs[row]) + mapping_overrides(answers["mapping"], problem.wanted.batch > 0)
    candidate = concrete(problem, designs[row])
    return answers | {
        "name": name,
        "chips": chips(candidate),
        "area_shares": area_shares(candidate),
        "parameters": displayed(problem, designs[row]),
        "command": rebuild(session.experiment, session.overrides, session.folders, extra),
        "violations": in_words(missing(candidate, answers, goals.constraints)),
        "codes": {p.key: float(code) for p, code in zip(problem.space.parameters, designs[row], strict=True)},
        "equal": equal_choices(problem, designs, row, goals.equals(columns, row)),
    }


def equal_choices(problem: Problem, designs: np.ndarray, row: int, equals: np.ndarray) -> dict[str, list[str]]:
    """Other files that give exactly the same objectives with all else as it is."""
    found: dict[str, list[str]] = {}
    for other in equals:
        differ = np.flatnonzero(designs[other] != designs[row])
        parameter = problem.space.parameters[differ[0]]
        if len(differ) == 1 and isinstance(parameter, Files):
            found.setdefault(parameter.key, []).append(parameter.text(float(designs[other][differ[0]])))
    return found


def displayed(problem: Problem, design: np.ndarray) -> dict[str, Any]:
    """A design's parameters in the units of `parameter_units`; None where its structure lacks one."""
    shown, values = parameter_units(problem), {}
    found = problem.template(problem.space.structures(design[None])[0])
    for parameter, code in zip(problem.space.parameters, design, strict=True):
        if isinstance(parameter, Files):
            values[parameter.key] = parameter.text(code)
        elif problem.active(found, parameter.key):
            values[parameter.key] = float(f"{parameter.number(code) * shown[parameter.key]['factor']:.12g}")
        else:
            values[parameter.key] = None
    return values


def parameter_units(problem: Problem) -> dict[str, dict[str, Any]]:
    """For each parameter the unit and factor that make it readable."""
    shown: dict[str, dict[str, Any]] = {}
    for parameter in problem.space.parameters:
        if isinstance(parameter, Files):
            shown[parameter.key] = {"unit": "", "factor": 1.0}
        else:
            factor, unit = readable(parameter.unit, parameter.number(getattr(parameter, "high", parameter.size - 1)))
            shown[parameter.key] = {"unit": unit, "factor": factor}
    return shown


def described_objectives(goals: Goals, shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "sense": sense, "unit": shown["metrics"][name]["unit"], "means": meanings(Metrics)[name]}
        for name, sense in goals.objectives.items()
    ]


def others(goals: Goals, columns: Mapping[str, np.ndarray], front: set[int], seed: int) -> dict[str, Any]:
    """Objectives of a fair sample of the rest, feasible and not."""
    feasible = goals.feasible(columns)
    rest = np.array([i for i in range(len(feasible)) if i not in front], dtype=int)
    if len(rest) > MOST_OTHERS:
        rest = np.sort(np.random.default_rng(seed).choice(rest, MOST_OTHERS, replace=False))
    groups = {"feasible": rest[feasible[rest]], "infeasible": rest[~feasible[rest]]}
    return {
        name: {goal: columns[f"metrics.{goal}"][rows].tolist() for goal in goals.objectives}
        for name, rows in groups.items()
    }


def assumed(session: Session, problem: Problem, designs: Any, rows: Any, machines: Kept) -> list[Any]:
    """Where every number comes from: of the structures on the front, and of the baselines; each file once."""
    space, seen, listed = problem.space, set(), []
    structures = {tuple(row) for row in space.structures(designs[rows])} if len(rows) else set()
    named = [
        ("/".join(f.text(c) for f, c in zip(space.files, s, strict=True)), problem.template(s)) for s in structures
    ]
    for name, found in [*named, *((name, found) for name, (found, _) in machines.items())]:
        for row in assumptions(name or session.experiment, found.config, Origin(found.overrides)):
            key = (row["path"], row["value"], row["file"])
            if key not in seen:
                seen.add(key)
                listed.append(row)
    return listed
