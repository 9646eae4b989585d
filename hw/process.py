"""Wafers: what a die costs, how many work, what it emits to make them, how large a memory cell is."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.units import quantity

LEAST_YIELD = 1e-6  # what hardly ever works is dear, not infinite
LEAST_DIES = 0.01  # a wafer, where the die is larger than it: dear, not infinite


class Wafers(eqx.Module):
    """Wafers of one kind, cut into dies.

    Every kind has wafer_cost, wafer_diameter, wafer_edge (lost around the rim), scribe (between dies), defect_density,
    defect_clustering; and per area of wafer fab_energy, fab_gases, fab_materials, with the fab_intensity of its grid.
    Sources: costs Feng and Ma, Chiplet Actuary, DAC 2022; carbon Gupta et al., ACT, ISCA 2022.
    """

    wafer_cost: eqx.AbstractVar[Array]
    wafer_diameter: eqx.AbstractVar[Array]
    wafer_edge: eqx.AbstractVar[Array]
    scribe: eqx.AbstractVar[Array]
    defect_density: eqx.AbstractVar[Array]
    defect_clustering: eqx.AbstractVar[Array]
    fab_energy: eqx.AbstractVar[Array]
    fab_gases: eqx.AbstractVar[Array]
    fab_materials: eqx.AbstractVar[Array]
    fab_intensity: eqx.AbstractVar[Array]

    @abstractmethod
    def engineering_cost(self, area: Any) -> Any:
        """USD spent once on a die of `area` m2, before the first one is sold."""

    def die_yield(self, area: Any) -> Any:
        """Share of dies of `area` m2 that work: (1 + D0 A / c)^-c, at least one in a million."""
        works = (1 + self.defect_density * area / self.defect_clustering) ** -self.defect_clustering
        return jnp.maximum(works, LEAST_YIELD)

    def dies_per_wafer(self, area: Any) -> Any:
        """Whole dies on a wafer: pi (d/2 - e)^2 / A' - pi (d - 2e) / sqrt(2 A'), A' = (sqrt A + scribe)^2.

        At least one, as far as the usable disc has the area: a wafer may be one die, its corners cut.
        """
        cut = (jnp.sqrt(area) + self.scribe) ** 2
        radius = self.wafer_diameter / 2 - self.wafer_edge
        dies = jnp.pi * radius**2 / cut - jnp.pi * 2 * radius / jnp.sqrt(2 * cut)
        return jnp.maximum(dies, jnp.where(area <= jnp.pi * radius**2, 1.0, LEAST_DIES))

    def raw_cost(self, area: Any) -> Any:
        """USD of one die of `area` m2, whether it works or not."""
        return self.wafer_cost / self.dies_per_wafer(area)

    def die_cost(self, area: Any) -> Any:
        """USD of one known good die of `area` m2."""
        return self.raw_cost(area) / self.die_yield(area)

    def carbon_density(self) -> Any:
        """kg per m2 of wafer: fab_energy * fab_intensity + fab_gases + fab_materials."""
        return self.fab_energy * self.fab_intensity + self.fab_gases + self.fab_materials

    def raw_carbon(self, area: Any) -> Any:
        """kg of one die of `area` m2, whether it works or not; the rim and the scribe lanes are made as well."""
        return self.carbon_density() * jnp.pi * self.wafer_diameter**2 / 4 / self.dies_per_wafer(area)


class Process(Wafers):
    """Wafers of one node, with transistors.

    sram_cell_area : of one bit; module_engineering, chip_engineering : per area, to design and verify blocks and to
    put a die together; mask_engineering : masks and bought blocks, whatever the area.
    """

    wafer_cost: Array = quantity("USD", above=0)
    wafer_diameter: Array = quantity("m", above=0)
    wafer_edge: Array = quantity("m")
    scribe: Array = quantity("m")
    defect_density: Array = quantity("1/m^2")
    defect_clustering: Array = quantity("", above=0)
    sram_cell_area: Array = quantity("m^2", above=0)
    module_engineering: Array = quantity("USD/m^2")
    chip_engineering: Array = quantity("USD/m^2")
    mask_engineering: Array = quantity("USD")
    fab_energy: Array = quantity("J/m^2")
    fab_gases: Array = quantity("kg/m^2")
    fab_materials: Array = quantity("kg/m^2")
    fab_intensity: Array = quantity("kg/J")

    def engineering_cost(self, area: Any) -> Any:
        return (self.module_engineering + self.chip_engineering) * area + self.mask_engineering


class WiringWafers(Wafers):
    """Wafers with wires alone: silicon interposers, fan-outs. Their masks are left out: a handful of old layers."""

    wafer_cost: Array = quantity("USD", above=0)
    wafer_diameter: Array = quantity("m", above=0)
    wafer_edge: Array = quantity("m")
    scribe: Array = quantity("m")
    defect_density: Array = quantity("1/m^2")
    defect_clustering: Array = quantity("", above=0)
    fab_energy: Array = quantity("J/m^2")
    fab_gases: Array = quantity("kg/m^2")
    fab_materials: Array = quantity("kg/m^2")
    fab_intensity: Array = quantity("kg/J")

    def engineering_cost(self, area: Any) -> Any:
        return jnp.zeros_like(area)
