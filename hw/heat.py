"""The state that a chip settles in at full load: its clock, its power, its temperatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from hw.conditions import Conditions, Heat
from models.numerics import Formats

if TYPE_CHECKING:
    from hw.chip import Chip

STEPS = 16  # of the fixed point: by then what can settle has settled to 0.1 K
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

    logic : conditions of the die; tiers : the same with each tier's temperature; power, idle : W at full load, and of
    that whether the chip works or waits; flux : W/m2 of the die through the cooler; drift : K by which the last step
    still moved.
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
    refresh follow the temperatures, which follow the power. From cold, power and temperatures only rise, so the first
    balance is found; where none exists, leakage ends 200 K above its reference, and the heat headroom says so.
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
    drift = jnp.abs(improved(chip, formats, last).logic - last.logic)
    return State(logic, tiers, powers, waiting + standby, flux(chip, powers), drift)


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
    """Watts at full load under these conditions; only the fastest tier streams."""
    supplied = chip.tiers[0].peak_bandwidth(tiers[0])
    engine = chip.engine.peak_power(formats.weights, formats.activations, supplied, logic)
    standby = [tier.standby_power(there) for tier, there in zip(chip.tiers, tiers, strict=True)]
    streaming = supplied * chip.tiers[0].byte_energy(tiers[0])
    return Powers(engine, chip.leaking_power(logic), (standby[0] + streaming, *standby[1:]))


def flux(chip: Chip, powers: Powers) -> Any:
    """W/m2 of the die through its cooler, the memories that share its way included."""
    shared = sum(tier.on_die() * watts for tier, watts in zip(chip.tiers, powers.tiers, strict=True))
    return (powers.engine + powers.leakage + shared) / chip.area()


def improved(chip: Chip, formats: Formats, guess: Guess) -> Guess:
    """One step: the power of the guess, the temperatures of that power, the clock that meets the limit."""

    def power_of(derating: Any) -> tuple[Any, Powers]:
        powers = powers_at(chip, formats, *conditions(chip, guess._replace(derating=derating)))
        return powers.total, powers

    (total, powers), (slope, _) = jax.jvp(power_of, (guess.derating,), (jnp.ones_like(guess.derating),))
    over = total - chip.cooling.power_limit
    derating = jnp.clip(guess.derating - over / jnp.maximum(slope, 1e-12), SLOWEST, 1.0)
    return Guess(derating, *temperatures(chip, powers))


def temperatures(chip: Chip, powers: Powers) -> tuple[Any, tuple[Any, ...]]:
    """Kelvin of the logic and of each tier's hottest cell, from the cooler inwards."""
    area, through = chip.area(), (powers.engine + powers.leakage) / chip.area()
    surface = chip.cooling.surface_temperature(flux(chip, powers))
    ambient = chip.cooling.ambient_temperature
    seen = [Heat(ambient, surface, surface, through, watts / area) for watts in powers.tiers]
    logic = surface + sum(tier.barrier(heat) for tier, heat in zip(chip.tiers, seen, strict=True))
    return logic, tuple(
        tier.temperature(heat._replace(logic=logic)) for tier, heat in zip(chip.tiers, seen, strict=True)
    )
