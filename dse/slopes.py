"""Slopes of answers along the coordinates of a space, through the relaxed model."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from dse.coordinates import Coordinates, Size
from dse.evaluate import Candidate, evaluate
from dse.grids import Grids
from dse.mapping import Grid, Wanted, complete
from dse.ready import prepared
from dse.step import in_loops
from models.counts import relaxed

if TYPE_CHECKING:
    from dse.problem import Kind, Problem

Columns = Mapping[str, np.ndarray]


def slopes(problem: Problem, designs: np.ndarray, columns: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Slopes of answers, such as `metrics.power`, along the coordinates: name -> [designs, coordinates].

    columns : the answers about the designs, whose mappings are held. Along an option of a choice of files: the slope of
    the mixture of both machines' numbers, 0 where their structures differ.
    """
    width = Coordinates(problem.space).width
    found = {name: np.zeros((len(designs), width)) for name in names}
    for structure, rows in problem.by_kind(designs):
        kind = problem.kind(structure)
        for chunk in np.split(rows, range(problem.batch, len(rows), problem.batch)):
            padded = np.concatenate([chunk, np.repeat(chunk[:1], problem.batch - len(chunk))])
            held = Grid(*(columns[f"mapping.{name}"][padded] for name in Grid._fields))
            candidates = problem.stacked(designs[padded], kind)
            along = directions(problem, designs[padded], kind)
            slope = slopes_of_each(candidates, along, held, kind.grid, problem.wanted, kind.varied, tuple(names))
            for name, values in zip(names, jax.device_get(slope), strict=True):
                found[name][chunk] = values[: len(chunk)]
    return found


@functools.partial(jax.jit, static_argnames=("wanted", "varied", "names"))
def slopes_of_each(
    candidates: Candidate,
    along: Any,
    held: Grid,
    choices: Grids,
    wanted: Wanted,
    varied: tuple[bool, ...],
    names: tuple[str, ...],
) -> list[Any]:
    """Slopes of the named answers [candidates, directions], each candidate under one mapping.

    along : of the varied leaves, [candidates, directions, leaves]. Derivatives are taken forward: there are few
    directions, and the model settles in loops.
    """
    shape = jax.tree.structure(candidates)

    def one(leaves: Any, along: Any, choice: Grid) -> Any:
        def answers(moving: Any) -> Any:
            numbers = iter(moving)
            every = [next(numbers) if varies else leaf for leaf, varies in zip(leaves, varied, strict=True)]
            candidate = jax.tree.unflatten(shape, every)
            with relaxed(), in_loops():
                ready = prepared(candidate, choices, wanted)
                answer = evaluate(candidate, complete(candidate, wanted, choice), ready)
            return [functools.reduce(getattr, name.split("."), answer) for name in names]

        moving = jnp.stack([leaf for leaf, varies in zip(leaves, varied, strict=True) if varies])
        return jax.vmap(lambda direction: jax.jvp(answers, (moving,), (direction,))[1])(along)

    axes = [0 if varies else None for varies in varied]
    return jax.vmap(one, in_axes=(axes, 0, 0))(jax.tree.leaves(candidates), along, held)


def directions(problem: Problem, designs: np.ndarray, kind: Kind) -> np.ndarray:
    """How the varied leaves move along each coordinate, [designs, coordinates, leaves]."""
    coordinates, varied = Coordinates(problem.space), np.flatnonzero(kind.varied)
    found = np.zeros((len(designs), coordinates.width, len(varied)))
    for column, leaf in kind.places:
        axis, part = coordinates.axes[column], coordinates.parts[column]
        assert isinstance(axis, Size)
        found[:, part.start, np.searchsorted(varied, leaf)] = axis.rates(designs[:, column])
    sizes = np.isin(varied, [leaf for _, leaf in kind.places])
    for column in range(len(problem.space.files)):
        for option in range(problem.space.files[column].size):
            found[:, coordinates.parts[column].start + option, :] = _swapped(problem, designs, column, option, varied)
            found[:, coordinates.parts[column].start + option, sizes] = 0.0
    return found


def _swapped(problem: Problem, designs: np.ndarray, column: int, option: int, varied: np.ndarray) -> np.ndarray:
    """What another option would add to the varied leaves, [designs, leaves]; 0 where the structure is another."""
    used, index = np.unique(problem.space.structures(designs), axis=0, return_inverse=True)
    moved = np.zeros((len(used), len(varied)))
    for row, structure in enumerate(used):
        other = structure.copy()
        other[column] = option
        here, there = (problem.template(codes).candidate for codes in (structure, other))
        if jax.tree.structure(here) == jax.tree.structure(there):
            leaves = (np.array(jax.tree.leaves(one), dtype=float)[varied] for one in (here, there))
            moved[row] = np.subtract(*reversed(list(leaves)))
    return moved[index.ravel()]
