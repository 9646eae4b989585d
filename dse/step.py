"""One pass through a part of the model on one device: its time and energy by cause."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from hw.chip import Bounds, Chip, Placement
from hw.system import System
from models.numerics import Formats
from models.operators import Groups, Operator, Work


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


def operator_energies(chip: Chip, work: Operator, formats: Formats, place: Placement, scale: Any) -> Energies:
    """Joules of one operator on one device beyond the idle power; `scale` is that of the engine's switching."""
    held, engine = work.held(formats), chip.engine
    size, written = work.held_elements * held.bytes, work.cache_written * formats.cache.bytes
    fetched = chip.fetch_energy(size, work.held(place)) + size * engine.fill_byte_energy() * scale
    return Energies(
        compute=2 * work.macs * engine.operation_energy(held, formats.activations) * scale,
        vector=work.vector_ops * chip.vector.energy,
        **work.causes(fetched, chip.fetch_energy(written, place.cache)),
    )


def run(system: System, work: Work, formats: Formats, place: Placement, groups: Groups) -> Pass:
    """All operators one after the other on each device of the tensor group, and the exchanges between them."""
    chip, die = system.chip, system.chip.die()
    scale = chip.switching_scale() * (1 - chip.engine.idle_share)
    times, energies = Times(), Energies()
    for operator in work.operators:
        here = attribute(chip.bounds(operator, formats, place, die), chip.engine.overhead)
        spent = operator_energies(chip, operator, formats, place, scale)
        times, energies = total(times, here), total(energies, spent, groups.tensor.devices)
    partial, gathered = formats.exchange.bytes, formats.gathered.bytes
    moved = [exchange.over(groups, partial, gathered) for exchange in work.exchanges]
    exchange = sum(transfer.time for transfer in moved) * (1 - system.runtime.hidden_exchange)
    joules = sum(transfer.energy for transfer in moved)
    return Pass(times._replace(exchange=exchange), energies._replace(exchange=joules))
