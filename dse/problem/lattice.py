"""Every combination of chips and systems under its best mapping: what many candidates share is worked out once.

A candidate is a chip in a system. What a device does in a pass depends on the chip, on how a stage is cut and on how
much passes, not on the system around it; what travels depends on the system, not on the chip. So operators are worked
out for all chips and for all different passes, exchanges for all systems, and candidates only put them together. The
equations are those of one candidate: `dse.evaluation.evaluate`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dse.evaluation.evaluate import Candidate, evaluate, is_legal
from dse.evaluation.mapping import Grid, Wanted, complete, keys
from dse.evaluation.metrics import Answer, Headroom, Mapping, units
from dse.evaluation.owned import machines
from dse.evaluation.schedule import Parts, cut_of, hopped, works
from dse.evaluation.steady import Ready, scheduling
from dse.evaluation.step import Energies, Pass, Times, moved, worked
from hw.chip import Placement
from hw.heat import State
from hw.link import Transfer
from models.batch import Batch
from models.parallelism import Cut

SAME = {True: 1e-5, False: 1e-11}  # relative, in single precision or double: what is this near is as good
Axes = tuple[int | None, ...]  # of each leaf of a candidate: 0 where it varies


class Arranged(NamedTuple):
    """What systems come to under mappings, chips apart, each [mappings, systems]."""

    mapping: Mapping
    batches: tuple[Batch, ...]
    moved: tuple[tuple[Transfer, ...], ...]
    hops: tuple[Transfer, ...]
    legal: Any


class Passing(NamedTuple):
    """What a device of a stage does in a pass, whatever the system."""

    cut: Cut
    place: Placement
    batch: Batch


class Best(NamedTuple):
    """The best mapping so far: its place in the grid, and what it is compared by."""

    index: Any
    illegal: Any
    missing: Any
    late: Any
    wished: Any


def axes_of(candidate: Candidate, varied: Axes) -> Any:
    """Where `vmap` finds a candidate's leaves."""
    return jax.tree.unflatten(jax.tree.structure(candidate), varied)


@functools.partial(jax.jit, static_argnames=("wanted", "varied"))
def arranged(systems: Candidate, numbers: Any, choices: Grid, wanted: Wanted, varied: Axes) -> Arranged:
    """Batches, exchanges and legality of systems under mappings, each [mappings, systems]; `numbers` [systems]."""

    def one(candidate: Candidate, _: Any, choice: Grid) -> Arranged:
        mapping = complete(candidate, wanted, choice)
        system, model, formats = candidate.hw, candidate.model, candidate.format
        batches = scheduling(candidate).batches(model, candidate.serving, mapping)
        moves = [tuple(moved(system.network, works(model, b, cut_of(mapping)), formats)) for b in batches]
        hops = [hopped(system, model, formats, mapping, b) for b in batches]
        found = Arranged(mapping, batches, tuple(moves), tuple(hops), is_legal(candidate, mapping))
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), found)

    each = jax.vmap(one, in_axes=(axes_of(systems, varied), 0, None))
    return jax.vmap(each, in_axes=(None, None, 0))(systems, numbers, choices)


@functools.partial(jax.jit, static_argnames="varied")
def settled(chips: Candidate, numbers: Any, varied: Axes) -> State:
    """The state of each chip; `numbers` [chips]."""
    settle = jax.vmap(lambda one, _: one.hw.chip.settle(one.format), in_axes=(axes_of(chips, varied), 0))
    return settle(chips, numbers)


@functools.partial(jax.jit, static_argnames="varied")
def tabled(chips: Candidate, states: State, rows: Passing, varied: Axes) -> tuple[tuple[Any, Any], ...]:
    """Seconds and joules of each work's operators, each [passes, chips]."""

    def one(row: Passing, candidate: Candidate, state: State) -> tuple[tuple[Any, Any], ...]:
        listed = works(candidate.model, row.batch, row.cut)
        done = worked(candidate.hw.chip, state, listed, candidate.format, row.place, row.cut.devices)
        return tuple((each.times.total, each.energies.total) for each in done)

    each = jax.vmap(one, in_axes=(None, axes_of(chips, varied), 0))
    return jax.vmap(each, in_axes=(0, None, None))(rows, chips, states)


