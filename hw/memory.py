"""Memory tiers. This file is the contract, and the memories whose bandwidth a data sheet states."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.process import Process
from hw.units import count, fraction, quantity


class Die(NamedTuple):
    """What a memory may depend on: the compute die that it serves."""

    cores: Any
    frequency: Any
    area: Any


class Beside(NamedTuple):
    """What a memory takes of the package: how many stacks stand beside the die, on how many m2 together."""

    stacks: Any
    area: Any


class Memory(eqx.Module):
    """A tier under one die: how much it holds, how fast and at what energy it gives, what it takes.

    Every tier has latency (first byte), access_energy (per byte moved), sustained_fraction (measured share of the
    peak bandwidth), static_power (refresh, standby, leakage, per byte held), price (per byte), carbon (of making it,
    per byte), temperature_limit.
    """

    latency: eqx.AbstractVar[Array]
    access_energy: eqx.AbstractVar[Array]
    sustained_fraction: eqx.AbstractVar[Array]
    static_power: eqx.AbstractVar[Array]
    price: eqx.AbstractVar[Array]
    temperature_limit: eqx.AbstractVar[Array]
    carbon: eqx.AbstractVar[Array]

    @abstractmethod
    def bytes_held(self, die: Die) -> Any:
        """Capacity in bytes."""

    @abstractmethod
    def peak_bandwidth(self, die: Die) -> Any:
        """Bytes per second by the data sheet."""

    @abstractmethod
    def area(self, process: Process) -> Any:
        """Square metres that the tier takes of the compute die."""

    def bandwidth_sustained(self, die: Die) -> Any:
        """Bytes per second that a stream reaches."""
        return self.peak_bandwidth(die) * self.sustained_fraction

    def time(self, size: Any, die: Die) -> Any:
        """Seconds to move `size` bytes: latency + size / bandwidth; nothing for nothing."""
        return jnp.where(size > 0, self.latency + size / self.bandwidth_sustained(die), 0.0)

    def energy(self, size: Any) -> Any:
        """Joules to move `size` bytes."""
        return size * self.access_energy

    def standby_power(self, die: Die) -> Any:
        """Watts whether it is used or not."""
        return self.static_power * self.bytes_held(die)

    def cost(self, die: Die) -> Any:
        """USD of the bought memory; 0 where it is part of the compute die."""
        return self.price * self.bytes_held(die)

    def embodied(self, die: Die) -> Any:
        """kg emitted to make it; 0 where it is part of the compute die."""
        return self.carbon * self.bytes_held(die)

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
    """DRAM beside the die: HBM, LPDDR, GDDR, DDR. interface_area is the compute die's side of the channel; stacks of
    stack_area each stand in the package, 0 on the board."""

    capacity: Array = quantity("B", above=0)
    bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    access_energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    static_power: Array = quantity("W/B")
    price: Array = quantity("USD/B")
    interface_area: Array = quantity("m^2")
    temperature_limit: Array = quantity("K", above=0)
    carbon: Array = quantity("kg/B")
    stacks: Array = count(least=0, default=0.0)
    stack_area: Array = quantity("m^2", default=0.0)

    def bytes_held(self, die: Die) -> Any:
        return self.capacity

    def peak_bandwidth(self, die: Die) -> Any:
        return self.bandwidth

    def area(self, process: Process) -> Any:
        return self.interface_area

    def beside(self) -> Beside:
        return Beside(self.stacks, self.stacks * self.stack_area)


class LocalSram(Memory):
    """SRAM spread over the cores: each core reads `width` bytes a clock from its own banks.

    Bandwidth is cores * width * frequency; area is bits * cell / array_efficiency.
    """

    capacity: Array = quantity("B", above=0)
    width: Array = quantity("B/clk", above=0)
    array_efficiency: Array = fraction(above=0)
    latency: Array = quantity("s")
    access_energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    static_power: Array = quantity("W/B")
    price: Array = quantity("USD/B")
    temperature_limit: Array = quantity("K", above=0)
    carbon: Array = quantity("kg/B")

    def bytes_held(self, die: Die) -> Any:
        return self.capacity

    def peak_bandwidth(self, die: Die) -> Any:
        return die.cores * self.width * die.frequency

    def area(self, process: Process) -> Any:
        return self.capacity * 8 * process.sram_cell_area / self.array_efficiency
