"""What moves the answers: slopes by forward-mode differentiation, and the answers with each number a tenth off."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dse.configuration.schema import recheck
from dse.configuration.spreads import leaf_paths
from dse.evaluation.evaluate import Candidate
from dse.evaluation.fixed import Mappings, evaluate_fixed
from dse.evaluation.metrics import Headroom, units
from dse.evaluation.step import in_loops
from dse.run.precision import arrays
from hw.units import Rule

STEP = 0.1  # by which numbers are moved: a tenth
TWICE = 2.0  # what is counted is doubled, since a step of one changes nothing where work is cut into equal parts
SECTIONS = ("hw", "prefill", "draft", "serving")  # whose numbers are moved
WITHOUT = ("goodput", "goodput_users")  # whole users, found by halving: no slopes


@dataclass(frozen=True)
class Moved:
    """One number moved: from where to where, and what metrics and headrooms are then, in their units."""

    path: str
    unit: str
    given: float
    value: float
    counted: bool
    metrics: dict[str, float]
    headroom: dict[str, float]

    @property
    def change(self) -> float:
        """Relative change of the number."""
        return self.value / self.given - 1


@dataclass(frozen=True)
class Moves:
    """What a candidate under its mappings answers; d ln metric / d ln number of each number that is not counted; the
    answers with numbers moved up and down by a tenth, counts doubled."""

    metrics: dict[str, float]
    headroom: dict[str, float]
    elasticities: dict[str, dict[str, float]]
    moved: list[Moved]


def moves(candidate: Candidate, mappings: Mappings, metrics: Sequence[str]) -> Moves:
    """The slopes and the moves of these metrics, all other numbers and all mappings held.

    Slopes are those of `jax.jacfwd`, taken one number after the other in a loop: the program is then compiled for one
    direction and not for all at once, which takes two thirds of the time, and it is the same that answers for what is
    moved. Between two bounds that are equal a slope lies half-way. Fan-outs are held, since the mapping tiles them.
    """
    names = tuple(name for name in metrics if name not in WITHOUT)
    rules = {path: rule for path, rule in rules_of(candidate).items() if path.split(".")[0] in SECTIONS}
    places = {path: place for place, path in enumerate(leaf_paths(candidate))}
    given = np.array([float(leaf) for leaf in jax.tree.leaves(candidate)])
    smooth = [path for path, rule in rules.items() if not rule.whole and given[places[path]]]
    steps = [step for path, rule in rules.items() for step in steps_of(candidate, path, rule, given[places[path]])]
    points, along = (
        np.tile(given, (1 + len(smooth) + len(steps), 1)),
        np.zeros((1 + len(smooth) + len(steps), given.size)),
    )
    for row, path in enumerate(smooth, 1):
        along[row, places[path]] = given[places[path]]
    for row, (path, value) in enumerate(steps, 1 + len(smooth)):
        points[row, places[path]] = value
    shape = jax.tree.structure(candidate)
    values, slopes = jax.device_get(_answers(points, along, arrays(mappings), shape, names))
    return _read(names, rules, smooth, steps, values, slopes, {path: given[places[path]] for path in rules})


def _read(
    names: Sequence[str],
    rules: Mapping[str, Rule],
    smooth: Sequence[str],
    steps: Any,
    values: Any,
    slopes: Any,
    given: Any,
) -> Moves:
    """Rows of numbers as named answers."""
    left = list(units(Headroom))

    def named(row: int) -> tuple[dict[str, float], dict[str, float]]:
        split = len(names)
        return dict(zip(names, map(float, values[row]), strict=False)), dict(
            zip(left, map(float, values[row][split:]), strict=True)
        )

    elasticities = {
        name: {
            path: float(slopes[row][n] / size) if (size := abs(values[0][n])) else 0.0
            for row, path in enumerate(smooth, 1)
        }
        for n, name in enumerate(names)
    }
    moved = [
        Moved(path, rules[path].unit, float(given[path]), value, rules[path].whole, *named(row))
        for row, (path, value) in enumerate(steps, 1 + len(smooth))
    ]
    return Moves(*named(0), elasticities, moved)


@functools.partial(jax.jit, static_argnames=("shape", "names"))
def _answers(points: Any, along: Any, mappings: Mappings, shape: Any, names: tuple[str, ...]) -> tuple[Any, Any]:
    """Metrics and headrooms at points [rows, numbers], and their slopes along directions [rows, numbers]."""

    def answered(numbers: Any) -> Any:
        with in_loops():
            found = evaluate_fixed(jax.tree.unflatten(shape, list(numbers)), mappings)
        wished = [getattr(found.metrics, name) for name in names]
        return jnp.stack([jnp.asarray(one, float) for one in (*wished, *vars(found.headroom).values())])

    return jax.lax.map(lambda row: jax.jvp(answered, (row[0],), (row[1],)), (points, along))


def rules_of(node: Any, path: str = "") -> dict[str, Rule]:
    """Path -> rule of every number of a component."""
    found: dict[str, Rule] = {}
    inner = node.items() if isinstance(node, Mapping) else ((f.name, getattr(node, f.name)) for f in fields(node))
    declared = {} if isinstance(node, Mapping) else {f.name: Rule.of(f.metadata) for f in fields(node)}
    for name, value in inner:
        below, rule = f"{path}.{name}".lstrip("."), declared.get(name)
        if rule is not None and value is not None:
            found[below] = rule
        elif isinstance(value, Mapping) or hasattr(value, "__dataclass_fields__"):
            found |= rules_of(value, below)
    return found


def steps_of(candidate: Candidate, path: str, rule: Rule, given: float) -> list[tuple[str, float]]:
    """The number a tenth up and a tenth down, or twice what is counted, where the rules of its component allow; none of
    fan-outs, of the traffic, or of temperatures, of which a tenth means nothing."""
    absolute = rule.unit == "K" and not rule.difference
    if not given or absolute or path.endswith(".fanout") or path.startswith("serving"):
        return []
    tried = [TWICE * given] if rule.whole else [given * (1 + STEP), given * (1 - STEP)]
    return [(path, value) for value in tried if allowed(candidate, path, rule, value)]


def allowed(candidate: Candidate, path: str, rule: Rule, value: float) -> bool:
    """True where the component takes this number."""
    try:
        rule.check(value, value)
        recheck(with_number(candidate, path, value))
    except ValueError:
        return False
    return True


def with_number(candidate: Candidate, path: str, value: float) -> Candidate:
    """The candidate with another number at a path."""
    leaves, shape = jax.tree.flatten(candidate)
    leaves[leaf_paths(candidate).index(path)] = value
    return jax.tree.unflatten(shape, leaves)
