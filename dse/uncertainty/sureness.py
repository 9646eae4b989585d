"""How sure a study's front and a machine's answers are: as plain data, in words and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dse.evaluation.goals import Columns, Goals
from dse.evaluation.metrics import Metrics, units
from dse.evaluation.results import display
from dse.problem.problem import Problem
from dse.problem.session import Session
from dse.run.console import console, table
from dse.run.numbers import digits
from dse.uncertainty.beliefs import Beliefs
from dse.uncertainty.uncertainty import Widener, bounds, chances, near, structures_of

SURE, DOUBTFUL = 0.9, 0.5  # chances of being on the front that are told apart in words


def beside_the_front(
    session: Session, problem: Problem, goals: Goals, designs: np.ndarray, columns: Columns, front: np.ndarray
) -> list[dict[str, Any]]:
    """Of each point of the front `bounds` and `chance`: of keeping every limit, and of being on the front of these
    points and the designs nearest to them. Nothing where no machines are drawn."""
    beliefs = Beliefs.read(session.config["spreads"])
    if not beliefs.draws or not len(front):
        return []
    rows = np.concatenate([front, near(columns, goals, front, beliefs.near)])
    widener = Widener(problem, beliefs, session.seed)
    draws = widener.draws(structures_of(problem, designs[rows]), beliefs.draws)
    found = widener.push(designs[rows], {name: values[rows] for name, values in columns.items()}, draws)
    kept, best = chances(found, goals)
    return [
        {
            "bounds": bounds({name: values[i] for name, values in found.items()}),
            "chance": {"works": float(kept[i]), "front": float(best[i])},
        }
        for i in range(len(front))
    ]


def chances_in_words(points: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> list[str]:
    """How many points of a front are likely to be on it, and the robust share that objectives are of."""
    said = []
    if config["robust"]:
        share = str(config["robust"])[1:]
        said.append(
            f"Objectives and limits are what {share} % of the machines drawn from the spreads of their numbers keep; "
            "command lines and baselines give the numbers as written."
        )
    known = [point for point in points if "chance" in point]
    if known:
        sure = sum(point["chance"]["front"] >= SURE for point in known)
        doubtful = [point["name"] for point in known if point["chance"]["front"] < DOUBTFUL]
        draws = config["spreads"]["draws"]
        words = (
            f"Of {len(known)} points, {sure} are on the front in nine of ten of {draws} draws of the machines' numbers"
        )
        less = f"; {len(doubtful)} in less than half: {', '.join(doubtful[:8])}" if doubtful else ""
        said.append(words + less + ("..." if len(doubtful) > 8 else "."))
    return said


def show_bounds(result: Mapping[str, Any]) -> None:
    """Bounds on the metrics of one machine as a table."""
    shown, rows, worst = display([result])["metrics"], [], 0.0
    for name in units(Metrics):
        found, factor = result["bounds"]["metrics"][name], shown[name]["factor"]
        cells = [digits(found[share] * factor) for share in ("p5", "p50", "p95")]
        worst = max(worst, found["error"]) if np.isfinite(found["error"]) else worst
        rows.append([name, *cells, shown[name]["unit"], f"{found['error']:.1%}"])
    heads = ["metrics", "p5", "p50", "p95", "unit", "error of a bound"]
    table(f"how sure: {result['draws']} draws of {result['uncertain']} uncertain numbers (modelled)", heads, rows)
    console.print(f"the outer bounds may be off by {worst:.1%} of the median, by the luck of the draw")
