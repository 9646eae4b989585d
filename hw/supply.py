"""The supply: which voltage a clock needs."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.units import quantity


class Supply(eqx.Module):
    """A straight line through two operating points; energies elsewhere are stated at nominal_voltage.

    Below `floor_voltage` the line stops. Left out: the upper end, where a process gives up; the power limit and the
    heat bound that first.
    """

    low_frequency: Array = quantity("Hz", above=0)
    low_voltage: Array = quantity("V", above=0)
    high_frequency: Array = quantity("Hz", above=0)
    high_voltage: Array = quantity("V", above=0)
    nominal_voltage: Array = quantity("V", above=0)
    floor_voltage: Array = quantity("V", above=0)

    def __check_init__(self) -> None:
        low, high = self.low_frequency, self.high_frequency
        if isinstance(low, float) and isinstance(high, float) and low >= high:
            raise ValueError(f"low_frequency: {low:g} Hz must be below high_frequency, {high:g} Hz")

    def voltage(self, frequency: Any) -> Any:
        """Volts that `frequency` needs."""
        slope = (self.high_voltage - self.low_voltage) / (self.high_frequency - self.low_frequency)
        return jnp.maximum(self.low_voltage + slope * (frequency - self.low_frequency), self.floor_voltage)

    def energy_scale(self, frequency: Any) -> Any:
        """Energy of one switching event relative to the nominal voltage's: (V / V_nominal)^2."""
        return (self.voltage(frequency) / self.nominal_voltage) ** 2
