"""A system: a chip and the levels that gather chips."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.chip import Chip
from hw.conditions import Conditions
from hw.network import Level, Network, spread
from hw.units import fraction, quantity
from models.numerics import Formats


class Runtime(eqx.Module):
    """Software: host time of a step, launch time of a layer, and the share of exchange hidden behind other work."""

    step_time: Array = quantity("s")
    layer_time: Array = quantity("s")
    hidden_exchange: Array = fraction()


class Ownership(eqx.Module):
    """What it means to own a machine: capital over its life, and energy.

    markup : price over build cost; life : seconds over which the price is written off; utilisation : share of the life
    in which it serves; tariff : of energy; overhead : site energy over machine energy (PUE).
    """

    markup: Array = quantity("", least=1)
    life: Array = quantity("s", above=0)
    utilisation: Array = fraction(above=0)
    tariff: Array = quantity("USD/J")
    overhead: Array = quantity("", least=1)

    def cost_rate(self, build_cost: Any, power: Any) -> Any:
        """USD per second of serving."""
        capital = build_cost * self.markup / (self.life * self.utilisation)
        return capital + power * self.overhead * self.tariff


class System(eqx.Module):
    """A chip gathered by ordered levels, innermost first: chips to a package, packages to a card, and so on."""

    chip: Chip
    levels: OrderedDict[str, Level] = eqx.field(converter=OrderedDict)
    runtime: Runtime
    ownership: Ownership

    @property
    def fanouts(self) -> tuple[Any, ...]:
        return tuple(level.fanout for level in self.levels.values())

    @property
    def network(self) -> Network:
        return Network(tuple(self.levels.values()))

    def chips(self) -> Any:
        """How many chips there are."""
        total = 1.0
        for fanout in self.fanouts:
            total = total * fanout
        return total

    def _parts(self) -> list[tuple[Level, Any]]:
        """Each level with the number of its instances in the whole system."""
        left, found = self.chips(), []
        for level in self.levels.values():
            left = left / level.fanout
            found.append((level, left))
        return found

    def cost(self) -> Any:
        """USD to build: chips, what gathers them, and what joins them."""
        gathered = sum(n * (level.cost + level.joined() * level.link.part_cost) for level, n in self._parts())
        return self.chips() * self.chip.cost() + gathered

    def idle_power(self, chip: Any) -> Any:
        """Watts that flow whether the system works or waits; `chip` of them in each chip."""
        gathered = sum(n * (level.power + level.joined() * level.link.part_power) for level, n in self._parts())
        return self.chips() * chip + gathered

    def silicon_area(self) -> Any:
        """Square metres of compute dies."""
        return self.chips() * self.chip.area()

    def peak_rate(self, formats: Formats, conditions: Conditions) -> Any:
        """Operations per second of all chips."""
        return self.chips() * self.chip.engine.peak_rate(formats.weights, formats.activations, conditions)

    def holds_group(self, tensor: Any, pipeline: Any) -> Any:
        """True where groups of `tensor` devices, and chains of `pipeline` groups, tile the levels."""
        inside = spread(self.fanouts, tensor)
        chain = spread(self.fanouts, pipeline, tensor)
        return inside.whole & chain.whole

    def replicas(self, tensor: Any, pipeline: Any) -> Any:
        """How many copies of the model the chips hold."""
        return jnp.floor(self.chips() / (tensor * pipeline))
