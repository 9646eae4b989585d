"""The parts of the details of machines of one structure: figures, curves; and where the numbers of one come from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dse.configuration.compose import Origin
from dse.configuration.provenance import assumptions
from dse.evaluation.batches import QUICK, flat
from dse.evaluation.evaluate import Candidate
from dse.evaluation.figures import Figure, figures
from dse.evaluation.grids import grids, own_fanouts
from dse.evaluation.mapping import Wanted
from dse.evaluation.terms import beside
from dse.machine import curve
from dse.problem.template import Template

OWN = "own format"  # the pair of number formats that a machine computes in
KEY = ("path", "value", "file")  # of an assumption, by which the report's table lists it once


class Shown(NamedTuple):
    """A machine that is detailed: its name, its answers, what it was composed of, its numbers; what it pays for that is
    a choice of the search, path -> number as written."""

    name: str
    point: Mapping[str, Any]
    found: Template
    candidate: Candidate
    chosen: Mapping[str, str]


def machines(alike: Sequence[Shown]) -> list[dict[str, Any]]:
    """The figures of each machine in its own number formats, by their names in `describe.json`: value and unit."""
    units: dict[str, Any] = {}

    def numbers(one: Candidate) -> Any:
        formats = one.format
        found = ordered(figures(one.hw, formats, {OWN: (formats.weights, formats.activations)}))
        units["of"] = jax.tree.map(lambda figure: figure.unit, found, is_leaf=is_figure)
        return jax.tree.map(lambda figure: jnp.asarray(figure.value, float), found, is_leaf=is_figure)

    many = curve.stacked([one.candidate for one in alike])
    values = jax.device_get(jax.jit(lambda rows: jax.lax.map(numbers, rows), compiler_options=QUICK)(many))

    def plain(row: int) -> Any:
        return jax.tree.map(lambda unit, column: {"value": float(column[row]), "unit": unit}, units["of"], values)

    return [plain(row) for row in range(len(alike))]


def ordered(node: Any) -> Any:
    """Maps within maps that keep their order where they are mapped over, as levels and tiers have one."""
    return OrderedDict((name, ordered(inner)) for name, inner in node.items()) if isinstance(node, Mapping) else node


def is_figure(node: Any) -> bool:
    return isinstance(node, Figure)


def curves(alike: Sequence[Shown], wanted: Wanted) -> list[list[dict[str, Any]]]:
    """The curve of each machine over `curve.LOADS` (`curve.rows`), each load under its best mapping."""
    candidates = [one.candidate for one in alike]

    def fanouts(name: str) -> set[tuple[int, ...]]:
        return {tuple(found) for one in candidates for found in own_fanouts(one)(name)}

    choices = grids(candidates, fanouts, wanted)
    given = curve.stacked(candidates), jnp.asarray(curve.LOADS), choices
    columns = flat(jax.device_get(curve.best_under(*given, wanted, goodput=False)))
    return [
        curve.rows({name: values[row] for name, values in columns.items()}, one.found) for row, one in enumerate(alike)
    ]


def chips(candidate: Candidate) -> float:
    """How many chips there are, those of machines beside the one that decodes too."""
    others = sum(count * float(system.chips()) for _, system, count, _ in beside(candidate))
    return float(candidate.hw.chips()) + others


def sources(one: Shown, listed: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    """Where the numbers of a machine come from: the rows of the study's table of assumptions that hold for it, rows
    that it lacks, and what the search chose instead of what the files say."""
    rows = assumptions(one.name, one.found.config, Origin(one.found.overrides))
    kept = [row for row in rows if row["path"] not in one.chosen]
    places = [listed.get(key_of(row)) for row in kept]
    return {
        "rows": [place for place in places if place is not None],
        "more": [row for row, place in zip(kept, places, strict=True) if place is None],
        "chosen": [
            {"path": path, "value": value} | {"instead": next((r["value"] for r in rows if r["path"] == path), "")}
            for path, value in one.chosen.items()
        ],
    }


def key_of(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def grouped(shown: Sequence[Shown]) -> list[list[int]]:
    """The places of machines of one pytree structure."""
    kinds: dict[Any, list[int]] = {}
    for place, one in enumerate(shown):
        kinds.setdefault(jax.tree.structure(one.candidate), []).append(place)
    return list(kinds.values())


def spread_out(count: int, most: int, first: Sequence[int]) -> list[int]:
    """At most so many of `count` places, in their order: those of `first`, and others evenly between the ends."""
    kept = list(dict.fromkeys(first))[:most]
    for place in np.linspace(0, count - 1, min(count, 2 * most)).round().astype(int).tolist():
        if len(kept) < min(most, count) and place not in kept:
            kept.append(place)
    return sorted(kept + [place for place in range(count) if place not in kept][: max(0, min(most, count) - len(kept))])
