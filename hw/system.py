"""A system: a chip and the levels that gather chips."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.carbon import SystemCarbon
from hw.chip import Chip
from hw.conditions import Conditions
from hw.cost import LevelCost, SystemCost, times, total
from hw.network import Level, Network
from hw.ownership import Ownership
from hw.units import fraction, quantity
from models.counts import floor
from models.numerics import Formats


class Runtime(eqx.Module):
    """Software: host time of a step, launch time of a layer, and the share of exchange hidden behind other work."""

    step_time: Array = quantity("s")
    layer_time: Array = quantity("s")
    hidden_exchange: Array = fraction()


class System(eqx.Module):
    """A chip gathered by ordered levels, innermost first: chips to a package, packages to a card, and so on.

    `levels: {}` is one chip by itself.
    """

    chip: Chip
    levels: OrderedDict[str, Level] = eqx.field(converter=OrderedDict, metadata={"may_be_empty": True})
    runtime: Runtime
    ownership: Ownership

    def __check_init__(self) -> None:
        for name, level in self.levels.items():
            words = level.link.refusal(float(level.fanout)) if isinstance(level.fanout, float) else ""
            if level.link.protocols and not any(protocol.phased for protocol in level.link.protocols.values()):
                words = (
                    "link.protocols: none can gather or scatter; add one such as hw.protocol.PartByPart, or have none"
                )
            if words:
                raise ValueError(f"levels.{name}: {words}")
        inside = [name for name, level in self.levels.items() if isinstance(level.packaged, float) and level.packaged]
        if inside != list(self.levels)[: len(inside)]:
            raise ValueError(
                f"levels: {', '.join(inside)}: packaged is not 0, but a level inside is no part of the package; "
                "only the innermost levels can be; write packaged: 0 here, or packaged: 1 there as well"
            )

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

    def dies_per_package(self) -> Any:
        """How many chips share a package: the fan-outs of the packaged levels."""
        dies = 1.0
        for level in self.levels.values():
            dies = dies * jnp.where(level.packaged > 0, level.fanout, 1.0)
        return dies

    def engineering(self) -> Any:
        """USD of one chip's share of its engineering."""
        return self.chip.process.engineering_cost(self.chip.area()) / self.ownership.volume

    def cost_terms(self) -> SystemCost:
        """USD to build, term by term: chips, what gathers them, what joins them, and their share of engineering."""
        levels = {
            name: LevelCost(n * level.cost, n * level.joined() * level.link.part_cost)
            for (level, n), name in zip(self._parts(), self.levels, strict=True)
        }
        chips = times(self.chip.cost_terms(self.dies_per_package()), self.chips())
        return SystemCost(chips, levels, self.chips() * self.engineering())

    def cost(self) -> Any:
        """USD to build: the sum of all terms, before any markup."""
        return total(self.cost_terms())

    def carbon_terms(self) -> SystemCarbon:
        """kg emitted to build it, term by term."""
        levels = {name: n * level.carbon for (level, n), name in zip(self._parts(), self.levels, strict=True)}
        return SystemCarbon(times(self.chip.carbon_terms(self.dies_per_package()), self.chips()), levels)

    def carbon(self) -> Any:
        """kg emitted to build it."""
        return total(self.carbon_terms())

    def idle_power(self, chip: Any) -> Any:
        """Watts that flow whether the system works or waits; `chip` of them in each chip."""
        return self.chips() * chip + self.gathering_power() + self.joining_power()

    def gathering_power(self) -> Any:
        """Watts of boards, hosts and racks."""
        return jnp.asarray(sum(n * level.power for level, n in self._parts()))

    def joining_power(self) -> Any:
        """Watts of what all parts need to be on their links."""
        return jnp.asarray(sum(n * level.joined() * level.link.part_power for level, n in self._parts()))

    def silicon_area(self) -> Any:
        """Square metres of compute dies."""
        return self.chips() * self.chip.area()

    def peak_rate(self, formats: Formats, conditions: Conditions) -> Any:
        """Operations per second of all chips."""
        return self.chips() * self.chip.engine.peak_rate(formats.weights, formats.activations, conditions)

    def replicas(self, devices: Any) -> Any:
        """How many copies of a model on so many devices the chips hold."""
        return floor(self.chips() / devices)
