"""The state that a chip settles in at full load: its clock, its power, its temperatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from hw.conditions import Conditions, Heat
from models.numerics import Formats

if TYPE_CHECKING:
    from hw.chip import Chip

STEPS = 48  # of the temperatures, half way each: what can settle has settled, and no step swings about its balance
CLOCK_STEPS = 4  # of Newton's rule for the clock within each
SLOWEST = 0.05  # of the rated clock: below, the chip is not worth its leakage


class Guess(NamedTuple):
    """Clock over the rated clock; K of the logic and of each tier's hottest cell."""

    derating: Any
    logic: Any
    tiers: tuple[Any, ...]


class Powers(NamedTuple):
    """Watts at full load: the engine's switching, all leakage of the logic, and each tier."""

    engine: Any
    leakage: Any
    tiers: tuple[Any, ...]

    @property
    def total(self) -> Any:
        return self.engine + self.leakage + sum(self.tiers)


class State(NamedTuple):
    """A chip settled at full load.

    logic : conditions of the die; tiers : the same with each tier's temperature; powers, idle : W at full load, and of
    them what flows whether the chip works or waits; flux : W/m2 of the die through the cooler; drift : K by which a
    further step would still move any temperature.
    """

    logic: Conditions
    tiers: tuple[Conditions, ...]
    powers: Powers
    idle: Any
    flux: Any
    drift: Any


def settle(chip: Chip, formats: Formats) -> State:
    """The chip with its engine at full rate and its fastest tier at full bandwidth.

    Over the power limit the clock falls, by Newton's steps on the power, which is convex in the clock; leakage and
    refresh follow the temperatures, and these follow, half way a step, the power at the clock of that step. So the
    first balance above the ambient is found; where none exists, leakage ends 200 K above its reference, and the heat
    headroom says so, as it does of what still drifts.
    """
    ambient = chip.cooling.ambient_temperature + jnp.zeros_like(chip.engine.frequency)
    start = Guess(jnp.ones_like(ambient), ambient, tuple(ambient for _ in chip.tiers))

    def advance(_: Any, guess: Guess) -> Guess:
        return improved(chip, formats, guess)

    last = jax.lax.fori_loop(0, STEPS, advance, start)
    logic, tiers = conditions(chip, last)
    powers = powers_at(chip, formats, logic, tiers)
    waiting = chip.engine.idle_share * powers.engine + powers.leakage
    standby = sum(tier.standby_power(there) for tier, there in zip(chip.tiers, tiers, strict=True))
    return State(logic, tiers, powers, waiting + standby, flux(chip, powers), drift(chip, last, powers))


def drift(chip: Chip, guess: Guess, powers: Powers) -> Any:
    """Kelvin between the temperatures of a guess and those of its power, the largest of all."""
    logic, tiers = temperatures(chip, powers)
    apart = jnp.abs(logic - guess.logic)
    for found, guessed in zip(tiers, guess.tiers, strict=True):
        apart = jnp.maximum(apart, jnp.abs(found - guessed))
    return apart


def conditions(chip: Chip, guess: Guess) -> tuple[Conditions, tuple[Conditions, ...]]:
    """Of the logic and of each tier."""
    frequency = chip.engine.frequency * guess.derating
    logic = Conditions(
        cores=chip.engine.cores,
        area=chip.area(),
        frequency=frequency,
        derating=guess.derating,
        voltage=chip.supply.voltage(frequency),
        switching=chip.supply.energy_scale(frequency),
        temperature=guess.logic,
        leaking=chip.leakage.scale(guess.logic),
    )
    return logic, tuple(
        logic._replace(temperature=kelvin, leaking=chip.leakage.scale(kelvin)) for kelvin in guess.tiers
    )


def powers_at(chip: Chip, formats: Formats, logic: Conditions, tiers: tuple[Conditions, ...]) -> Powers:
    """Watts at full load under these conditions; only the fastest tier streams, as fast as the engine takes it in."""
    supplied = jnp.minimum(chip.tiers[0].peak_bandwidth(tiers[0]), chip.engine.peak_fill(logic))
    engine = chip.engine.peak_power(formats.weights, formats.activations, supplied, logic)
    standby = [tier.standby_power(there) for tier, there in zip(chip.tiers, tiers, strict=True)]
    streaming = supplied * chip.tiers[0].byte_energy(tiers[0])
    return Powers(engine, chip.leaking_power(logic), (standby[0] + streaming, *standby[1:]))


def flux(chip: Chip, powers: Powers) -> Any:
    """W/m2 of the die through its cooler, the memories that share its way included."""
    shared = sum(tier.on_die() * watts for tier, watts in zip(chip.tiers, powers.tiers, strict=True))
    return (powers.engine + powers.leakage + shared) / chip.area()


def improved(chip: Chip, formats: Formats, guess: Guess) -> Guess:
    """One step: the clock that meets the limit at these temperatures, and half of the way to those of its power."""
    derating = jax.lax.fori_loop(0, CLOCK_STEPS, lambda _, share: slower(chip, formats, guess, share), guess.derating)
    powers = powers_at(chip, formats, *conditions(chip, guess._replace(derating=derating)))
    logic, tiers = temperatures(chip, powers)
    halves = [(there + then) / 2 for there, then in zip(guess.tiers, tiers, strict=True)]
    return Guess(derating, (guess.logic + logic) / 2, tuple(halves))


def slower(chip: Chip, formats: Formats, guess: Guess, derating: Any) -> Any:
    """One of Newton's steps to the clock at which the power is the limit, never above the rated one."""

    def watts(share: Any) -> Any:
        return powers_at(chip, formats, *conditions(chip, guess._replace(derating=share))).total

    total, slope = jax.jvp(watts, (derating,), (jnp.ones_like(derating),))
    floor = 1e-9 * chip.cooling.power_limit  # a chip whose power does not depend on its clock
    return jnp.clip(derating - (total - chip.cooling.power_limit) / jnp.maximum(slope, floor), SLOWEST, 1.0)


def temperatures(chip: Chip, powers: Powers) -> tuple[Any, tuple[Any, ...]]:
    """Kelvin of the logic and of each tier's hottest cell, from the cooler inwards."""
    area, pairs = chip.area(), list(zip(chip.tiers, powers.tiers, strict=True))
    within = sum(tier.within_logic() * watts for tier, watts in pairs)
    through = (powers.engine + powers.leakage + within) / area
    surface = chip.cooling.surface_temperature(flux(chip, powers))
    ambient = chip.cooling.ambient_temperature
    seen = [(tier, Heat(ambient, surface, through, watts / area)) for tier, watts in pairs]
    logic = surface + sum(tier.barrier(heat) for tier, heat in seen)
    return logic, tuple(tier.temperature(heat._replace(logic=logic)) for tier, heat in seen)
