"""What a report holds points and baselines against each other by: areas by cause, counterparts of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dse.configuration.compose import picked
from dse.configuration.spreads import leaf_paths
from dse.evaluation.evaluate import Candidate
from dse.evaluation.terms import beside
from dse.problem.problem import Problem
from dse.problem.space import Files
from dse.problem.template import Template
from hw.chip import DieArea

AREAS = {
    "engine": "the engine's cores on all compute dies",
    "memory": "what memory tiers take of the dies: arrays, vias, interfaces",
    "rest": "not told apart: links, control, borders, caches of GPUs",
}


def areas(candidate: Candidate) -> DieArea:
    """Square metres of all compute dies of a candidate by what takes them; their sum is `silicon_area`."""
    systems = [(1.0, candidate.hw), *((count, system) for _, system, count, _ in beside(candidate))]
    each = [(float(count * one.chips()), one.chip.area_terms()) for count, one in systems]
    return DieArea(*(sum(chips * float(terms[i]) for chips, terms in each) for i in range(len(DieArea._fields))))


def area_shares(candidate: Candidate) -> dict[str, float]:
    """The parts of the area of all compute dies by what takes them."""
    found = areas(candidate)
    whole = sum(found)
    return {name: size / whole if whole else 0.0 for name, size in found._asdict().items()}


def area_columns() -> dict[str, dict[str, Any]]:
    """What the parts of the area mean, as study.json says it of the other parts."""
    return {name: {"unit": "", "factor": 1.0, "means": means} for name, means in AREAS.items()}


def counterparts(problem: Problem, found: Template, shown: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What another machine has where a space has parameters, in their display units; None where it has no such part."""
    files, numbers = picked(found.overrides), dict(zip(leaf_paths(found.candidate), leaves(found), strict=True))
    values: dict[str, Any] = {}
    for parameter in problem.space.parameters:
        key = parameter.key
        if isinstance(parameter, Files):
            values[key] = files.get(key)
        else:
            size = numbers.get(key)
            values[key] = None if size is None else float(f"{size * shown[key]['factor']:.12g}")
    return values


def leaves(found: Template) -> list[float]:
    """The numbers of a structure, in the order of their paths."""
    import jax

    return [float(leaf) for leaf in jax.tree.leaves(found.candidate)]


def complete(problem: Problem, bases: list[dict[str, Any]], machines: Mapping[str, Template], shown: Any) -> None:
    """Give each baseline its areas by cause and its counterparts of the space's parameters."""
    for base in bases:
        machine = machines[base["name"]]
        base["counterparts"] = counterparts(problem, machine, shown)
        base["area_shares"] = area_shares(machine.candidate)
