"""A chip: engine, vector unit and memory tiers on one die in its package."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.assembly import Assembly
from hw.carbon import ChipCarbon
from hw.cooling import Cooling, Leakage
from hw.cost import ChipCost, total
from hw.engine import Engine
from hw.memory import Die, Memory
from hw.package import Package
from hw.process import Process
from hw.supply import Supply
from hw.units import fraction, quantity
from models.numerics import Formats
from models.operators import Operator

TEMPERATURE_STEPS = 4  # of the fixed point of leakage and temperature; it settles to 0.1 K by then


class Vector(eqx.Module):
    """The unit for elementwise work: norms, softmax, gates."""

    rate: Array = quantity("op/s", above=0)
    energy: Array = quantity("J/op")


class Placement(NamedTuple):
    """The index of the tier that holds the weights, and of the one that holds the cache."""

    weights: Any
    cache: Any


class Bounds(NamedTuple):
    """Seconds that an operator needs of each resource; they overlap, so the largest is its time."""

    compute: Any
    weights: Any
    cache: Any
    vector: Any


class FullLoad(NamedTuple):
    """What supply and cooling must be built for: watts and kelvin at full load; idle are the watts that flow even
    when the chip waits, leakage at that temperature."""

    power: Any
    idle: Any
    temperature: Any


class Chip(eqx.Module):
    """One die. Tiers are ordered from the fastest; fixed_area and fixed_static_power are of all that is not listed.

    repairable_share : share of the die whose defects spare parts make good.
    """

    engine: Engine
    vector: Vector
    memory: OrderedDict[str, Memory] = eqx.field(converter=OrderedDict)
    process: Process
    supply: Supply
    package: Package
    cooling: Cooling
    leakage: Leakage
    fixed_area: Array = quantity("m^2", above=0)
    fixed_static_power: Array = quantity("W")
    repairable_share: Array = fraction(default=0.0)

    @property
    def tiers(self) -> tuple[Memory, ...]:
        return tuple(self.memory.values())

    def area(self) -> Any:
        """Square metres of the compute die."""
        tiers = sum(tier.area(self.process) for tier in self.tiers)
        return self.engine.area() + tiers + self.fixed_area

    def die(self) -> Die:
        """What memories may ask about this die."""
        return Die(self.engine.cores, self.engine.frequency, self.area())

    def _assembly(self, dies: Any) -> Assembly:
        die = self.die()
        fragile = die.area * (1 - self.repairable_share)
        return Assembly(self.process, self.package, self.memory, die, fragile, dies)

    def cost_terms(self, dies: Any) -> ChipCost:
        """USD of one of `dies` dies in a package, with its memories, term by term."""
        return self._assembly(dies).cost()

    def cost(self, dies: Any) -> Any:
        """USD of one of `dies` dies in a package, with its memories."""
        return total(self.cost_terms(dies))

    def carbon_terms(self, dies: Any) -> ChipCarbon:
        """kg emitted to make one of `dies` dies in a package, with its memories, term by term."""
        return self._assembly(dies).carbon()

    def bounds(self, work: Operator, formats: Formats, place: Placement, die: Die) -> Bounds:
        """Seconds that one operator asks of each resource.

        An operator holds weights or the cache still; the engine's fill is that operand's last millimetre.
        """
        held, fed = work.held(formats), formats.activations
        engine = self.engine.time(work.vectors, work.inputs, work.outputs, work.products, held, fed)
        left = work.cache_written * formats.cache.bytes
        beside = jnp.where(work.held(place) == place.cache, left, 0.0)  # one tier serves both, one after the other
        fetched = self.fetch_time(work.held_elements * held.bytes + beside, work.held(place), die)
        written = self.fetch_time(left, place.cache, die)
        moved = work.causes(jnp.maximum(fetched, engine.fill), written)
        return Bounds(compute=engine.stream, vector=work.vector_ops / self.vector.rate, **moved)

    def fetch_time(self, size: Any, index: Any, die: Die) -> Any:
        """Seconds to move `size` bytes to or from the tier of that index."""
        times = [jnp.where(index == i, tier.time(size, die), 0.0) for i, tier in enumerate(self.tiers)]
        return sum(times)

    def fetch_energy(self, size: Any, index: Any) -> Any:
        """Joules to move `size` bytes to or from the tier of that index."""
        return sum(jnp.where(index == i, tier.energy(size), 0.0) for i, tier in enumerate(self.tiers))

    def switching_scale(self) -> Any:
        """Energy of the logic's switching relative to the nominal voltage's."""
        return self.supply.energy_scale(self.engine.frequency)

    def static_power(self, temperature: Any, die: Die) -> Any:
        """Watts of leakage at `temperature`, and of the tiers' standby."""
        leaking = self.engine.cores * self.engine.core_static_power + self.fixed_static_power
        standby = sum(tier.standby_power(die) for tier in self.tiers)
        return leaking * self.leakage.scale(temperature) + standby

    def full_load(self, formats: Formats, die: Die) -> FullLoad:
        """The chip with its engine at full rate and its fastest tier at full bandwidth, leakage fed back."""
        first = self.tiers[0]
        supplied = first.peak_bandwidth(die)
        engine = self.engine.peak_power(formats.weights, formats.activations, supplied) * self.switching_scale()
        active = engine + supplied * first.access_energy
        kelvin = self.cooling.ambient_temperature
        for _ in range(TEMPERATURE_STEPS):
            kelvin = self.cooling.surface_temperature((active + self.static_power(kelvin, die)) / die.area)
        static = self.static_power(kelvin, die)
        return FullLoad(active + static, self.engine.idle_share * engine + static, kelvin)

    def heat_headroom(self, kelvin: Any) -> Any:
        """Kelvin left at a junction of `kelvin` to the first limit, the die's or a tier's."""
        limit = self.cooling.temperature_limit
        for tier in self.tiers:
            limit = jnp.minimum(limit, tier.temperature_limit)
        return limit - kelvin
