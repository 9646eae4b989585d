"""task=explore: what is written when a search begins and when it ends."""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dse.commands import design_overrides, kept, mapping_overrides, rebuild, shell
from dse.compose import Origin
from dse.console import console, digits, table
from dse.goals import Goals
from dse.metrics import Metrics, meanings
from dse.problem import Problem, template
from dse.provenance import assumptions
from dse.results import display, head, point
from dse.schema import target
from dse.session import Session, commit, versions
from dse.space import Files
from dse.store import Trials, write_json
from hw.units import readable

MOST_OTHERS = 3000  # points drawn faintly in the report
MOST_ROWS = 30  # rows of the front that the terminal shows
COMPARED = ("hw", "model", "format", "serving", "mapping", "space", "objectives", "search", "seed")


def make_search(given: Mapping[str, Any]) -> Any:
    """The search of a configuration."""
    options = {key: value for key, value in given.items() if key != "_target_"}
    cls = target(given, "search", str)
    try:
        return cls(**options)
    except TypeError as error:
        raise ValueError(f"search: {str(error).split('() ')[-1]}") from None


def begin(session: Session) -> None:
    """Write down what is searched, so that a resumed run can be held against it."""
    session.folder.mkdir(parents=True, exist_ok=True)
    write_json(session.folder / "search.json", {"overrides": session.overrides, "config": compared(session)})


def compared(session: Session) -> dict[str, Any]:
    """The part of a configuration on which the answers depend."""
    return json.loads(json.dumps({name: session.config[name] for name in COMPARED}))


def refuse_changes(session: Session) -> None:
    """Raise where a resumed folder is not there or holds the search of another configuration."""
    if not session.config["resume"]:
        return
    path = session.folder / "search.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"resume: {str(session.folder)!r} holds no search; name the folder of an interrupted one"
        )
    before = json.loads(path.read_text())
    changed = differences(before["config"], compared(session))
    if changed:
        raise ValueError(
            f"resume: {session.folder} was begun with another configuration ({'; '.join(changed[:3])}); "
            f"repeat its command line: {shell(['dse', *before['overrides'], f'resume={session.folder}'])}"
        )


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two plain configurations differ, in words."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = dict.fromkeys([*one, *other])
        found = [differences(one.get(k), other.get(k), f"{path}.{k}".lstrip(".")) for k in keys]
        return [words for part in found for words in part]
    return [] if one == other else [f"{path}: {one!r} then, {other!r} now"]


def finish(session: Session, problem: Problem, goals: Goals, trials: Trials, seconds: dict[str, float]) -> None:
    """Write the trial table, the front, the study and the report, and say what was found."""
    designs, columns = trials.load()
    write_trials(session.folder / "trials.parquet", problem, designs, columns)
    study = describe(session, problem, goals, designs, columns) | {"seconds": seconds}
    write_json(session.folder / "study.json", study)
    write_front(session.folder / "front.csv", study)
    write_report_of(session.folder, study)
    show(study, session.folder)


def write_report_of(folder: Path, study: dict[str, Any]) -> None:
    from dse.report import write_report

    write_report(folder / "report.html", json.loads((folder / "study.json").read_text()))


