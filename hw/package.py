"""Packages: what holds dies. This file is the contract, and the packages of the trade.

A package holds `dies` compute dies and the memory stacks beside them. It says nothing of how many: the machine does.
Source of the cost forms: Feng and Ma, Chiplet Actuary, DAC 2022, arXiv 2203.12268.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.cost import PackageCost, times
from hw.process import LEAST_YIELD, WiringWafers
from hw.units import fraction, quantity


class Load(NamedTuple):
    """What one package holds: so many compute dies of `area` m2, each with `stacks` of memory beside it that take
    `stack_area` m2 together; `value` is what one die with its stacks has cost so far, in USD or kg."""

    dies: Any
    area: Any
    stacks: Any
    stack_area: Any
    value: Any

    @property
    def silicon(self) -> Any:
        """Square metres of everything that is bonded."""
        return self.dies * (self.area + self.stack_area)

    @property
    def parts(self) -> Any:
        """How many things are bonded."""
        return self.dies * (1 + self.stacks)


class Carrier(NamedTuple):
    """What lies between dies and laminate: m2, the raw piece's USD and kg, and the share of pieces that work."""

    area: Any
    cost: Any
    carbon: Any
    good: Any


class Survival(NamedTuple):
    """Shares of the dies, of the good carriers and of the laminates that end up in a package that works."""

    dies: Any
    carrier: Any
    substrate: Any


class Substrate(eqx.Module):
    """An organic laminate: price * area_ratio * area on it * layers.

    price : per area of the plainest laminate; area_ratio : its area over what it carries; more wires between several
    parts need more layers: single_layers with one part, few_layers with several, some_layers beyond medium_area of
    parts, many_layers beyond large_area, all relative to the plainest.
    """

    price: Array = quantity("USD/m^2")
    area_ratio: Array = quantity("", least=1)
    single_layers: Array = quantity("", above=0)
    few_layers: Array = quantity("", above=0)
    some_layers: Array = quantity("", above=0)
    many_layers: Array = quantity("", above=0)
    medium_area: Array = quantity("m^2")
    large_area: Array = quantity("m^2")

    def layers(self, area: Any, parts: Any) -> Any:
        """Layers relative to the plainest laminate, for `parts` parts of `area` m2 together."""
        several = jnp.where(area > self.medium_area, self.some_layers, self.few_layers)
        several = jnp.where(area > self.large_area, self.many_layers, several)
        return jnp.where(parts > 1, several, self.single_layers)

    def cost(self, area: Any, parts: Any) -> Any:
        """USD of the laminate under `parts` parts of `area` m2 together."""
        return self.price * self.area_ratio * area * self.layers(area, parts)


class Package(eqx.Module):
    """How dies are held together, and what is lost when that fails.

    Every package has a substrate, bump_price (solder, per area), bonding_yield (of one part), assembly_cost and
    test_cost (of one compute die), part_carbon (of packaging one part).
    """

    substrate: eqx.AbstractVar[Substrate]
    bump_price: eqx.AbstractVar[Array]
    bonding_yield: eqx.AbstractVar[Array]
    assembly_cost: eqx.AbstractVar[Array]
    test_cost: eqx.AbstractVar[Array]
    part_carbon: eqx.AbstractVar[Array]

    @abstractmethod
    def carrier(self, load: Load) -> Carrier:
        """What lies between dies and laminate; all zero but `good`, 1, where they are bonded to the laminate."""

    @abstractmethod
    def survival(self, load: Load) -> Survival:
        """What is not thrown away with a bad bond or a bad carrier."""

    @abstractmethod
    def laminate(self, load: Load) -> Any:
        """USD of the laminate of one package."""

    @abstractmethod
    def bumps(self, load: Load) -> Any:
        """USD of all bumps of one package."""

    def bonds(self, load: Load) -> Any:
        """Share of packages in which every part is bonded well: bonding_yield^parts, at least one in a million."""
        return jnp.maximum(self.bonding_yield**load.parts, LEAST_YIELD)

    def cost_terms(self, load: Load) -> PackageCost:
        """USD of one compute die's share, what it holds apart.

        bonding_loss = (dies and their bumps) (1/S_d - 1) + good carrier (1/S_c - 1) + (laminate, assembly) (1/S_s - 1),
        S the shares that survive.
        """
        carrier, kept = self.carrier(load), self.survival(load)
        laminate, bumps, assembly = self.laminate(load), self.bumps(load), self.assembly_cost * load.dies
        good = carrier.cost / carrier.good
        lost = (load.dies * load.value + bumps) * (1 / kept.dies - 1) + good * (1 / kept.carrier - 1)
        lost = lost + (laminate + assembly) * (1 / kept.substrate - 1)
        terms = PackageCost(
            laminate, carrier.cost, good - carrier.cost, bumps, assembly, self.test_cost * load.dies, lost
        )
        return times(terms, 1 / load.dies)

    def carbon(self, load: Load) -> Any:
        """kg of one compute die's share: packaging, the carrier, and what is thrown away; the load's value in kg."""
        carrier, kept = self.carrier(load), self.survival(load)
        lost = load.value * (1 / kept.dies - 1)
        made = carrier.carbon / carrier.good / kept.carrier
        return lost + (made + self.part_carbon * load.parts / kept.substrate) / load.dies


