"""task=sensitivity: whose doubt the answers' doubt is, and what knowing one number better is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.evaluation.goals import Goals
from dse.evaluation.mapping import Wanted
from dse.evaluation.metrics import Metrics, units
from dse.machine.single import answer
from dse.problem.session import Session, about
from dse.problem.template import Template, template
from dse.run.answers import LEFT
from dse.run.bars import activity
from dse.run.console import console, table
from dse.run.numbers import digits
from dse.run.outcome import ended
from dse.run.store import write_json
from dse.uncertainty.beliefs import Beliefs, Input, inputs
from dse.uncertainty.draws import Draws
from dse.uncertainty.indices import Indices, indices
from dse.uncertainty.pushed import Drawn, push
from dse.uncertainty.sureness import show_bounds
from dse.uncertainty.uncertainty import bound, bounds, drawn_from, of_template
from hw.units import readable

OTHERS = "all others"
TOLD = 3  # inputs of each objective in words
MIDDLE, LOW, HIGH = 0.5, 0.05, 0.95  # shares at which an input is as written, and at the ends of its nine in ten
NEGLIGIBLE = 0.01  # share of a variance that is not told


@dataclass(frozen=True)
class Asked:
    """A machine that answers for points of the unit cube, one column for each place that numbers come from."""

    design: Drawn
    uncertain: Sequence[Input]
    places: tuple[str, ...]
    wanted: Wanted

    def __call__(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Flat columns [rows] for points [rows, places]."""
        values = Draws(self.places, points).values(self.uncertain)
        found = push([drawn_from(self.design, values)], len(points), self.wanted)
        return {name: column[0].astype(float) for name, column in found.items()}


def run(session: Session) -> None:
    """Draw, part the variance, write sensitivity.json, print."""
    goals, beliefs = Goals.read(session.config["objectives"]), Beliefs.read(session.config["spreads"])
    found = template(session.overrides)
    with activity(f"compiling and evaluating {session.choices.get('hw', 'the machine')}"):
        result = answer(found, session.wanted)
    with activity("which numbers the answers hang on"):
        known = value_of_knowing(found, result, goals, beliefs, session.wanted, session.seed)
    session.folder.mkdir(parents=True, exist_ok=True)
    content = result | known | {"cautions": found.cautions} | about(session)
    files = LEFT["sensitivity"].files(session.folder)
    write_json(files[0], content)
    show_bounds(result | known)
    for name, told in known["value"].items():
        show(name, told)
    for words in known["words"]:
        console.print(words)
    ended("sensitivity", content, files)


def value_of_knowing(
    found: Template, result: Mapping[str, Any], goals: Goals, beliefs: Beliefs, wanted: Wanted, seed: int
) -> dict[str, Any]:
    """`bounds`, and by objective the uncertain inputs with their share of its variance; raises ValueError where nothing
    is uncertain."""
    uncertain = inputs(found, beliefs)
    if not uncertain:
        raise ValueError(
            "spreads: no number of this machine is uncertain; state spreads, `150 TB/s +/- 5 %`, or raise "
            "spreads.classes"
        )
    places = Draws.of([uncertain], 1, seed).places
    ask = Asked(of_template(found, result, beliefs, wanted), uncertain, places, wanted)
    names = [f"metrics.{name}" for name in goals.objectives]
    groups = leading(ask, names, beliefs.value_inputs)
    seen: dict[str, np.ndarray] = {}

    def answers(points: np.ndarray) -> dict[str, np.ndarray]:
        columns = ask(points)
        seen.update({name: column[: beliefs.value_draws] for name, column in columns.items()})
        return {name: columns[name] for name in names}

    parted = indices(answers, places, groups, beliefs.value_draws, seed)
    value = {
        name: rows(ask, f"metrics.{name}", groups, parted[f"metrics.{name}"], beliefs.value_draws, seed)
        for name in goals.objectives
    }
    return {
        "bounds": bounds(seen),
        "draws": beliefs.value_draws,
        "uncertain": len(places),
        "value": value,
        "words": [words for name, told in value.items() for words in in_words(name, told)],
    }


