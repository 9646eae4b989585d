"""The analog in-memory macro: cells on a line add charge or current, a converter reads the sum."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from hw.analog_parts import AnalogCell, Converter
from hw.digital_macro import FLIP_FLOP, FULL_ADDER
from hw.gates import Gates
from hw.macro import Macro, exponents_refused
from hw.units import count, fraction, quantity
from models.numerics import NumberFormat


class AnalogEnergy(NamedTuple):
    """Joules of a clock."""

    array: Any
    drivers: Any
    converters: Any
    place_value: Any
    accumulator: Any


class AnalogArea(NamedTuple):
    """Square metres."""

    array: Any
    converters: Any
    place_value: Any
    accumulator: Any


class AnalogNoise(NamedTuple):
    """Noise power over signal power of a product."""

    quantisation: Any
    mismatch: Any
    thermal: Any


def peak_to_power(bits: Any) -> Any:
    """Squared peak over mean square of the 2^bits odd integers around zero: 3 (2^b - 1) / (2^b + 1), 1 for one bit."""
    return 3 * (2**bits - 1) / (2**bits + 1)


class AnalogMacro(Macro):
    """Words in cells on lines; a converter reads lines_per_converter lines, one after the other, a clock each.

    A word of word_bits is on word_bits / bits_per_converter lines; the bits of one line are weighed and added before
    they are converted, the lines after. Inputs are driven with input_bits_per_clock at a time. Cells, drivers and
    converters work at analog_voltage, which does not follow the clock; only the adders do.

        steps  ceil(fed bits / b) a vector, lines_per_converter clocks each;  lines = columns word_bits / bits a line
        E      [rows columns (word_bits / cell bits) E_cell + rows C_driver b V^2] / sharing
               + lines / sharing (E_converter + adders), a clock
        T      read time + time of a conversion
        noise  rows^2 / k p(b) p(bits a line) / (3 4^n)   quantisation to n bits over the whole range of the line
               + mismatch^2                               of cells that differ
               + rows / k p p kT / (C V^2)                thermal, of the line's charge;  p = peak_to_power
               where cells that are off leak the share r, the signal shrinks by (1 - r)^2

    The *_factor fields are calibration on published silicon. For zero-mean operands that fill their range; a line with
    k < rows in use has the converter's range for all rows. Fewer than wanted_bits() lose accuracy.
    Left out: clipped ranges, drift, wire resistance, nonlinear converters, areas of drivers.
    Sources: Sun, Houshmand, Verhelst, ICCAD 2023; Murmann, TVLSI 2021. The noise of shared and sliced lines is ours,
    checked by simulation.
    """

    gates: Gates
    cell: AnalogCell
    converter: Converter
    rows: Array = count()
    columns: Array = count()
    word_bits: Array = count()
    input_bits_per_clock: Array = count()
    bits_per_converter: Array = count()
    lines_per_converter: Array = count()
    driver_capacitance: Array = quantity("F")
    thermal_energy: Array = quantity("J")
    analog_voltage: Array = quantity("V", above=0)
    activity: Array = fraction(above=0)
    array_energy_factor: Array = quantity("", above=0)
    converter_energy_factor: Array = quantity("", above=0)
    array_area_factor: Array = quantity("", above=0)

    def __check_init__(self) -> None:
        self._refuse_remainder("word_bits", self.word_bits, "bits_per_converter", self.bits_per_converter)
        self._refuse_remainder("bits_per_converter", self.bits_per_converter, "cell.bits", self.cell.bits)
        if isinstance(self.columns, float) and isinstance(self.bits_per_converter, float):
            lines = self.columns * self.word_bits / self.bits_per_converter
            self._refuse_remainder("lines (columns x word_bits / bits_per_converter)", lines,
                                   "lines_per_converter", self.lines_per_converter)  # fmt: skip

    @staticmethod
    def _refuse_remainder(name: str, whole: Any, by: str, part: Any) -> None:
        if isinstance(whole, float) and isinstance(part, float) and whole % part:
            raise ValueError(f"{name}: {whole:g} must be a multiple of {by}, {part:g}; change one of them")

    def lines(self) -> Any:
        """Lines that are converted apart from one another."""
        return self.columns * self.word_bits / self.bits_per_converter

    def clocks_per_step(self) -> Any:
        """The converter reads its lines one after the other."""
        return self.lines_per_converter * 1.0

    def cycle_energy(self, voltage: Any, held: NumberFormat, fed: NumberFormat) -> AnalogEnergy:
        """One clock's share of a step: the array settles once a step, the converters work every clock."""
        share, analog = 1 / self.lines_per_converter, self.analog_voltage
        switched = share * self.gates.capacitance() * voltage**2
        adder = FULL_ADDER.capacitance * switched
        driver = self.driver_capacitance * self.input_bits_per_clock * analog**2
        return AnalogEnergy(
            array=share * self.array_energy_factor * self.cells() * self.cell.energy(analog),
            drivers=share * self.rows * driver,
            converters=share * self.converter_energy_factor * self.lines() * self.converter.energy(analog),
            place_value=self.lines() * self.activity * adder * self.place_value_bits(),
            accumulator=self.columns * (adder + FLIP_FLOP.capacitance * switched) * self.accumulator_bits(fed),
        )

    def cells(self) -> Any:
        """Cells of the array."""
        return self.rows * self.columns * self.word_bits / self.cell.bits

    def place_value_bits(self) -> Any:
        """Full adders that a line takes to be added to the other lines of its word; 0 where it is alone."""
        return (self.converter.bits + self.word_bits) * (1 - self.bits_per_converter / self.word_bits)

    def accumulator_bits(self, fed: NumberFormat) -> Any:
        """Bits of a word's accumulator over the steps of an input; 0 where there is one step."""
        several = jnp.where(fed.element_bits > self.input_bits_per_clock, 1.0, 0.0)
        return several * (self.converter.bits + self.word_bits + fed.element_bits)

    def area_terms(self) -> AnalogArea:
        converters = self.lines() / self.lines_per_converter
        adders = FULL_ADDER.area * self.gates.gate_area()
        accumulator = (FULL_ADDER.area + FLIP_FLOP.area) * self.gates.gate_area()
        return AnalogArea(
            array=self.array_area_factor * self.cells() * self.cell.area,
            converters=converters * self.converter.area(self.gates.node),
            place_value=converters * adders * self.place_value_bits(),
            accumulator=self.columns * accumulator * (self.converter.bits + 2 * self.word_bits),
        )

    def converter_over_cells(self) -> Any:
        """Area of a converter over that of the cells it reads: above 1, converters take more room than the array."""
        cells = self.rows * self.lines_per_converter * self.bits_per_converter / self.cell.bits
        return self.converter.area(self.gates.node) / (cells * self.cell.area)

    def converter_over_pitch(self) -> Any:
        """Side of a square converter over the width of the lines it reads: above 1, it does not fit under them."""
        width = self.lines_per_converter * self.bits_per_converter / self.cell.bits * jnp.sqrt(self.cell.area)
        return jnp.sqrt(self.converter.area(self.gates.node)) / width

    def clock_limit(self, voltage: Any) -> Any:
        """Hertz: one read and one conversion, at the analog voltage."""
        return 1 / (self.cell.read_time + self.converter.time(self.rows))

    def leakage(self, voltage: Any) -> Any:
        """Watts of the adders at the leakage reference temperature; cells and converters are left out."""
        area = self.area_terms()
        gates = (area.place_value + area.accumulator) / self.gates.gate_area()
        return self.gates.leakage_power(gates, voltage)

    def wanted_bits(self) -> Any:
        """Bits of a converter that would lose nothing: those of an input step, of the line's weights, log2 rows."""
        return self.input_bits_per_clock + self.bits_per_converter - 1 + jnp.log2(self.rows)

    def noise_terms(self, k: Any) -> AnalogNoise:
        """Noise power over signal power of a product over k elements, by cause; a converter of wanted_bits() or more,
        its codes on the sums, loses nothing."""
        used = jnp.minimum(k, self.rows)
        peak = peak_to_power(self.input_bits_per_clock) * peak_to_power(self.bits_per_converter)
        signal = (1 - self.cell.off_share) ** 2
        thermal = self.thermal_energy / (self.cell.capacitance * self.analog_voltage**2)
        lossy = self.rows**2 / used * peak / (3 * 4**self.converter.bits) / signal
        return AnalogNoise(
            quantisation=jnp.where(self.converter.bits < self.wanted_bits(), lossy, 0.0),
            mismatch=self.cell.mismatch**2 * (1 + self.cell.off_share**2) / signal,
            thermal=self.rows / used * peak * thermal / signal,
        )

    def noise(self, held: NumberFormat, fed: NumberFormat, k: Any) -> Any:
        return sum(self.noise_terms(k))

    def refusal(self, held: NumberFormat, fed: NumberFormat) -> str:
        if words := self.remainder(fed) or exponents_refused(held, fed):
            return words
        for kind in (held, fed):
            if float(kind.scale_bits) > 0 and float(kind.block) < float(self.rows):
                return (
                    f"a line adds {float(self.rows):g} rows at once, but only {float(kind.block):g} elements share a "
                    f"scale; choose a format with larger blocks, such as format=int8, or fewer rows"
                )
        return ""
