"""Slopes of answers along the coordinates of a space, through the relaxed model."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from dse.evaluation.batches import padded
from dse.evaluation.evaluate import Candidate, evaluate
from dse.evaluation.goals import Columns
from dse.evaluation.grids import Grids
from dse.evaluation.mapping import Grid, Wanted, complete
from dse.evaluation.metrics import more_is_better
from dse.evaluation.ready import prepared
from dse.evaluation.step import in_loops
from dse.problem.coordinates import Coordinates, Size
from models.counts import relaxed

if TYPE_CHECKING:
    from dse.problem.problem import Kind, Problem


def slopes(problem: Problem, designs: np.ndarray, columns: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Slopes of answers, such as `metrics.power`, along the coordinates: name -> [designs, coordinates].

    columns : the answers about the designs, whose mappings are held. Along an option of a choice of files: the slope of
    the mixture of both machines' numbers, 0 where their structures differ.
    """
    width = Coordinates(problem.space).width
    found = {name: np.zeros((len(designs), width)) for name in names}
    for structure, rows in problem.by_kind(designs):
        kind = problem.kind(structure)
        for chunk, filled in padded(rows, problem.batch):
            held = Grid(*(columns[f"mapping.{name}"][filled] for name in Grid._fields))
            candidates = problem.stacked(designs[filled], kind)
            along = directions(problem, designs[filled], kind)
            asked = (problem.wanted, kind.varied, tuple(names), fanned(problem, kind))
            slope = jax.device_get(slopes_of_each(candidates, along, held, kind.grid, *asked))
            for i, name in enumerate(names):
                found[name][chunk] = slope[: len(chunk), :, i]
    return found


@functools.partial(jax.jit, static_argnames=("wanted", "varied", "names", "fanned"))
def slopes_of_each(
    candidates: Candidate,
    along: Any,
    held: Grid,
    choices: Grids,
    wanted: Wanted,
    varied: tuple[bool, ...],
    names: tuple[str, ...],
    fanned: tuple[int, ...],
) -> Any:
    """Slopes of the named answers [candidates, directions, answers], each candidate under one mapping.

    along : of the varied leaves, [candidates, directions, leaves]; fanned : the directions that lead to more chips.
    Those are used as they serve the mapping's objective best: by more replicas, larger tensor groups or more stages.
    Derivatives are taken forward: there are few directions, and the model settles in loops.
    """
    shape, served = jax.tree.structure(candidates), f"metrics.{wanted.objective}"
    sign = -1.0 if more_is_better(wanted.objective) else 1.0

    def one(leaves: Any, along: Any, choice: Grid) -> Any:
        def answers(moving: Any, grown: Any) -> Any:
            numbers = iter(moving)
            every = [next(numbers) if varies else leaf for leaf, varies in zip(leaves, varied, strict=True)]
            candidate = jax.tree.unflatten(shape, every)
            laid = choice._replace(tensor=choice.tensor * grown[0], pipeline=choice.pipeline * grown[1])
            with relaxed(), in_loops():
                ready = prepared(candidate, choices, wanted)
                answer = evaluate(candidate, complete(candidate, wanted, laid), ready)
            return jnp.stack([functools.reduce(getattr, name.split("."), answer) for name in (served, *names)])

        def slope(direction: Any, growth: Any) -> Any:
            return jax.jvp(answers, (moving, jnp.ones(2)), (direction, growth))[1]

        moving = jnp.stack([leaf for leaf, varies in zip(leaves, varied, strict=True) if varies])
        rates = jnp.stack([(row / moving).sum() for row in along[jnp.array(fanned, int)]]) if fanned else jnp.zeros(0)
        grown = jnp.concatenate([jnp.zeros((len(along), 2)), *(rates[:, None] * unit for unit in jnp.eye(2))])
        wide = jnp.array(fanned, int)
        found = jax.vmap(slope)(jnp.concatenate([along, along[wide], along[wide]]), grown)
        ways = jnp.stack([found[wide], *jnp.split(found[len(along) :], 2)])  # [ways, fanned, answers]
        best = jnp.argmin(sign * ways[:, :, 0], axis=0)
        chosen = jnp.take_along_axis(ways, best[None, :, None], axis=0)[0]
        return found[: len(along)].at[wide].set(chosen)[:, 1:]

    axes = [0 if varies else None for varies in varied]
    return jax.vmap(one, in_axes=(axes, 0, 0))(jax.tree.leaves(candidates), along, held)


def fanned(problem: Problem, kind: Kind) -> tuple[int, ...]:
    """The coordinates of the fan-outs of the machine that decodes."""
    parts, parameters = Coordinates(problem.space).parts, problem.space.parameters
    return tuple(
        parts[column].start
        for column, _ in kind.places
        if parameters[column].key.startswith("hw.levels.") and parameters[column].key.endswith(".fanout")
    )


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
