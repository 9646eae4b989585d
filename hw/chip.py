"""A chip: engine, vector unit and memory tiers on one die in its package."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.assembly import Assembly
from hw.carbon import ChipCarbon
from hw.conditions import Conditions
from hw.cooling import Cooling, Leakage
from hw.cost import ChipCost, total
from hw.engine import Bounds, Engine
from hw.heat import Guess, State, conditions, settle
from hw.memory import Memory
from hw.package import Package
from hw.process import Process
from hw.supply import Supply
from hw.units import fraction, quantity
from hw.vector import VectorUnit
from models.numerics import Formats
from models.operators import Elementwise, Operator

SETTLED = 1e-3  # of a power or a temperature: what is this near has settled


class Placement(NamedTuple):
    """The index of the tier that holds the weights, and of the one that holds the cache."""

    weights: Any
    cache: Any

    @property
    def expert_weights(self) -> Any:
        """Experts lie with the other weights."""
        return self.weights


class Joules(NamedTuple):
    """Joules of an operator by what they are spent on, idle power apart."""

    compute: Any
    weights: Any
    cache: Any
    vector: Any


class Ran(NamedTuple):
    """One operator: seconds that it needs of each resource, and of all together; seconds that start it and what is
    around it; seconds of elementwise work that runs by itself; joules."""

    bounds: Bounds
    time: Any
    start: Any
    apart: Any
    joules: Joules

    @property
    def total(self) -> Any:
        """Seconds from its start to its end."""
        return self.time + self.start + self.apart


def narrowing(work: Operator, formats: Formats) -> Elementwise:
    """Rounding the inputs of a product with weights, where they are narrower than the sums that they come from: they
    are read as such and written as inputs, by a kernel where kernels are started one by one."""
    fed, summed = formats.activations.bytes, formats.exchange.bytes
    narrower = jnp.where(fed < summed, 1.0, 0.0)
    return Elementwise(0.0, narrower * work.rounded * (1 + fed / summed), narrower * work.launched)


class DieArea(NamedTuple):
    """Square metres of a compute die: the engine's cores, what memory tiers take of it, and all that is not listed."""

    engine: Any
    memory: Any
    rest: Any


