"""How a chip comes together: die, memories bonded onto it, package; what each step costs, emits and spoils."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from hw.carbon import ChipCarbon
from hw.conditions import Conditions
from hw.cost import ChipCost
from hw.memory import Memory
from hw.package import Load, Package
from hw.process import Process


class Stacked(NamedTuple):
    """A die with all memories that are bonded onto it: what it has cost by then, and how much of that was lost."""

    value: Any
    loss: Any


class Assembly(NamedTuple):
    """The parts of one chip. `fragile` m2 of the die are where a defect kills it; `dies` like it share a package."""

    process: Process
    package: Package
    memory: Mapping[str, Memory]
    die: Conditions
    fragile: Any
    dies: Any

    def cost(self) -> ChipCost:
        """USD of one chip, term by term."""
        raw = self.process.raw_cost(self.die.area)
        good = raw / self.die_yield()
        bought = {name: tier.cost(self.die) for name, tier in self.memory.items()}
        bonding = {name: tier.stacking_cost() for name, tier in self.memory.items()}
        stacked = self.stack(good, bought, bonding)
        package = self.package.cost_terms(self.load(stacked.value, bought))
        return ChipCost(raw, good - raw, bought, sum(bonding.values()), stacked.loss, package)

    def carbon(self) -> ChipCarbon:
        """kg of one chip, term by term. Left out: bonding and test."""
        good = self.process.raw_carbon(self.die.area) / self.die_yield()
        made = {name: tier.embodied(self.die) for name, tier in self.memory.items()}
        stacked = self.stack(good, made, dict.fromkeys(made, 0.0))
        return ChipCarbon(good, made, stacked.loss, self.package.carbon(self.load(stacked.value, made)))

    def die_yield(self) -> Any:
        """Share of dies that work, spare parts used."""
        return self.process.die_yield(self.fragile)

    def stack(self, bare: Any, bought: Mapping[str, Any], bonding: Mapping[str, Any]) -> Stacked:
        """Bond each stacked memory onto a good die of value `bare`.

        value' = (value + put on / blind_yield) / stacking_yield: dies that nobody tested take memory with them.
        """
        value, loss = bare, 0.0
        for name, tier in self.memory.items():
            put_on = tier.stacked() * bought[name] + bonding[name]
            whole = (value + put_on / tier.blind_yield(self.die_yield())) / tier.stacking_yield()
            value, loss = whole, loss + whole - value - put_on
        return Stacked(value, loss)

    def load(self, value: Any, bought: Mapping[str, Any]) -> Load:
        """What a package holds, memories that stand in it included; `value` is of one die with what is bonded on."""
        beside = {name: tier.beside() for name, tier in self.memory.items()}
        inside = sum(jnp.where(one.stacks > 0, bought[name], 0.0) for name, one in beside.items())
        stacks, area = (sum(sizes) for sizes in zip(*beside.values(), strict=True))
        return Load(self.dies, self.die.area, stacks, area, value + inside)
