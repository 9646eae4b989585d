"""How a die is cooled, and what heat does to its leakage."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.units import quantity


class Cooling(eqx.Module):
    """The way of the heat from a die to the air or water.

    thermal_resistance : junction to ambient times area, so that T = ambient + resistance * power / area;
    power_limit : watts of one die that supply and cooler are built for, the clock falls to meet it;
    heat_flux_limit : watts per area of the die; temperature_limit : of the logic.
    """

    power_limit: Array = quantity("W", above=0)
    heat_flux_limit: Array = quantity("W/m^2", above=0)
    thermal_resistance: Array = quantity("K*m^2/W")
    ambient_temperature: Array = quantity("K", above=0)
    temperature_limit: Array = quantity("K", above=0)

    def surface_temperature(self, flux: Any) -> Any:
        """Kelvin of the side of the die that faces the cooler, `flux` W/m2 passing evenly."""
        return self.ambient_temperature + self.thermal_resistance * flux


class Leakage(eqx.Module):
    """Leakage doubles every `doubling` kelvin above `reference`, where static powers are stated."""

    reference: Array = quantity("K", above=0)
    doubling: Array = quantity("K", above=0, difference=True)

    def scale(self, temperature: Any) -> Any:
        """Leakage at `temperature` relative to the reference; held beyond 200 K above it, where nothing works."""
        above = jnp.clip(temperature - self.reference, -200.0, 200.0)
        return 2.0 ** (above / self.doubling)
