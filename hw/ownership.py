"""What it means to own a machine: capital, energy, floor, carbon."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array

from hw.carbon import CarbonGroups
from hw.cost import CostGroups, times
from hw.units import count, fraction, quantity


class OwnershipCost(NamedTuple):
    """USD per second of serving: the price of what is bought, written off; engineering; upkeep; energy; floor."""

    silicon: Any
    memory: Any
    package: Any
    system: Any
    engineering: Any
    maintenance: Any
    energy: Any
    site: Any


class OwnershipCarbon(NamedTuple):
    """kg per second of serving: what was emitted to make the machine, written off, and what its energy emits."""

    silicon: Any
    memory: Any
    package: Any
    system: Any
    energy: Any


class Ownership(eqx.Module):
    """A machine over its life.

    markup : price over the cost of parts, the same for every vendor; volume : chips that share the engineering, which
    is passed on without markup; life : over which the price is written off; utilisation : share of the life in which it
    serves; maintenance : share of the price paid a year; tariff : of energy; overhead : site energy over machine
    energy (PUE); site_price : of the floor, per watt that the machine draws while it serves, all its life;
    grid_intensity : carbon per energy.
    """

    markup: Array = quantity("", least=1)
    volume: Array = count()
    life: Array = quantity("s", above=0)
    utilisation: Array = fraction(above=0)
    maintenance: Array = quantity("1/s")
    tariff: Array = quantity("USD/J")
    overhead: Array = quantity("", least=1)
    site_price: Array = quantity("USD/J")
    grid_intensity: Array = quantity("kg/J")

    def price(self, built: CostGroups) -> Any:
        """USD that the buyer pays: markup * parts + engineering."""
        return self.markup * (sum(built) - built.engineering) + built.engineering

    def cost_terms(self, built: CostGroups, power: Any) -> OwnershipCost:
        """USD per second of serving, `power` W drawn while it serves."""
        serving = self.life * self.utilisation
        return OwnershipCost(
            silicon=self.markup * built.silicon / serving,
            memory=self.markup * built.memory / serving,
            package=self.markup * built.package / serving,
            system=self.markup * built.system / serving,
            engineering=built.engineering / serving,
            maintenance=self.price(built) * self.maintenance / self.utilisation,
            energy=power * self.overhead * self.tariff,
            site=power * self.site_price / self.utilisation,
        )

    def cost_rate(self, built: CostGroups, power: Any) -> Any:
        """USD per second of serving."""
        return sum(self.cost_terms(built, power))

    def carbon_terms(self, made: CarbonGroups, power: Any) -> OwnershipCarbon:
        """kg per second of serving, `power` W drawn while it serves."""
        written_off = times(made, 1 / (self.life * self.utilisation))
        return OwnershipCarbon(*written_off, energy=power * self.overhead * self.grid_intensity)

    def carbon_rate(self, made: CarbonGroups, power: Any) -> Any:
        """kg per second of serving."""
        return sum(self.carbon_terms(made, power))
