"""Memory tiers. This file is the contract, and the DRAM whose bandwidth a data sheet states."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.conditions import Conditions, Heat
from hw.process import Process
from hw.refresh import Refresh
from hw.units import count, fraction, quantity


class Beside(NamedTuple):
    """What a memory takes of the package: how many stacks stand beside the die, on how many m2 together."""

    stacks: Any
    area: Any


class Memory(eqx.Module):
    """A tier under one die: how much it holds, how fast and at what energy it gives and takes, and what it needs.

    Every tier has latency (first byte), sustained_fraction (measured share of the peak bandwidth), price and carbon
    (of making it; both per byte), temperature_limit. `conditions` are those of the die, with the temperature of the
    tier.
    """

    latency: eqx.AbstractVar[Array]
    sustained_fraction: eqx.AbstractVar[Array]
    price: eqx.AbstractVar[Array]
    temperature_limit: eqx.AbstractVar[Array]
    carbon: eqx.AbstractVar[Array]

    @abstractmethod
    def bytes_held(self, conditions: Conditions) -> Any:
        """Capacity in bytes."""

    @abstractmethod
    def peak_bandwidth(self, conditions: Conditions) -> Any:
        """Bytes per second that it reads at best at this temperature."""

    @abstractmethod
    def byte_energy(self, conditions: Conditions) -> Any:
        """Joules per byte read."""

    @abstractmethod
    def standby_power(self, conditions: Conditions) -> Any:
        """Watts whether it is used or not: leakage, refresh, standby."""

    @abstractmethod
    def area(self, process: Process) -> Any:
        """Square metres that the tier takes of the compute die."""

    @abstractmethod
    def temperature(self, heat: Heat) -> Any:
        """Kelvin of the hottest cell."""

    def write_slowdown(self) -> Any:
        """Time of a byte written over that of a byte read."""
        return jnp.ones_like(self.latency)

    def write_energy_ratio(self) -> Any:
        """Energy of a byte written over that of a byte read."""
        return jnp.ones_like(self.latency)

    def on_die(self) -> Any:
        """Share of its power that leaves through the die's cooler."""
        return jnp.zeros_like(self.latency)

    def within_logic(self) -> Any:
        """Share of its power that is given off in the logic die itself."""
        return jnp.zeros_like(self.latency)

    def barrier(self, heat: Heat) -> Any:
        """Kelvin that it adds between the logic and the cooler: none where it is not in the way."""
        return jnp.zeros_like(self.latency)

    def bandwidth_sustained(self, conditions: Conditions) -> Any:
        """Bytes per second that a stream of reads reaches."""
        return self.peak_bandwidth(conditions) * self.sustained_fraction

    def read_time(self, size: Any, conditions: Conditions) -> Any:
        """Seconds to read `size` bytes: latency + size / bandwidth; nothing for nothing."""
        return jnp.where(size > 0, self.latency + size / self.bandwidth_sustained(conditions), 0.0)

    def write_time(self, size: Any, conditions: Conditions) -> Any:
        """Seconds to write `size` bytes."""
        return self.read_time(size * self.write_slowdown(), conditions)

    def read_energy(self, size: Any, conditions: Conditions) -> Any:
        """Joules to read `size` bytes."""
        return size * self.byte_energy(conditions)

    def write_energy(self, size: Any, conditions: Conditions) -> Any:
        """Joules to write `size` bytes."""
        return self.read_energy(size, conditions) * self.write_energy_ratio()

    def cost(self, conditions: Conditions) -> Any:
        """USD of the bought memory; 0 where it is part of the compute die."""
        return self.price * self.bytes_held(conditions)

    def embodied(self, conditions: Conditions) -> Any:
        """kg emitted to make it; 0 where it is part of the compute die."""
        return self.carbon * self.bytes_held(conditions)

    def beside(self) -> Beside:
        """What it takes of the package: nothing where it is on the die or on the board."""
        return Beside(jnp.zeros_like(self.price), jnp.zeros_like(self.price))

    def stacked(self) -> Any:
        """1 where it is bonded onto the die, and lost with it if that fails; 0 elsewhere."""
        return jnp.zeros_like(self.price)

    def stacking_cost(self) -> Any:
        """USD of bonding it onto the die; 0 for memory beside it."""
        return jnp.zeros_like(self.price)

    def stacking_yield(self) -> Any:
        """Share of dies that survive the bonding of this memory onto them: all, for memory beside them."""
        return jnp.ones_like(self.price)

    def blind_yield(self, die_yield: Any) -> Any:
        """Share of its bonds that hit a working die: all, where dies are tested before; else the dies' own yield."""
        return jnp.ones_like(self.price)


