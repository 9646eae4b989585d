"""What moves each objective, in words: what it is made of, and what a tenth more or less of a number gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dse.configuration.compose import said_at
from dse.evaluation.evaluate import Candidate
from dse.evaluation.fixed import mappings_of
from dse.evaluation.metrics import MEASURES, Headroom, section_of, units
from dse.evaluation.runners import Point
from dse.run.numbers import amount
from dse.uncertainty.elasticities import Moved, Moves, moves

LISTED = 8  # elasticities of an objective that are written down
TOLD = 3  # moves of an objective that are said
LEAST = 1e-3  # relative effect below which nothing is said
HELD = "Slopes and moves hold the mapping and all other numbers; the best mapping may be another then."


def sensitivity(
    candidate: Candidate, config: Mapping[str, Any], point: Point, goals: Mapping[str, str], limits: Sequence[str]
) -> dict[str, Any]:
    """For metrics.json and study.json: the largest elasticities of each objective, what moves it most, and sentences.

    goals : objective -> sense; limits : the headrooms that must not be passed.
    """
    found = moves(candidate, mappings_of(point, candidate), list(goals))
    names = {name: sense for name, sense in goals.items() if name in found.metrics}
    effects = {name: best_moves(found, name, sense, limits) for name, sense in names.items()}
    words = [sentence(name, point, effects[name], config) for name in names if effects[name]]
    return {
        "elasticities": {name: largest(found.elasticities[name]) for name in names},
        "effects": effects,
        "words": [*words, HELD] if words else [],
    }


def largest(slopes: Mapping[str, float]) -> dict[str, float]:
    """The elasticities that are largest in size, without zeros; of numbers that only multiply each other the first."""
    kept: dict[str, float] = {}
    for path, slope in sorted(slopes.items(), key=lambda item: (-round(abs(item[1]), 9), calibrated(item[0]))):
        twins = [other for other in kept if part(other) == part(path) and abs(kept[other] - slope) < 1e-9]
        if abs(slope) > 1e-6 and not twins:
            kept[path] = slope
    return dict(list(kept.items())[:LISTED])


def part(path: str) -> str:
    """The component that a number belongs to."""
    return path.rpartition(".")[0]


def calibrated(path: str) -> bool:
    """True for a share that was measured or assumed: of two that only multiply each other, the data sheet's comes
    first."""
    return path.endswith("_fraction")


def best_moves(found: Moves, name: str, sense: str, limits: Sequence[str]) -> list[dict[str, Any]]:
    """The moves that better an objective the most, each number once, of those that only multiply each other the first;
    after them the count that betters it the most when doubled."""
    sign = 1.0 if sense == "maximize" else -1.0
    rows = [row(found, one, name, limits) for one in found.moved]
    better = [one for one in rows if sign * one["effect"] > LEAST]
    better.sort(key=lambda one: (-round(sign * one["effect"], 9), calibrated(one["path"])))
    tenths = [one for one in better if not one["counted"]]
    counts = [one for one in better if one["counted"]]
    kept: list[dict[str, Any]] = []
    for one in tenths:
        alike = [other for other in kept if part(other["path"]) == part(one["path"])]
        twin = any(o["path"] == one["path"] or abs(o["effect"] - one["effect"]) < 1e-9 for o in alike)
        if not twin:
            kept.append(one)
    return kept[:TOLD] + counts[:1]


def row(found: Moves, one: Moved, name: str, limits: Sequence[str]) -> dict[str, Any]:
    """One move as data: the number, its relative change, the objective's, and the limits that it breaks, in units."""
    base = found.metrics[name]
    broken = {
        limit: -one.headroom[limit] for limit in limits if one.headroom[limit] < 0 <= found.headroom[limit]
    }  # where the candidate keeps them as it is
    return {
        "path": one.path,
        "unit": one.unit,
        "from": one.given,
        "to": one.value,
        "counted": one.counted,
        "change": one.change,
        "effect": (one.metrics[name] - base) / abs(base) if base else 0.0,
        "breaks": broken,
    }


def sentence(name: str, point: Point, effects: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> str:
    """`time_per_output_token is 71 % exchange: 10 % more PART bandwidth (its.path) gives 4.2 % less`."""
    told = "; ".join(move_words(one, config) for one in effects)
    return f"{name}{made_of(name, point)}: {told}."


def made_of(name: str, point: Point) -> str:
    """The largest part of an objective; nothing where none is known."""
    section = section_of(name)
    if not section:
        return ""
    words = "is" if name == MEASURES[section] else "comes from a token time that is"
    cause, share = max(point[section].items(), key=lambda item: item[1])
    return f" {words} {share * 100:.0f} % {cause}"


def move_words(one: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """What is moved, by how much, and what it gives."""
    if one["counted"]:
        moved = f"twice as many {called(one['path'], config)}, {one['from']:g} → {one['to']:g},"
    else:
        moved = (
            f"{abs(one['change']) * 100:.0f} % {'more' if one['change'] > 0 else 'less'} {called(one['path'], config)}"
        )
    gives = f"gives {abs(one['effect']) * 100:.2g} % {'more' if one['effect'] > 0 else 'less'}"
    broken = [
        f"{limit} is then short by {amount(size, units(Headroom)[limit])}" for limit, size in one["breaks"].items()
    ]
    return f"{moved} {gives}" + (f" (but {' and '.join(broken)})" if broken else "")


def called(path: str, config: Mapping[str, Any]) -> str:
    """A number by the name of its part, where its file has one, and by its path."""
    parent, _, last = path.rpartition(".")
    aliases = said_at(config, f"{parent}.aliases")
    return f"{aliases[0]} {last.replace('_', ' ')} ({path})" if aliases else path