class Organic(Package):
    """Dies side by side on the laminate itself; a bad bond spoils all of them, and the laminate."""

    substrate: Substrate
    bump_price: Array = quantity("USD/m^2")
    bonding_yield: Array = fraction(above=0)
    assembly_cost: Array = quantity("USD")
    test_cost: Array = quantity("USD")
    part_carbon: Array = quantity("kg")

    def carrier(self, load: Load) -> Carrier:
        none = jnp.zeros_like(self.bump_price)
        return Carrier(none, none, none, none + 1.0)

    def survival(self, load: Load) -> Survival:
        kept = self.bonds(load)
        return Survival(kept, kept, kept)

    def laminate(self, load: Load) -> Any:
        return self.substrate.cost(load.silicon, load.parts)

    def bumps(self, load: Load) -> Any:
        return self.bump_price * load.silicon


class Interposer(Package):
    """Dies on a wafer's worth of wires, tested first; it takes the dies, then is mounted on a laminate as one part.

    area_ratio : of the interposer over the silicon on it; micro_bump_price : of the dies' side; mounting_yield : of the
    interposer on the laminate. Dies come last: a bad interposer spoils no die.
    """

    wafers: WiringWafers
    area_ratio: Array = quantity("", least=1)
    micro_bump_price: Array = quantity("USD/m^2")
    mounting_yield: Array = fraction(above=0)
    substrate: Substrate
    bump_price: Array = quantity("USD/m^2")
    bonding_yield: Array = fraction(above=0)
    assembly_cost: Array = quantity("USD")
    test_cost: Array = quantity("USD")
    part_carbon: Array = quantity("kg")

    def carrier(self, load: Load) -> Carrier:
        return carrier_of(self.wafers, self.area_ratio * load.silicon)

    def survival(self, load: Load) -> Survival:
        kept = self.bonds(load) * self.mounting_yield
        return Survival(kept, kept, self.mounting_yield)

    def laminate(self, load: Load) -> Any:
        return self.substrate.cost(self.area_ratio * load.silicon, 1.0)

    def bumps(self, load: Load) -> Any:
        return (self.micro_bump_price + self.bump_price * self.area_ratio) * load.silicon


class FanOut(Package):
    """Wires grown over the dies, mounted on a laminate as one part. Dies come first: bad wires spoil them all.

    area_ratio : of the wires' area over the silicon's; mounting_yield : of the whole on the laminate.
    """

    wafers: WiringWafers
    area_ratio: Array = quantity("", least=1)
    mounting_yield: Array = fraction(above=0)
    substrate: Substrate
    bump_price: Array = quantity("USD/m^2")
    bonding_yield: Array = fraction(above=0)
    assembly_cost: Array = quantity("USD")
    test_cost: Array = quantity("USD")
    part_carbon: Array = quantity("kg")

    def carrier(self, load: Load) -> Carrier:
        return carrier_of(self.wafers, self.area_ratio * load.silicon)

    def survival(self, load: Load) -> Survival:
        kept = self.bonds(load) * self.mounting_yield
        return Survival(kept * self.carrier(load).good, kept, self.mounting_yield)

    def laminate(self, load: Load) -> Any:
        return self.substrate.cost(self.area_ratio * load.silicon, 1.0)

    def bumps(self, load: Load) -> Any:
        return self.bump_price * self.area_ratio * load.silicon


def carrier_of(wafers: WiringWafers, area: Any) -> Carrier:
    """A carrier of `area` m2 cut from such wafers."""
    return Carrier(area, wafers.raw_cost(area), wafers.raw_carbon(area), wafers.die_yield(area))