class Block(NamedTuple):
    """Chips x systems, and what was worked out for them.

    tables : of each turn, of each work, seconds and joules [passes, chips]; places : in the grid, of the mappings that
    are tried [mappings], of which the first `count` are; rows : the pass of each turn [mappings, systems]; arranged :
    [mappings, systems], batches apart.
    """

    candidate: Candidate
    states: State
    tables: tuple[Any, ...]
    count: Any
    places: Any
    rows: tuple[Any, ...]
    arranged: Arranged


@functools.partial(jax.jit, static_argnames=("wanted", "metrics", "chips", "systems", "same"))
def chosen(
    block: Block, wanted: Wanted, metrics: tuple[str, ...], chips: Axes, systems: Axes, same: float
) -> tuple[Any, dict[str, Any]]:
    """Of each candidate [systems, chips]: the place of its best mapping in the grid, and its answers under that as flat
    columns: these metrics, headrooms, and whether it is legal."""
    by_system, by_chip = axes_of(block.candidate, systems), axes_of(block.candidate, chips)
    size = block.rows[0].shape[1], block.states.drift.shape[0]

    def over(one: Any, of_system: int | None) -> Any:
        """`one(candidate, state, arranged, both)` of all systems and chips; arranged may be of systems alone."""
        inner = jax.vmap(one, in_axes=(by_chip, 0, of_system, 0))
        each = jax.vmap(inner, in_axes=(by_system, None, 0, 0))
        return lambda found, both: each(block.candidate, block.states, found, both)

    def making(candidate: Candidate, state: State, _: Any, __: Any) -> Any:
        return [(one.built, one.made) for one in machines(candidate, Ready(state))]

    making_costs = over(making, None)(jnp.zeros(size[0]), jnp.zeros(size))

    def answer(candidate: Candidate, state: State, found: Arranged, both: Any) -> Answer:
        done, costs = both
        ready = Ready(state, parts=together(done, found), costs=costs)
        return replace(evaluate(candidate, found.mapping, ready), legal=found.legal)

    def tried(turn: Any, so_far: tuple[Best, Best]) -> tuple[Best, Best]:
        """The best of all but the last, and the last: compared a turn later, or else the compiler would work all of it
        out anew for every number that is kept."""
        rows, found = jax.tree.map(lambda leaf: leaf[turn], (block.rows, block.arranged))
        done = [jax.tree.map(lambda table, at=at: table[at], own) for own, at in zip(block.tables, rows, strict=True)]
        compared = over(lambda *given: keys(answer(*given), wanted), None)(found, (done, making_costs))
        best, last = so_far
        return better(best, last, same), Best(jnp.full(size, turn), *(jnp.asarray(key, number) for key in compared))

    number = block.states.drift.dtype
    none = Best(jnp.zeros(size, jnp.int32), *(jnp.full(size, jnp.inf, number),) * 4)
    best, last = jax.lax.fori_loop(jnp.int32(0), block.count, tried, (none, none))
    best = better(best, last, same)
    by_pair = best.index, jnp.arange(size[0])[:, None]
    found = jax.tree.map(lambda leaf: leaf[by_pair], block.arranged)
    at = [rows[by_pair] for rows in block.rows]
    both = [
        jax.tree.map(lambda table, r=r: table[r, jnp.arange(size[1])], own)
        for own, r in zip(block.tables, at, strict=True)
    ]
    answers = over(answer, 0)(found, (both, making_costs))
    columns = {f"metrics.{name}": getattr(answers.metrics, name) for name in metrics}
    columns |= {f"headroom.{name}": getattr(answers.headroom, name) for name in units(Headroom)}
    return block.places[best.index], columns | {"legal": answers.legal}


def better(best: Best, other: Best, same: float) -> Best:
    """The one whose keys come first, the best so far where they are as good."""
    wins, tie = jnp.asarray(False), jnp.asarray(True)
    for mine, yours in zip(best[1:], other[1:], strict=True):
        margin = jnp.where(jnp.isfinite(yours), same * jnp.abs(yours), 0.0)
        wins = wins | (tie & (yours < mine - margin))
        tie = tie & (yours <= mine + margin)
    return jax.tree.map(lambda mine, yours: jnp.where(wins, yours, mine), best, other)


def together(done: Sequence[Any], found: Arranged) -> tuple[Parts, ...]:
    """The parts of each pass; causes are not told apart."""
    listed = []
    for turn, moves, hops in zip(done, found.moved, found.hops, strict=True):
        passes = tuple(Pass(Times(compute=time), Energies(compute=joules)) for time, joules in turn)
        listed.append(Parts(passes, moves, hops))
    return tuple(listed)
