"""What would open the empty space of a study: as data, and in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dse.evaluation.explain import missing
from dse.evaluation.goals import Goals
from dse.evaluation.metrics import Headroom, units
from dse.problem.concrete import concrete
from dse.problem.opening import Least, Opening
from dse.problem.problem import Problem
from dse.run.numbers import amount

Describe = Callable[[np.ndarray, Mapping[str, np.ndarray], str], dict[str, Any]]
MOST_OPENINGS = 3  # that the sentence names


def opening_section(
    problem: Problem, found: Opening, points: Sequence[Any], describe: Describe
) -> list[dict[str, Any]]:
    """For study.json: what to give, the numbers that would move, and the design that it lets in; the least first.

    points : the designs that have a name already; describe : makes a point of a design, its answers and a name.
    """
    rows = []
    for number, least in enumerate(found.least(), 1):
        point = describe(np.array(least.design), least.row, f"O{number}")
        known = next((p["name"] for p in points if p["codes"] == point["codes"]), point["name"])
        levers = {
            one.name: one.lever for one in missing(concrete(problem, np.array(least.design)), point, least.amounts)
        }
        rows.append(
            {"gives": least.amounts, "units": {name: units(Headroom)[name] for name in least.amounts}}
            | {"levers": levers, "design": known, "words": given(least, levers)}
            | {name: point[name] for name in ("parameters", "command", "mapping")}
        )
    return rows


def given(least: Least, levers: Mapping[str, str]) -> str:
    """What must be given, in units, each with the number that would have to move."""
    told = []
    for name, size in least.amounts.items():
        lever = f" ({levers[name]})" if levers.get(name) else ""
        told.append(f"{name}, {more(name, size)} more{lever}")
    return " and ".join(told)


def more(name: str, size: float) -> str:
    """An amount of a headroom in its unit; a share as one."""
    unit = units(Headroom)[name]
    return amount(size, unit) if unit else f"{size:.1%} of the limit"


def opening_words(opening: Sequence[Mapping[str, Any]], kept: int, illegal: int) -> str:
    """The sentence that says what to give; `kept`: the designs that are on disk, `illegal`: those without a mapping."""
    if not opening:
        why = f": {illegal:,} of the {kept:,} designs kept have no legal mapping" if illegal else ""
        return f"Nothing that is given to a constraint opens the space{why}."
    said_each = [f"{one['words']} would let {called(one)} in" for one in opening[:MOST_OPENINGS]]
    if len(opening[0]["gives"]) > 1:
        return f"No constraint opens the space by itself; the least together: {said_each[0]}."
    return f"Least to give: {'; or '.join(said_each)}."


def called(one: Mapping[str, Any]) -> str:
    """A design by its name, and by its parameters where it is in no table."""
    if not one["design"].startswith("O"):
        return str(one["design"])
    return f"{one['design']} ({one['command']})"


def opening_of(goals: Goals, columns: Mapping[str, np.ndarray], designs: np.ndarray) -> Opening:
    """The fold over what a search has kept."""
    found = Opening(goals)
    found.add(columns, designs)
    return found