class Chip(eqx.Module):
    """One die. Tiers are ordered from the fastest; fixed_area and fixed_static_power are of all that is not listed.

    repairable_share : share of the die whose defects spare parts make good.
    """

    engine: Engine
    vector: VectorUnit
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

    def area_terms(self) -> DieArea:
        """Square metres of the compute die by what takes them."""
        tiers = sum(tier.area(self.process) for tier in self.tiers)
        return DieArea(self.engine.area(), jnp.asarray(tiers), self.fixed_area)

    def area(self) -> Any:
        """Square metres of the compute die."""
        return sum(self.area_terms())

    def settle(self, formats: Formats) -> State:
        """The state at full load: clock, power and temperatures that hold each other."""
        return settle(self, formats)

    def cold(self) -> Conditions:
        """Conditions at the rated clock and at the reference temperature of leakage, for what heat does not change."""
        guess = Guess(jnp.ones_like(self.engine.frequency), self.leakage.reference, ())
        return conditions(self, guess)[0]

    def _assembly(self, dies: Any) -> Assembly:
        die = self.cold()
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

    def run(self, work: Operator, formats: Formats, place: Placement, state: State) -> Ran:
        """What one operator takes, with the elementwise work around it.

        An operator holds weights or the cache still; the engine's fill is that operand's last millimetre. What goes to
        memory and back beside it goes where that operand is.
        """
        held, tier, die = work.held(formats), work.held(place), state.logic
        rate = self.bandwidth(tier, state)
        engine = self.engine.run(work, formats, die)
        around = work.around.plus(narrowing(work, formats))
        timing, apart = engine.timing, self.vector.apart(around, formats.exchange.bytes, rate, die)
        size, left = work.held_elements * held.bytes, work.cache_written * formats.cache.bytes
        beside = jnp.where(tier == place.cache, left, 0.0)  # one tier serves both, one after the other
        fetched = timing.slowdown * self.moving_time(size + timing.beside, beside, tier, state)
        moved = work.causes(jnp.maximum(fetched, timing.fill), self.moving_time(0.0, left, place.cache, state))
        taken = self.moving_energy(size + timing.beside, 0.0, tier, state) + engine.fill_energy
        taken = taken * work.spent  # joules are of all devices' mean, seconds of the busiest
        spent = work.causes(taken, self.moving_energy(0.0, left, place.cache, state))
        inside = self.vector.inside(work.vector_ops, work.around)
        bounds = Bounds(compute=timing.stream, vector=self.vector.time(inside, die), **moved)
        joules = (work.vector_ops + work.around.operations) * self.vector.energy * die.switching
        joules = joules + self.moving_energy(apart.moved, 0.0, tier, state)
        return Ran(
            bounds,
            self.engine.together(work, bounds),
            timing.start + apart.start,
            apart.time,
            Joules(compute=engine.energy, vector=joules, **spent),
        )

    def bandwidth(self, index: Any, state: State) -> Any:
        """Bytes per second that a stream of reads reaches from the tier of that index."""
        return self._of_tier(index, state, lambda tier, there: tier.bandwidth_sustained(there))

    def moving_time(self, read: Any, written: Any, index: Any, state: State) -> Any:
        """Seconds to read and to write so many bytes of the tier of that index, one after the other."""

        def seconds(tier: Memory, there: Conditions) -> Any:
            return tier.read_time(read + written * tier.write_slowdown(), there)

        return self._of_tier(index, state, seconds)

    def moving_energy(self, read: Any, written: Any, index: Any, state: State) -> Any:
        """Joules to read and to write so many bytes of the tier of that index."""

        def joules(tier: Memory, there: Conditions) -> Any:
            return tier.read_energy(read, there) + tier.write_energy(written, there)

        return self._of_tier(index, state, joules)

    def _of_tier(self, index: Any, state: State, of: Callable[[Memory, Conditions], Any]) -> Any:
        """What `of` says of the tier of that index, which may be traced."""
        pairs = enumerate(zip(self.tiers, state.tiers, strict=True))
        return sum(jnp.where(index == i, of(tier, there), 0.0) for i, (tier, there) in pairs)

    def leaking_power(self, conditions: Conditions) -> Any:
        """Watts of leakage of the logic, SRAM apart."""
        return (self.engine.leakage() + self.fixed_static_power) * conditions.leaking

    def clock_headroom(self, state: State) -> Any:
        """Share by which the logic could be clocked faster at this voltage; below zero it does not close."""
        return self.engine.clock_limit(state.logic) / state.logic.frequency - 1

    def power_headroom(self, state: State) -> Any:
        """Watts left to the limit; below zero not even the slowest clock keeps it. A clock that fell to the limit is on
        it, to a thousandth."""
        left = self.cooling.power_limit - state.powers.total
        return jnp.where(jnp.abs(left) < SETTLED * self.cooling.power_limit, 0.0, left)

    def heat_headroom(self, state: State) -> Any:
        """Kelvin left to the first limit: the logic's, a tier's, the cooler's flux taken as its kelvin; or less than
        none where the temperatures did not settle."""
        left = self.cooling.temperature_limit - state.logic.temperature
        left = jnp.minimum(left, (self.cooling.heat_flux_limit - state.flux) * self.cooling.thermal_resistance)
        for tier, there in zip(self.tiers, state.tiers, strict=True):
            left = jnp.minimum(left, tier.temperature_limit - there.temperature)
        tolerated = SETTLED * state.logic.temperature
        return jnp.where(state.drift > tolerated, jnp.minimum(left, tolerated - state.drift), left)

    def hottest_memory(self, state: State) -> Any:
        """Kelvin of the hottest memory."""
        hottest = state.tiers[0].temperature
        for there in state.tiers[1:]:
            hottest = jnp.maximum(hottest, there.temperature)
        return hottest
