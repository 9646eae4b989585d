"""Passes through the model on one device: their times and energies by cause."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hw.chip import Chip, Placement, Ran
from hw.heat import State
from hw.link import Transfer
from hw.network import Network
from hw.system import System
from models.numerics import Formats
from models.operators import Work


class Times(NamedTuple):
    """Seconds by cause."""

    compute: Any = 0.0
    weights: Any = 0.0
    cache: Any = 0.0
    vector: Any = 0.0
    exchange: Any = 0.0
    overhead: Any = 0.0
    bubble: Any = 0.0

    @property
    def total(self) -> Any:
        return added(self)


class Energies(NamedTuple):
    """Joules of one replica's devices by cause, idle power apart."""

    compute: Any = 0.0
    weights: Any = 0.0
    cache: Any = 0.0
    vector: Any = 0.0
    exchange: Any = 0.0

    @property
    def total(self) -> Any:
        return added(self)


class Pass(NamedTuple):
    """Time on one device and energy of all devices of a stage, of some work done once.

    pace : seconds of the fullest pipeline stage in it; layers : how many layers that stage holds.
    """

    times: Times
    energies: Energies
    pace: Any = 0.0
    layers: Any = 0.0


def total(one: Any, other: Any, weight: Any = 1.0) -> Any:
    """The one, and `weight` times the other, cause by cause."""
    return type(one)(*(a if absent(b) else a + b * weight for a, b in zip(one, other, strict=True)))


def added(parts: Iterable[Any]) -> Any:
    """The sum of what is there."""
    return functools.reduce(operator.add, [part for part in parts if not absent(part)] or [0.0])


def absent(part: Any) -> bool:
    """True of a cause that nothing is counted under, so that it costs no arithmetic."""
    return isinstance(part, float) and part == 0.0


def attribute(ran: Ran) -> Times:
    """An operator's time belongs to the cause that bounds it longest; the first named wins a tie."""
    longest, taken, parts = ran.bounds.longest, jnp.asarray(False), []
    for bound in ran.bounds:
        wins = (bound >= longest) & ~taken
        parts.append(jnp.where(wins, ran.time, 0.0))
        taken = taken | wins
    times = Times(*parts, overhead=ran.start)
    return times._replace(vector=times.vector + ran.apart)


MOST_UNROLLED = 20  # operators beyond which a loop's shorter compilation outweighs its slower run
_most_unrolled = ContextVar("most_unrolled", default=MOST_UNROLLED)


@contextmanager
def in_loops() -> Iterator[None]:
    """What is traced inside has loops for its operators: programs for a few candidates, which compile in half the time
    and run a few times longer."""
    before = _most_unrolled.set(0)
    try:
        yield
    finally:
        _most_unrolled.reset(before)


def each(items: Sequence[Any], answer: Callable[[Any], Any]) -> list[Any]:
    """`answer` of every item: few are written out one after the other; of many, those of one type become one table,
    [items], and one loop, so that a program has each question once."""
    if len(items) <= _most_unrolled.get():
        return [answer(item) for item in items]
    places: dict[type, list[int]] = {}
    for index, item in enumerate(items):
        places.setdefault(type(item), []).append(index)
    found: list[Any] = [None] * len(items)
    for indices in places.values():
        table = jax.tree.map(lambda *leaves: jnp.stack(jnp.broadcast_arrays(*leaves)), *(items[i] for i in indices))
        answers = jax.lax.map(answer, table)
        for row, index in enumerate(indices):
            found[index] = jax.tree.map(lambda leaf, row=row: leaf[row], answers)
    return found


def worked(
    chip: Chip, state: State, works: Sequence[Work], formats: Formats, place: Placement, devices: Any
) -> list[Pass]:
    """Each work's operators one after the other on each of so many devices, its exchanges apart."""
    operators = [operator for work in works for operator in work.operators]
    return summed(works, each(operators, lambda operator: chip.run(operator, formats, place, state)), devices)


def summed(works: Sequence[Work], ran: Sequence[Ran], devices: Any) -> list[Pass]:
    """Each work's operators one after the other, from what each of them takes."""
    costs, found = iter(ran), []
    for work in works:
        times, energies = Times(), Energies()
        for _ in work.operators:
            cost = next(costs)
            times = total(times, attribute(cost))
            energies = total(energies, Energies(*cost.joules), devices)
        found.append(Pass(times, energies))
    return found


def moved(network: Network, works: Sequence[Work], formats: Formats) -> list[Transfer]:
    """Each work's exchanges one after the other."""
    partial, gathered = formats.exchange.bytes, formats.gathered.bytes
    exchanges = [exchange for work in works for exchange in work.exchanges]
    moves = iter(each(exchanges, lambda one: one.over(network.group(*one.span), partial, gathered)))
    found = []
    for work in works:
        own = [next(moves) for _ in work.exchanges]
        found.append(Transfer(sum(one.time for one in own), sum(one.energy for one in own)))
    return found


def joined(system: System, done: Pass, move: Transfer) -> Pass:
    """Operators with their exchanges, of which software hides a share."""
    exchange = move.time * (1 - system.runtime.hidden_exchange)
    return Pass(done.times._replace(exchange=exchange), done.energies._replace(exchange=move.energy))
