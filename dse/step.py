"""One pass through a part of the model on one device: its time and energy by cause."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from hw.chip import Bounds, Placement
from hw.heat import State
from hw.system import System
from models.numerics import Formats
from models.operators import Groups, Work


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
        return sum(self)


class Energies(NamedTuple):
    """Joules of one replica's devices by cause, idle power apart."""

    compute: Any = 0.0
    weights: Any = 0.0
    cache: Any = 0.0
    vector: Any = 0.0
    exchange: Any = 0.0

    @property
    def total(self) -> Any:
        return sum(self)


class Pass(NamedTuple):
    """Time on one device and energy of all devices of the tensor group, of some work done once.

    pace : seconds of the fullest pipeline stage in it; layers : how many layers that stage holds.
    """

    times: Times
    energies: Energies
    pace: Any = 0.0
    layers: Any = 0.0


def total(one: Any, other: Any, weight: Any = 1.0) -> Any:
    """The one, and `weight` times the other, cause by cause."""
    return type(one)(*(a + b * weight for a, b in zip(one, other, strict=True)))


def attribute(bounds: Bounds, overhead: Any) -> Times:
    """The largest bound is the operator's time and belongs to its cause; the first named wins a tie."""
    longest = jnp.maximum(jnp.maximum(bounds.compute, bounds.weights), jnp.maximum(bounds.cache, bounds.vector))
    taken, parts = jnp.asarray(False), []
    for bound in bounds:
        wins = (bound >= longest) & ~taken
        parts.append(jnp.where(wins, longest, 0.0))
        taken = taken | wins
    return Times(*parts, overhead=overhead)


def run(system: System, state: State, work: Work, formats: Formats, place: Placement, groups: Groups) -> Pass:
    """All operators one after the other on each device of the tensor group, and the exchanges between them."""
    chip = system.chip
    times, energies = Times(), Energies()
    for operator in work.operators:
        bounds, joules = chip.bounds(operator, formats, place, state)
        times = total(times, attribute(bounds, chip.engine.overhead))
        energies = total(energies, Energies(*joules), groups.tensor.devices)
    partial, gathered = formats.exchange.bytes, formats.gathered.bytes
    moved = [exchange.over(groups, partial, gathered) for exchange in work.exchanges]
    exchange = sum(transfer.time for transfer in moved) * (1 - system.runtime.hidden_exchange)
    joules = sum(transfer.energy for transfer in moved)
    return Pass(times._replace(exchange=exchange), energies._replace(exchange=joules))
