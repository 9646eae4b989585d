"""DRAM stacked on the compute die, face to face or by vias."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from hw.conditions import Conditions, Heat
from hw.memory import Memory
from hw.process import LEAST_YIELD, Process
from hw.refresh import Refresh
from hw.units import count, fraction, quantity


class StackedDram(Memory):
    """Layers of DRAM over the compute die, joined by a grid of pads, made of equal banks.

        banks     = area * overlap / bank_area * (1 - spare_share), a layer
        pads      = area * overlap / pitch^2 * signal_share * pad_rate / 8
        peak      = min(min(pads, layers * banks * bank_width / bank_cycle) * (1 - refresh), bandwidth)
        capacity  = layers * banks * bank_capacity
        energy    = activate_energy / page_use + column_energy
                    + wire_energy * sqrt(bank_area * channel_banks) + via_energy * (layers + 1) / 2

    bandwidth : what the controllers on the die take at most; finest_pitch : what the bonding reaches;
    activate_energy : of a row, per byte of it; page_use : share of an opened row that is read; wires cross the
    channel_banks that share one interface; a byte passes half of the layers' vias on the mean.

    Heat: each layer with its bond resists `layer_resistance`. Cooled through the stack (`cooled_through` 1), all heat
    of the logic passes every layer, and the layer next to the logic is the hottest; cooled from the logic's side (0),
    each layer only passes what is beyond it, and the outermost is the hottest. With fluxes q of the logic and p of
    each of L layers:

        through : T_logic = T_surface + r (L q + p L (L-1)/2),   T_dram = T_logic - r q
        beside  : T_logic = T_surface,                            T_dram = T_surface + r p L (L+1)/2

    (the resistance of a layer lies on its side of the logic).

    Each layer is bonded once, at bonding_cost with bonding_yield, and a bad bond loses die and stack. known_good 1:
    tested dies are bonded to a wafer one by one. known_good 0: wafer to wafer, so of each layer only layer_yield works
    (untested, it is bought at layer_yield of the price), and layers are spent on bad dies too.

    Left out: heat that spreads sideways, hot spots, several ranks on one pad grid, temperature of the row's sensing.
    Source of the form: CACTI-3DD, DATE 2012.
    """

    refresh: Refresh
    overlap: Array = fraction(above=0)
    pitch: Array = quantity("m", above=0)
    finest_pitch: Array = quantity("m", above=0)
    signal_share: Array = fraction(above=0)
    pad_rate: Array = quantity("bit/s", above=0)
    bandwidth: Array = quantity("B/s", above=0)
    layers: Array = count()
    bank_area: Array = quantity("m^2", above=0)
    bank_capacity: Array = quantity("B", above=0)
    bank_width: Array = quantity("B", above=0)
    bank_cycle: Array = quantity("s", above=0)
    spare_share: Array = quantity("", most=0.9)
    channel_banks: Array = count()
    latency: Array = quantity("s")
    activate_energy: Array = quantity("J/B")
    page_use: Array = fraction(above=0)
    column_energy: Array = quantity("J/B")
    wire_energy: Array = quantity("J/B/m")
    via_energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    static_power: Array = quantity("W/B")
    layer_resistance: Array = quantity("K*m^2/W")
    cooled_through: Array = fraction()
    price: Array = quantity("USD/B")
    bonding_cost: Array = quantity("USD")
    bonding_yield: Array = fraction(above=0)
    via_area: Array = quantity("m^2")
    temperature_limit: Array = quantity("K", above=0)
    carbon: Array = quantity("kg/B")
    known_good: Array = fraction(default=1.0)
    layer_yield: Array = fraction(above=0, default=1.0)

    def __check_init__(self) -> None:
        pitch, finest = self.pitch, self.finest_pitch
        if isinstance(pitch, float) and isinstance(finest, float) and pitch < finest:
            raise ValueError(
                f"pitch: {pitch * 1e6:g} um is below finest_pitch, the {finest * 1e6:g} um that this bonding reaches; "
                "widen the pitch, or choose a finer bonding"
            )

    def banks(self, conditions: Conditions) -> Any:
        """Banks in use in one layer."""
        return conditions.area * self.overlap / self.bank_area * (1 - self.spare_share)

    def bytes_held(self, conditions: Conditions) -> Any:
        return self.layers * self.banks(conditions) * self.bank_capacity

    def pad_bandwidth(self, conditions: Conditions) -> Any:
        """Bytes per second that the pads pass."""
        pads = conditions.area * self.overlap / self.pitch**2 * self.signal_share
        return pads * self.pad_rate / 8

    def bank_bandwidth(self, conditions: Conditions) -> Any:
        """Bytes per second that all banks give."""
        return self.layers * self.banks(conditions) * self.bank_width / self.bank_cycle

    def peak_bandwidth(self, conditions: Conditions) -> Any:
        slower = jnp.minimum(self.pad_bandwidth(conditions), self.bank_bandwidth(conditions))
        offered = slower * (1 - self.refresh.share) * self.refresh.relative_bandwidth(conditions.temperature)
        return jnp.minimum(offered, self.bandwidth)

    def byte_energy(self, conditions: Conditions) -> Any:
        wires = self.wire_energy * jnp.sqrt(self.bank_area * self.channel_banks)
        vias = self.via_energy * (self.layers + 1) / 2
        return self.activate_energy / self.page_use + self.column_energy + wires + vias

    def standby_power(self, conditions: Conditions) -> Any:
        each = self.static_power + self.refresh.power * self.refresh.scale(conditions.temperature)
        return each * self.bytes_held(conditions)

    def on_die(self) -> Any:
        return jnp.ones_like(self.latency)

    def barrier(self, heat: Heat) -> Any:
        own = heat.own * (self.layers - 1) / 2  # a layer's heat passes what lies between it and the cooler
        return self.cooled_through * self.layer_resistance * (self.layers * heat.through + own)

    def temperature(self, heat: Heat) -> Any:
        near_logic = heat.logic - self.layer_resistance * heat.through
        outermost = heat.logic + self.layer_resistance * heat.own * (self.layers + 1) / 2
        return self.cooled_through * near_logic + (1 - self.cooled_through) * outermost

    def cost(self, conditions: Conditions) -> Any:
        return self.price * self.bytes_held(conditions) * jnp.where(self.known_good > 0, 1.0, self.layer_yield)

    def stacked(self) -> Any:
        return jnp.ones_like(self.price)

    def stacking_cost(self) -> Any:
        return self.bonding_cost * self.layers

    def stacking_yield(self) -> Any:
        untested = jnp.where(self.known_good > 0, 1.0, self.layer_yield)
        return jnp.maximum((self.bonding_yield * untested) ** self.layers, LEAST_YIELD)

    def blind_yield(self, die_yield: Any) -> Any:
        return jnp.where(self.known_good > 0, 1.0, die_yield)

    def area(self, process: Process) -> Any:
        return self.via_area
