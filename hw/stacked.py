"""DRAM stacked on the compute die, face to face or by vias."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array

from hw.memory import Die, Memory
from hw.process import Process
from hw.units import count, fraction, quantity


class StackedDram(Memory):
    """Layers of DRAM over the compute die, joined by a grid of pads.

        bandwidth = area * overlap / pitch^2 * signal_share * pad_rate / 8 * (1 - refresh_share)
        capacity  = area * overlap * layers * layer_density

    refresh_share is the bandwidth that refresh and error correction take; via_area is the compute die's share
    for the pads. A bad bond loses die and stack.
    Left out: banks and rows; refresh that rises with temperature (the limit is held instead).
    Source of the form: CACTI-3DD, DATE 2012.
    """

    overlap: Array = fraction(above=0)
    pitch: Array = quantity("m", above=0)
    signal_share: Array = fraction(above=0)
    pad_rate: Array = quantity("bit/s", above=0)
    refresh_share: Array = fraction()
    layers: Array = count()
    layer_density: Array = quantity("B/m^2", above=0)
    latency: Array = quantity("s")
    access_energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    static_power: Array = quantity("W/B")
    price: Array = quantity("USD/B")
    bonding_cost: Array = quantity("USD")
    bonding_yield: Array = fraction(above=0)
    via_area: Array = quantity("m^2")
    temperature_limit: Array = quantity("K", above=0)

    def bytes_held(self, die: Die) -> Any:
        return die.area * self.overlap * self.layers * self.layer_density

    def peak_bandwidth(self, die: Die) -> Any:
        pads = die.area * self.overlap / self.pitch**2 * self.signal_share
        return pads * self.pad_rate / 8 * (1 - self.refresh_share)

    def cost(self, die: Die) -> Any:
        return self.price * self.bytes_held(die) + self.bonding_cost

    def bonded_cost(self, die: Die) -> Any:
        return self.cost(die)

    def stacking_yield(self) -> Any:
        return self.bonding_yield

    def area(self, process: Process) -> Any:
        return self.via_area
