"""What an analog in-memory macro is made of: cells that add to a line, and converters that read it."""

from __future__ import annotations

from typing import Any

import equinox as eqx
from jaxtyping import Array

from hw.units import count, quantity

CELLS_ON = 0.5  # half of the bits are ones


class AnalogCell(eqx.Module):
    """A cell that stores `bits` and adds its share to a line.

    capacitance is charged at every step: the line's, and the cell's own capacitor where it adds charge. Where it adds
    current, read_current flows for read_time through a cell that is on, off_share of it through one that is off.
    mismatch is the relative standard deviation of a cell's share. A signed weight that takes a pair of cells counts
    as one cell with the area, capacitance and current of both.
    """

    bits: Array = count(most=24)
    area: Array = quantity("m^2", above=0)
    capacitance: Array = quantity("F", above=0)
    read_current: Array = quantity("A")
    read_time: Array = quantity("s")
    off_share: Array = quantity("", most=0.99)
    mismatch: Array = quantity("")

    def energy(self, voltage: Any) -> Any:
        """Joules of one step, on average over ones and zeros."""
        current = self.read_current * (CELLS_ON + (1 - CELLS_ON) * self.off_share)
        return self.capacitance * voltage**2 + current * voltage * self.read_time


class Converter(eqx.Module):
    """An analog-to-digital converter of `bits`.

        area   = 2^n area_unit 10^(area_decades n) (node / reference)^area_exponent
        time   = n (time_per_input inputs + time_per_bit)
        energy = (capacitance_per_bit n + capacitance_per_level 4^n) V^2

    Source: Sun, Houshmand, Verhelst, ICCAD 2023, for areas and times; Murmann, TVLSI 2021, for the energy. The scaling
    of the area with the node is ours.
    """

    bits: Array = count(most=24)
    area_unit: Array = quantity("m^2", above=0)
    area_decades: Array = quantity("", least=None)
    area_exponent: Array = quantity("", least=None)
    reference: Array = quantity("m", above=0)
    time_per_bit: Array = quantity("s", above=0)
    time_per_input: Array = quantity("s")
    capacitance_per_bit: Array = quantity("F")
    capacitance_per_level: Array = quantity("F")

    def area(self, node: Any) -> Any:
        """Square metres at `node` (metres)."""
        unscaled = 2**self.bits * self.area_unit * 10 ** (self.area_decades * self.bits)
        return unscaled * (node / self.reference) ** self.area_exponent

    def time(self, inputs: Any) -> Any:
        """Seconds of a conversion on a line of `inputs` cells."""
        return self.bits * (self.time_per_input * inputs + self.time_per_bit)

    def energy(self, voltage: Any) -> Any:
        """Joules of a conversion."""
        return (self.capacitance_per_bit * self.bits + self.capacitance_per_level * 4**self.bits) * voltage**2
