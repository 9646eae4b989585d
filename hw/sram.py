"""SRAM on the compute die: spread over the cores, or in banks that all cores share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.conditions import Conditions, Heat
from hw.memory import Memory
from hw.process import Process
from hw.units import count, fraction, quantity


class Sram(Memory):
    """What all SRAM on the die has in common: it leaks, it is as hot as the logic, it costs area."""

    capacity: eqx.AbstractVar[Array]
    static_power: eqx.AbstractVar[Array]

    @abstractmethod
    def array_share(self) -> Any:
        """Share of the macro's area that is cells."""

    def bytes_held(self, conditions: Conditions) -> Any:
        return self.capacity

    def standby_power(self, conditions: Conditions) -> Any:
        """Watts of leakage; static_power is stated at the reference temperature."""
        return self.static_power * self.capacity * conditions.leaking

    def area(self, process: Process) -> Any:
        """Square metres: bits * cell / share of the area that is cells."""
        return self.capacity * 8 * process.sram_cell_area / self.array_share()

    def temperature(self, heat: Heat) -> Any:
        return heat.logic

    def on_die(self) -> Any:
        return jnp.ones_like(self.capacity)

    def within_logic(self) -> Any:
        return jnp.ones_like(self.capacity)


class LocalSram(Sram):
    """SRAM spread over the cores: each core reads `width` bytes a clock from its own banks.

    Bandwidth is cores * width * frequency. access_energy is at the nominal voltage.
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

    def peak_bandwidth(self, conditions: Conditions) -> Any:
        return conditions.cores * self.width * conditions.frequency

    def byte_energy(self, conditions: Conditions) -> Any:
        return self.access_energy * conditions.switching

    def array_share(self) -> Any:
        return self.array_efficiency


class BankedSram(Sram):
    """SRAM in equal banks behind wires that all cores share.

        bits of a bank n = 8 capacity / banks, as a square of sqrt(n) rows and columns
        bandwidth  = banks * width * frequency * busy_banks
        cell share = (1 + periphery / sqrt(n))^-2
        energy     = (row_energy * sqrt(n) + wire_energy * wire_length) * switching

    width : word of a bank; busy_banks : share of the banks that accesses find free; periphery : decoder and sense
    amplifiers at the edge of a bank, in cells; row_energy : of a bit line, per byte and row it passes; wire_energy :
    per byte and metre. Many small banks are fast and frugal, and large. Left out: latency by size, error correction.
    Source of the form: CACTI, HPL-2009-85 (one level of it).
    """

    capacity: Array = quantity("B", above=0)
    banks: Array = count()
    width: Array = quantity("B/clk", above=0)
    busy_banks: Array = fraction(above=0)
    periphery: Array = quantity("", least=0)
    row_energy: Array = quantity("J/B")
    wire_energy: Array = quantity("J/B/m")
    wire_length: Array = quantity("m")
    latency: Array = quantity("s")
    sustained_fraction: Array = fraction(above=0)
    static_power: Array = quantity("W/B")
    price: Array = quantity("USD/B")
    temperature_limit: Array = quantity("K", above=0)
    carbon: Array = quantity("kg/B")

    def rows(self) -> Any:
        """Rows of a bank: the square root of its bits."""
        return jnp.sqrt(8 * self.capacity / self.banks)

    def peak_bandwidth(self, conditions: Conditions) -> Any:
        return self.banks * self.width * conditions.frequency * self.busy_banks

    def byte_energy(self, conditions: Conditions) -> Any:
        each = self.row_energy * self.rows() + self.wire_energy * self.wire_length
        return each * conditions.switching

    def array_share(self) -> Any:
        return (1 + self.periphery / self.rows()) ** -2