def write_trials(path: Path, problem: Problem, designs: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
    """Every design with its parameters and answers in SI."""
    import pandas as pd

    chosen = {}
    for i, parameter in enumerate(problem.space.parameters):
        read = parameter.text if isinstance(parameter, Files) else parameter.number
        chosen[parameter.key] = [read(code) for code in designs[:, i]]
    pd.DataFrame(chosen | dict(columns)).to_parquet(path)


def describe(
    session: Session, problem: Problem, goals: Goals, designs: np.ndarray, columns: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """All about a finished search as plain data; quantities in SI, parameters as displayed."""
    front = goals.front(columns)
    rows = front if len(front) else goals.nearest(columns)
    points = [
        design_point(session, problem, goals, designs, columns, int(row), f"{'F' if len(front) else 'N'}{i + 1}")
        for i, row in enumerate(rows)
    ]
    bases, machines = baselines(session)
    shown = display([*points, *bases]) | {"parameters": parameter_units(problem)}
    config = session.config
    return {
        "title": config["title"] or session.experiment,
        "experiment": session.experiment,
        "question": config["question"],
        "command": shell(["dse", *session.overrides]),
        "created": datetime.datetime.now().isoformat(timespec="seconds"),
        "seed": config["seed"],
        "versions": versions(),
        "commit": commit(),
        "counts": {
            "evaluated": len(designs),
            "feasible": int(goals.feasible(columns).sum()),
            "front": len(front),
            "space": problem.space.size,
        },
        "hypervolume": goals.hypervolume(columns),
        "objectives": described_objectives(goals, shown),
        "constraints": list(goals.constraints),
        "columns": shown,
        "front": points if len(front) else [],
        "nearest": [] if len(front) else points,
        "baselines": bases,
        "others": others(goals, columns, set(front.tolist()), int(config["seed"])),
        "assumptions": assumed(session, problem, designs, rows, machines),
        "finding": finding(goals, columns, points, len(front)),
        "config": config,
    }


def design_point(
    session: Session, problem: Problem, goals: Goals, designs: np.ndarray, columns: Any, row: int, name: str
) -> dict[str, Any]:
    """One evaluated design with its name, parameters and command line."""
    found = problem.template(problem.space.structures(designs[row : row + 1])[0])
    answers = point(columns, row, found.tiers)
    extra = design_overrides(problem, designs[row]) + mapping_overrides(answers["mapping"], problem.wanted.batch > 0)
    return answers | {
        "name": name,
        "parameters": displayed(problem, designs[row]),
        "command": rebuild(session.overrides, session.folders, extra),
        "violations": goals.violations(columns, row),
    }


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


def baselines(session: Session) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The named machines with the same model and traffic, and their templates; those that fail are said and left."""
    from dse.single import answer

    shared = [o for o in kept(session.overrides) if not o.lstrip("+~").startswith(("hw", "mapping", "format"))]
    points, machines = [], {}
    for name, overrides in (session.config["baselines"] or {}).items():
        words = [*shared, *(str(o) for o in overrides)]
        try:
            found = template(words)
            result = answer(found, session.wanted)
        except Exception as error:
            console.print(f"baseline {name} is left out: {error}")
            continue
        command = rebuild(words, session.folders, [])
        feasible = result["legal"] and all(left >= 0 for left in result["headroom"].values())
        points.append(result | {"name": name, "parameters": {}, "command": command, "feasible": feasible})
        machines[name] = found
    return points, machines


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


def assumed(session: Session, problem: Problem, designs: Any, rows: Any, machines: Mapping[str, Any]) -> list[Any]:
    """Where every number comes from: of the structures on the front, and of the baselines; each file once."""
    space, seen, listed = problem.space, set(), []
    structures = {tuple(row) for row in space.structures(designs[rows])} if len(rows) else set()
    named = [
        ("/".join(f.text(c) for f, c in zip(space.files, s, strict=True)), problem.template(s)) for s in structures
    ]
    for name, found in [*named, *machines.items()]:
        for row in assumptions(name or session.experiment, found.config, Origin(found.overrides)):
            key = (row["path"], row["value"], row["file"])
            if key not in seen:
                seen.add(key)
                listed.append(row)
    return listed


def finding(goals: Goals, columns: Mapping[str, np.ndarray], points: list[dict[str, Any]], front: int) -> list[str]:
    """Sentences that say what the search found."""
    if not front:
        least = points[0]["violations"] if points else "nothing was evaluated"
        return [f"No design keeps every constraint; the nearest misses by: {least}."]
    said = []
    for name, sense in goals.objectives.items():
        pick = max if sense == "maximize" else min
        found = pick(points, key=lambda p: p["metrics"][name])
        chosen = ", ".join(str(v) for v in found["parameters"].values() if isinstance(v, str))
        causes = sorted(found["shares"].items(), key=lambda item: -item[1])[:2]
        limits = " and ".join(f"{share:.0%} {cause}" for cause, share in causes)
        words = f"{found['name']} ({chosen})" if chosen else found["name"]
        verb = "most" if sense == "maximize" else "least"
        said.append(f"The {verb} {name.replace('_', ' ')}: {words}; its time per output token is {limits}.")
    return said + shares_of_choices(points)


def shares_of_choices(points: list[dict[str, Any]]) -> list[str]:
    """How often each file choice is on the front."""
    said = []
    for key, value in points[0]["parameters"].items():
        if isinstance(value, str):
            chosen = [p["parameters"][key] for p in points]
            counts = ", ".join(f"{option} {chosen.count(option)}" for option in sorted(set(chosen)))
            said.append(f"Of {len(points)} points on the front, by {key}: {counts}.")
    return said


def front_columns(study: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Heads of front.csv with what reads their cells from a point."""
    columns: list[tuple[str, Any]] = [("name", lambda p: p["name"])]
    for key, shown in study["columns"]["parameters"].items():
        columns.append((head(key, shown["unit"]), lambda p, key=key: p["parameters"][key]))
    for section in ("metrics", "headroom", "shares", "energy_shares"):
        for name, shown in study["columns"][section].items():
            label = name if section == "metrics" else f"{section}.{name}"
            factor = shown["factor"]
            cell = lambda p, s=section, n=name, f=factor: p[s][n] * f  # noqa: E731
            columns.append((head(label, shown["unit"]), cell))
    names = ("tensor", "pipeline", "expert", "data", "batch", "users", "weights", "cache")
    columns += [(f"mapping.{name}", lambda p, n=name: p["mapping"][n]) for name in names]
    return [*columns, ("command", lambda p: p["command"])]


def write_front(path: Path, study: Mapping[str, Any]) -> None:
    """front.csv: units in the heads, the command line that rebuilds each point last."""
    columns = front_columns(study)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([name for name, _ in columns])
        writer.writerows([cell(p) for _, cell in columns] for p in study["front"])


def show(study: Mapping[str, Any], folder: Path) -> None:
    """The front as a table, the baselines under it, and where everything is."""
    points = study["front"] or study["nearest"]
    goals = {o["name"]: study["columns"]["metrics"][o["name"]] for o in study["objectives"]}
    keys = study["columns"]["parameters"]
    heads = ["", *(head(k.split(".")[-2] + "." + k.split(".")[-1] if "." in k else k, keys[k]["unit"]) for k in keys)]
    heads += [head(name, shown["unit"]) for name, shown in goals.items()]
    rows = [_row(p, keys, goals) for p in unlike(points, goals)[:MOST_ROWS]]
    rows += [_row(p | {"parameters": dict.fromkeys(keys)}, keys, goals) for p in study["baselines"]]
    counts = study["counts"]
    title = f"{counts['front']} points on the front of {counts['evaluated']} designs, {counts['feasible']} feasible"
    if not study["front"]:
        title = f"none of {counts['evaluated']} designs keeps every constraint; the nearest, modelled"
    table(f"{title} (modelled; baselines last)", heads, rows)
    for words in study["finding"]:
        console.print(words)
    console.print(f"report      {folder / 'report.html'}")


def unlike(points: list[dict[str, Any]], goals: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Points without those that equal an earlier one in every objective."""
    first: dict[tuple[float, ...], dict[str, Any]] = {}
    for p in points:
        first.setdefault(tuple(p["metrics"][name] for name in goals), p)
    return list(first.values())


def _row(p: Mapping[str, Any], keys: Mapping[str, Any], goals: Mapping[str, Any]) -> list[str]:
    values = [p["parameters"].get(key) for key in keys]
    chosen = ["" if v is None else v if isinstance(v, str) else f"{v:g}" for v in values]
    return [p["name"], *chosen, *(digits(p["metrics"][name] * shown["factor"]) for name, shown in goals.items())]
