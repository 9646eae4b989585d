"""The package: what holds a die, feeds it and cools it."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.units import count, fraction, quantity


class Package(eqx.Module):
    """One die's share of its package.

    substrate_price : per area of silicon; bonding_yield : of one die; test_cost, assembly_cost : per die;
    thermal_resistance : junction to ambient times area, so that T = ambient + resistance * power / area.
    Source of the cost form: Feng and Ma, Chiplet Actuary, DAC 2022.
    """

    substrate_price: Array = quantity("USD/m^2")
    bonding_yield: Array = fraction(above=0)
    dies: Array = count()
    assembly_cost: Array = quantity("USD")
    test_cost: Array = quantity("USD")
    power_limit: Array = quantity("W", above=0)
    thermal_resistance: Array = quantity("K*m^2/W")
    ambient_temperature: Array = quantity("K", above=0)
    temperature_limit: Array = quantity("K", above=0)

    def cost(self, area: Any, parts: Any) -> Any:
        """USD of one packaged die of `area` m2 that costs `parts` before it is bonded.

        Bonding `dies` dies, any of which spoils the package: parts and substrate over bonding_yield^dies.
        """
        substrate = self.substrate_price * area
        return (parts + substrate + self.assembly_cost) / self.bonding_yield**self.dies + self.test_cost

    def junction_temperature(self, power: Any, area: Any) -> Any:
        """Kelvin of a die of `area` m2 that gives off `power` watts evenly."""
        return self.ambient_temperature + self.thermal_resistance * power / area


class Leakage(eqx.Module):
    """Leakage doubles every `doubling` kelvin above `reference`, where static powers are stated."""

    reference: Array = quantity("K", above=0)
    doubling: Array = quantity("K", above=0)

    def scale(self, temperature: Any) -> Any:
        """Leakage at `temperature` relative to the reference; held beyond 200 K above it, where nothing works."""
        above = jnp.clip(temperature - self.reference, -200.0, 200.0)
        return 2.0 ** (above / self.doubling)
