"""How stated spreads, and assumptions, move what a machine comes to: first order, by automatic differentiation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax.flatten_util import ravel_pytree

from dse.run.precision import arrays

MOST = 3  # inputs named beside a spread


@dataclass(frozen=True)
class Spread:
    """A relative half-width, and the inputs that make it: path -> the half-width that this input alone would give."""

    relative: float
    inputs: dict[str, float]


def leaf_paths(tree: Any, prefix: str = "") -> list[str]:
    """The configuration's path of every leaf of a component that is at `prefix` itself, in the order of its leaves."""
    found = []
    for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]:
        names = (str(getattr(step, "name", getattr(step, "key", ""))) for step in path)
        found.append(".".join((*filter(None, (prefix,)), *names)))
    return found


def elasticities(answers: Callable[[Any], Mapping[str, Any]], tree: Any, prefix: str) -> dict[str, dict[str, float]]:
    """Answer -> path of an input -> (x / y) dy / dx: by how many per cent y moves when x moves by one.

    0 where the answer is 0. Inputs that count whole things are taken as continuous. Where two bounds are equal, the
    derivative lies half-way between those of both sides.
    """
    given, rebuilt = ravel_pytree(arrays(tree))
    answered = jax.jit(lambda vector: dict(answers(rebuilt(vector))))
    values, slopes, named = answered(given), jax.jit(jax.jacfwd(answered))(given), leaf_paths(tree, prefix)
    moved = {name: slopes[name] * given / value if value else given * 0 for name, value in values.items()}
    return {name: dict(zip(named, map(float, found), strict=True)) for name, found in moved.items()}


def first_order(moved: Mapping[str, float], widths: Mapping[str, float]) -> Spread:
    """The half-width of an answer whose inputs are independent: sqrt(sum (elasticity * relative half-width)^2)."""
    parts = {path: abs(moved.get(path, 0.0)) * width for path, width in widths.items()}
    largest = sorted((path for path, part in parts.items() if part > 0), key=lambda path: -parts[path])[:MOST]
    return Spread(math.hypot(*parts.values()), {path: parts[path] for path in largest})


def largest(moved: Mapping[str, float], paths: list[str], most: int) -> dict[str, float]:
    """Of these inputs the elasticities that are largest in size, without zeros."""
    moving = [path for path in paths if abs(moved.get(path, 0.0)) > 1e-6]
    return {path: moved[path] for path in sorted(moving, key=lambda path: -abs(moved[path]))[:most]}