def leading(ask: Asked, names: Sequence[str], most: int) -> list[list[int]]:
    """The inputs that move an objective the most by themselves, each a group, and the others together as one more.

    Each is moved to both ends of its nine in ten while the others stay as written; what it moves an objective by, over
    the root of the squares of all, is its rank.
    """
    count = len(ask.places)
    points = np.full((2 * count, count), MIDDLE)
    points[np.arange(count), np.arange(count)] = LOW
    points[count + np.arange(count), np.arange(count)] = HIGH
    found = ask(points)
    moved = np.stack([np.abs(found[name][count:] - found[name][:count]) for name in names])
    moved = moved / np.maximum(np.sqrt((moved**2).sum(axis=1, keepdims=True)), 1e-300)
    order = np.argsort(-moved.max(axis=0), kind="stable")
    rest = [int(column) for column in order[most:]]
    return [[int(column)] for column in order[:most]] + ([rest] if rest else [])


def rows(ask: Asked, name: str, groups: Sequence[Sequence[int]], parted: Indices, count: int, seed: int) -> list[Any]:
    """The groups by their total index, each with the bounds that would stay if it were known to be as written."""
    order = np.argsort(-parted.total, kind="stable")
    found, wide = [], bound(parted.values)
    for place, group in enumerate(order):
        told = describe(ask, groups[group]) | {
            "first": float(parted.first[group]),
            "total": float(parted.total[group]),
            "error": float(parted.error[group]),
        }
        if place < TOLD and told["total"] >= NEGLIGIBLE:
            told |= {"now": [wide["p5"], wide["p95"]], "known": narrowed(ask, name, groups[group], count, seed)}
        found.append(told)
    return found


def describe(ask: Asked, group: Sequence[int]) -> dict[str, Any]:
    """Which numbers of the machine a group is."""
    places = {ask.places[column] for column in group}
    members = [one for one in ask.uncertain if one.place in places]
    if len(places) > 1:
        return {"input": OTHERS, "inputs": len(places)}
    first = members[0]
    return {
        "input": first.path,
        "paths": [one.path for one in members],
        "place": first.place,
        "confidence": first.confidence,
        "width": first.width,
    }


def narrowed(ask: Asked, name: str, group: Sequence[int], count: int, seed: int) -> list[float]:
    """The 90 % bounds of an answer once a group of inputs is known to be as written."""
    points = Draws.of([ask.uncertain], count, seed).points
    points[:, list(group)] = MIDDLE
    found = bound(ask(points)[name])
    return [found["p5"], found["p95"]]


def in_words(name: str, told: Sequence[Mapping[str, Any]]) -> list[str]:
    """What knowing the leading inputs of an objective would do to its bounds."""
    said = []
    for one in told:
        if "known" not in one or one["input"] == OTHERS:
            continue
        factor, unit = readable(units(Metrics)[name], one["now"][1])
        ends = [f"{digits(low * factor)}..{digits(high * factor)}" for low, high in (one["now"], one["known"])]
        said.append(
            f"Of the variance of {name}, {max(one['first'], 0.0):.0%} +/- {one['error']:.0%} comes from "
            f"{one['input']} by itself ({one['confidence']}, +/- {one['width']:.0%}): knowing it would narrow the 90 % "
            f"bounds from {ends[0]} to {ends[1]} {unit}.".replace(" .", ".")
        )
    return said


def show(name: str, told: Sequence[Mapping[str, Any]]) -> None:
    """Whose doubt an objective's doubt is, as a table."""
    lines = [
        [one["input"], one.get("confidence", ""), percent(one.get("width")), *shares(one)]
        for one in told
        if one["total"] >= NEGLIGIBLE
    ]
    heads = ["number", "confidence", "+/-", "alone", "with others", "error"]
    table(f"whose doubt {name} is (modelled)", heads, lines)


def shares(told: Mapping[str, Any]) -> list[str]:
    """Indices and their error."""
    return [percent(told[name]) for name in ("first", "total", "error")]


def percent(share: float | None) -> str:
    """A share in per cent, empty where there is none."""
    return "" if share is None else f"{share:.1%}"