class Dram(Memory):
    """DRAM beside the die: HBM, LPDDR, GDDR, DDR.

    parts : stacks, channels or modules; capacity, bandwidth and interface_area (the compute die's side) are of one.
    bandwidth is the data sheet's; a hot memory refreshes more often and gives less. coupling : share of the logic's
    rise over the ambient that the memory feels, near 1 on a shared cold plate, small on a board of its own.
    stack_area : that one part takes in the package; 0 on the board.
    """

    refresh: Refresh
    parts: Array = count()
    capacity: Array = quantity("B", above=0)
    bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    access_energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    static_power: Array = quantity("W/B")
    price: Array = quantity("USD/B")
    interface_area: Array = quantity("m^2")
    coupling: Array = fraction()
    temperature_limit: Array = quantity("K", above=0)
    carbon: Array = quantity("kg/B")
    stack_area: Array = quantity("m^2", default=0.0)

    def bytes_held(self, conditions: Conditions) -> Any:
        return self.parts * self.capacity

    def peak_bandwidth(self, conditions: Conditions) -> Any:
        return self.parts * self.bandwidth * self.refresh.relative_bandwidth(conditions.temperature)

    def byte_energy(self, conditions: Conditions) -> Any:
        return self.access_energy

    def standby_power(self, conditions: Conditions) -> Any:
        each = self.static_power + self.refresh.power * self.refresh.scale(conditions.temperature)
        return each * self.bytes_held(conditions)

    def area(self, process: Process) -> Any:
        return self.parts * self.interface_area

    def beside(self) -> Beside:
        return Beside(jnp.where(self.stack_area > 0, self.parts, 0.0), self.parts * self.stack_area)

    def temperature(self, heat: Heat) -> Any:
        return heat.ambient + self.coupling * (heat.logic - heat.ambient)


class NonVolatile(Memory):
    """Memory that keeps its content without power and is slower to write than to read: flash, resistive, magnetic.

    parts : dies or packages; capacity, bandwidths and interface_area are of one. Left out: wear, and blocks that are
    erased whole.
    """

    parts: Array = count()
    capacity: Array = quantity("B", above=0)
    bandwidth: Array = quantity("B/s", above=0)
    write_bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    access_energy: Array = quantity("J/B", above=0)
    write_energy_per_byte: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    static_power: Array = quantity("W/B")
    price: Array = quantity("USD/B")
    interface_area: Array = quantity("m^2")
    coupling: Array = fraction()
    temperature_limit: Array = quantity("K", above=0)
    carbon: Array = quantity("kg/B")
    stack_area: Array = quantity("m^2", default=0.0)

    def bytes_held(self, conditions: Conditions) -> Any:
        return self.parts * self.capacity

    def peak_bandwidth(self, conditions: Conditions) -> Any:
        return self.parts * self.bandwidth

    def byte_energy(self, conditions: Conditions) -> Any:
        return self.access_energy

    def write_slowdown(self) -> Any:
        return self.bandwidth / self.write_bandwidth

    def write_energy_ratio(self) -> Any:
        return self.write_energy_per_byte / self.access_energy

    def standby_power(self, conditions: Conditions) -> Any:
        return self.static_power * self.bytes_held(conditions)

    def area(self, process: Process) -> Any:
        return self.parts * self.interface_area

    def beside(self) -> Beside:
        return Beside(jnp.where(self.stack_area > 0, self.parts, 0.0), self.parts * self.stack_area)

    def temperature(self, heat: Heat) -> Any:
        return heat.ambient + self.coupling * (heat.logic - heat.ambient)
