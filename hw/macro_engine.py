"""An engine of in-memory-compute macros."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array

from hw.conditions import Conditions
from hw.engine import WeightStationary
from hw.macro import Macro
from hw.units import count, fraction, quantity
from models.numerics import NumberFormat


class MacroArray(WeightStationary):
    """`cores` cores of one macro each; its geometry sets the timing, its gates, cells and converters the energy.

    beside_*: what a core has beside its macro, such as input registers, broadcast, sequencer and buffers. beside_energy
    is stated for word_bits x word_bits and scales with both widths; with fill_energy it is stated at the nominal
    voltage. leakage_voltage is the voltage at which the macro's leakage is told. idle_share of the dynamic power flows
    whether the cores work or wait.
    """

    macro: Macro
    cores: Array = count()
    frequency: Array = quantity("Hz", above=0)
    fill_width: Array = quantity("B/clk", above=0)
    fill_energy: Array = quantity("J/B")
    overhead: Array = quantity("s")
    beside_energy: Array = quantity("J/op")
    beside_area: Array = quantity("m^2")
    beside_leakage: Array = quantity("W")
    leakage_voltage: Array = quantity("V", above=0)
    idle_share: Array = fraction()

    @property
    def rows(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.macro.rows

    @property
    def columns(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.macro.columns

    @property
    def word_bits(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.macro.word_bits

    @property
    def input_bits_per_clock(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Input bits a clock on average: a step takes several clocks where lines share a converter."""
        return self.macro.input_bits_per_clock / self.macro.clocks_per_step()

    def operation_energy(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        """Joules per operation: the macro at the voltage it works at, and what is beside it."""
        widths = held.element_bits * fed.element_bits / self.word_bits**2
        beside = self.beside_energy * widths * conditions.switching
        return self.arithmetic_energy(held, fed, conditions) + beside

    def arithmetic_energy(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        """Joules per operation of the macro alone, at the voltage it works at."""
        return self.macro.operation_energy(conditions.voltage, held, fed)

    def fill_byte_energy(self, conditions: Conditions) -> Any:
        """Joules per byte brought into the macro."""
        return self.fill_energy * conditions.switching

    def clock_limit(self, conditions: Conditions) -> Any:
        """Hertz of the fastest clock that the macro closes at conditions.voltage."""
        return self.macro.clock_limit(conditions.voltage)

    def noise(self, held: NumberFormat, fed: NumberFormat, k: Any) -> Any:
        """Noise power over signal power that the macro adds to a product over k elements."""
        return self.macro.noise(held, fed, k)

    def area(self) -> Any:
        """Square metres of all cores."""
        return self.cores * (self.macro.area() + self.beside_area)

    def leakage(self) -> Any:
        """Watts of all cores at the leakage reference temperature."""
        return self.cores * (self.macro.leakage(self.leakage_voltage) + self.beside_leakage)

    def refusal(self, held: NumberFormat, fed: NumberFormat) -> str:
        return self.macro.refusal(held, fed)

    def caution(self) -> str:
        """What to tell people about how far its silicon is from what was published; empty where it is near."""
        return self.macro.caution()
