"""A silicon process: what a die costs and how large a memory cell is."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.units import quantity


class Process(eqx.Module):
    """Wafers of one node. Source of the equations: Feng and Ma, Chiplet Actuary, DAC 2022."""

    wafer_cost: Array = quantity("USD", above=0)
    wafer_diameter: Array = quantity("m", above=0)
    wafer_edge: Array = quantity("m")
    scribe: Array = quantity("m")
    defect_density: Array = quantity("1/m^2")
    defect_clustering: Array = quantity("", above=0)
    sram_cell_area: Array = quantity("m^2", above=0)

    def die_yield(self, area: Any) -> Any:
        """Share of dies of `area` m2 that work: (1 + D0 A / c)^-c."""
        return (1 + self.defect_density * area / self.defect_clustering) ** -self.defect_clustering

    def dies_per_wafer(self, area: Any) -> Any:
        """Whole dies on a wafer: pi (d/2 - e)^2 / A' - pi (d - 2e) / sqrt(2 A'), A' = (sqrt A + scribe)^2.

        At least a hundredth of a die, so that a die larger than a wafer is dear, not infinite.
        """
        cut = (jnp.sqrt(area) + self.scribe) ** 2
        radius = self.wafer_diameter / 2 - self.wafer_edge
        dies = jnp.pi * radius**2 / cut - jnp.pi * 2 * radius / jnp.sqrt(2 * cut)
        return jnp.maximum(dies, 0.01)

    def die_cost(self, area: Any) -> Any:
        """USD of one known good die of `area` m2."""
        return self.wafer_cost / (self.dies_per_wafer(area) * self.die_yield(area))
