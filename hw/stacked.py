"""DRAM stacked on the compute die, face to face or by vias."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from hw.memory import Die, Memory
from hw.process import Process
from hw.units import count, fraction, quantity


class StackedDram(Memory):
    """Layers of DRAM over the compute die, joined by a grid of pads.

        bandwidth = area * overlap / pitch^2 * signal_share * pad_rate / 8 * (1 - refresh_share)
        capacity  = area * overlap * layers * layer_density

    refresh_share is the bandwidth that refresh and error correction take; via_area is the compute die's share
    for the pads.
    Each layer is bonded once, at bonding_cost with bonding_yield, and a bad bond loses die and stack. known_good 1:
    tested dies are bonded to a wafer one by one. known_good 0: wafer to wafer, so of each layer only layer_yield works
    (untested, it is bought at layer_yield of the price), and layers are spent on bad dies too.
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
    carbon: Array = quantity("kg/B")
    known_good: Array = fraction(default=1.0)
    layer_yield: Array = fraction(above=0, default=1.0)

    def bytes_held(self, die: Die) -> Any:
        return die.area * self.overlap * self.layers * self.layer_density

    def peak_bandwidth(self, die: Die) -> Any:
        pads = die.area * self.overlap / self.pitch**2 * self.signal_share
        return pads * self.pad_rate / 8 * (1 - self.refresh_share)

    def cost(self, die: Die) -> Any:
        return self.price * self.bytes_held(die) * jnp.where(self.known_good > 0, 1.0, self.layer_yield)

    def stacked(self) -> Any:
        return jnp.ones_like(self.price)

    def stacking_cost(self) -> Any:
        return self.bonding_cost * self.layers

    def stacking_yield(self) -> Any:
        untested = jnp.where(self.known_good > 0, 1.0, self.layer_yield)
        return (self.bonding_yield * untested) ** self.layers

    def blind_yield(self, die_yield: Any) -> Any:
        return jnp.where(self.known_good > 0, 1.0, die_yield)

    def area(self, process: Process) -> Any:
        return self.via_area
