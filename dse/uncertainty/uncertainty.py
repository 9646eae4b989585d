"""How sure the answers are: bounds on every metric, and the chance that a design is on the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import moocore
import numpy as np

from dse.evaluation.goals import Columns, Goals
from dse.evaluation.grids import Grids, grids, own_fanouts
from dse.evaluation.mapping import Wanted
from dse.evaluation.metrics import SECTIONS
from dse.problem.problem import Problem
from dse.problem.template import Template
from dse.uncertainty.beliefs import BEST, Beliefs, Input, inputs
from dse.uncertainty.draws import Draws
from dse.uncertainty.pushed import SECTIONS as WHERE
from dse.uncertainty.pushed import Drawn, chosen, push

SHARES = {"p5": 0.05, "p50": 0.5, "p95": 0.95}
BOUNDED = ("metrics", "headroom")


def of_template(found: Template, point: Mapping[str, Any], beliefs: Beliefs, wanted: Wanted) -> Drawn:
    """A composed machine under the mapping that its answer was given under, or free to choose again."""
    leaves, shape = jax.tree.flatten(found.candidate)
    if beliefs.mapping == BEST:
        choices = jax.tree.map(np.asarray, grids([found.candidate], own_fanouts(found.candidate), wanted))
    else:
        choices = chosen(point, found.tiers, found.tiers_beside)
    return Drawn(shape, tuple(float(leaf) for leaf in leaves), choices)


def drawn_from(design: Drawn, values: Mapping[int, np.ndarray]) -> Drawn:
    """The design with some leaves drawn."""
    return replace(design, leaves=tuple(values.get(i, leaf) for i, leaf in enumerate(design.leaves)))


def widened(found: Template, point: Mapping[str, Any], beliefs: Beliefs, wanted: Wanted, seed: int) -> dict[str, Any]:
    """Of one composed machine: `bounds` on every metric and headroom, from so many draws."""
    uncertain = inputs(found, beliefs)
    draws = Draws.of([uncertain], beliefs.draws, seed)
    design = drawn_from(of_template(found, point, beliefs, wanted), draws.values(uncertain))
    columns = {name: values[0] for name, values in push([design], beliefs.draws, wanted).items()}
    return {"bounds": bounds(columns), "uncertain": len(draws.places), "draws": beliefs.draws}


def bounds(columns: Columns) -> dict[str, dict[str, dict[str, float]]]:
    """For every metric and headroom the values that 5, 50 and 95 % of the draws do not pass; columns [draws].

    error : of the outer two, at most one standard error of so many independent draws, over the median.
    """
    return {
        section: {name: bound(columns[f"{section}.{name}"]) for name in SECTIONS[section].__dataclass_fields__}
        for section in BOUNDED
    }


def bound(values: np.ndarray) -> dict[str, float]:
    """Quantiles of some draws, [draws], and how far the outer ones may be off by the luck of the draw.

    The number of draws below a quantile q of n is binomial, its deviation sqrt(n q (1 - q)): the values so many ranks
    apart hold the quantile as often as one standard deviation does. Draws that are no numbers are left out.
    """
    found = np.sort(values[np.isfinite(values)])
    if not len(found):
        return dict.fromkeys((*SHARES, "error"), float("nan"))
    quantiles = {name: float(np.quantile(found, share)) for name, share in SHARES.items()}
    share, count = SHARES["p5"], len(found)
    ranks = np.sqrt(count * share * (1 - share))
    around = [np.clip([share * count - ranks, share * count + ranks], 0, count - 1)]
    around += [count - 1 - around[0][::-1]]
    wide = max(float(np.ptp(np.interp(ends, np.arange(count), found))) / 2 for ends in around)
    size = abs(quantiles["p50"])
    return quantiles | {"error": wide / size if size else 0.0}


def structures_of(problem: Problem, designs: np.ndarray) -> list[tuple[int, ...]]:
    """The codes of the files of each design."""
    return [tuple(int(code) for code in row) for row in problem.space.structures(designs)]


class Widener:
    """Designs of a problem drawn from what is believed of their numbers; what the space sets is exact."""

    def __init__(self, problem: Problem, beliefs: Beliefs, seed: int) -> None:
        self.problem, self.beliefs, self.seed = problem, beliefs, seed
        self._inputs: dict[tuple[int, ...], list[Input]] = {}

    def inputs(self, structure: tuple[int, ...]) -> list[Input]:
        """What is not known exactly of a structure."""
        if structure not in self._inputs:
            searched = {parameter.key for parameter in self.problem.space.numeric}
            self._inputs[structure] = inputs(self.problem.template(structure), self.beliefs, searched)
        return self._inputs[structure]

    def draws(self, structures: Sequence[tuple[int, ...]], count: int) -> Draws:
        """The draws that designs of these structures share."""
        return Draws.of([self.inputs(one) for one in structures], count, self.seed)

    def push(self, designs: np.ndarray, columns: Columns, draws: Draws) -> dict[str, np.ndarray]:
        """Answers about designs under all draws, [designs, draws]; columns : what they come to as written."""
        found: dict[str, np.ndarray] = {}
        values = {one: draws.values(self.inputs(one)) for one in set(structures_of(self.problem, designs))}
        count = len(draws.points)
        for kind, rows in self.problem.by_kind(designs):
            each = self._designs(designs[rows], {k: v[rows] for k, v in columns.items()}, kind, values)
            for name, drawn in push(each, count, self.problem.wanted).items():
                found.setdefault(name, np.full((len(designs), count), np.nan))[rows] = drawn
        return found

    def _designs(self, designs: np.ndarray, columns: Columns, kind: Any, values: Any) -> list[Drawn]:
        shared = self.problem.kind(kind)
        stacked = jax.tree.leaves(self.problem.stacked(designs, shared))
        each = []
        for row, structure in enumerate(structures_of(self.problem, designs)):
            leaves = tuple(
                float(leaf[row] if varies else leaf) for leaf, varies in zip(stacked, shared.varied, strict=True)
            )
            design = Drawn(kind, leaves, self._choices(shared.grid, columns, row))
            each.append(drawn_from(design, values[structure]))
        return each

    def _choices(self, choices: Grids, columns: Columns, row: int) -> Grids:
        if self.beliefs.mapping == BEST:
            return jax.tree.map(np.asarray, choices)
        return chosen_in(columns, row, choices)


def chosen_in(columns: Columns, row: int, choices: Grids) -> Grids:
    """The mappings that a row of columns was answered under, as grids of one."""
    parts = {
        name: type(grid)(*(np.array([float(columns[f"{WHERE[name]}.{field}"][row])]) for field in grid._fields))
        for name, grid in choices._asdict().items()
        if grid is not None
    }
    return Grids(**parts)


def chances(columns: Columns, goals: Goals) -> tuple[np.ndarray, np.ndarray]:
    """Of designs [designs, draws] the share of draws in which each keeps every constraint, and in which it does and no
    other such design is nowhere worse and somewhere better."""
    names = ("legal", *(f"headroom.{n}" for n in goals.constraints), *(f"metrics.{n}" for n in goals.objectives))
    designs, draws = columns["legal"].shape
    kept, best = np.zeros((designs, draws), bool), np.zeros((designs, draws), bool)
    for draw in range(draws):
        one = {name: columns[name][:, draw] for name in names}
        kept[:, draw] = goals.feasible(one)
        rows = np.flatnonzero(kept[:, draw])
        if len(rows):
            best[rows, draw] = moocore.is_nondominated(goals.lower_is_better(one)[rows], keep_weakly=True)
    return kept.mean(axis=1), best.mean(axis=1)


def near(columns: Columns, goals: Goals, front: np.ndarray, most: int) -> np.ndarray:
    """Indices of the feasible designs beside the front that have to improve by the least share to be on it."""
    rows = np.setdiff1d(np.flatnonzero(goals.feasible(columns)), front)
    if not len(rows) or not len(front) or not most:
        return rows[:0]
    points = goals.lower_is_better(columns)
    missed = np.full(len(rows), np.inf)
    for one in front:
        beyond = (points[rows] - points[one]) / np.maximum(np.abs(points[one]), 1e-300)
        missed = np.minimum(missed, beyond.max(axis=1))
    return rows[np.argsort(missed, kind="stable")][:most]
