"""The derived figures of a machine: the one place that asks a system what its numbers come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

import dse.precision  # noqa: F401
from dse.console import digits
from hw.chip import Chip
from hw.conditions import Conditions
from hw.cost import groups
from hw.heat import State
from hw.memory import Memory
from hw.network import Level
from hw.system import System
from hw.units import readable
from models.numerics import Formats, NumberFormat

Pairs = Mapping[str, tuple[NumberFormat, NumberFormat]]


class Figure(NamedTuple):
    """A number with its unit and its meaning."""

    value: Any
    unit: str
    means: str


def figures(system: System, formats: Formats, pairs: Pairs) -> dict[str, Any]:
    """What the machine comes to, as named figures: `chip`, each of `levels` (one instance of it) and the whole
    `system`.

    pairs : the formats of held and fed operands that rates are stated in; power is at full load in `formats`.
    """
    state = system.chip.settle(formats)
    part = chip_part(system, state, pairs)
    chip = chip_details(system.chip, state) | part
    instances, levels = system.chips(), {}
    chip["count"] = Figure(instances, "", "how many there are")
    for name, level in system.levels.items():
        instances = instances / level.fanout
        part = gathered(level, part)
        levels[name] = part | {"count": Figure(instances, "", "how many there are"), "link": link_figures(level)}
    price = Figure(system.ownership.price(groups(system.cost_terms())), "USD", "parts times markup, and engineering")
    return {"chip": chip, "levels": levels, "system": part | {"price": price}}


def accepted(system: System, pairs: Pairs) -> Pairs:
    """Those pairs of number formats that the machine's engine can compute in."""
    return {name: pair for name, pair in pairs.items() if not system.chip.engine.refusal(*pair)}


def chip_part(system: System, state: State, pairs: Pairs) -> dict[str, Any]:
    """What a chip adds to everything that it is part of."""
    chip = system.chip
    cost = chip.cost(system.dies_per_package()) + system.engineering()
    return {
        "chips": Figure(jnp.asarray(1.0), "", "chips in it"),
        "power": Figure(state.powers.total, "W", "at full load and the settled clock"),
        "silicon_area": Figure(chip.area(), "m^2", "of compute dies"),
        "cost": Figure(cost, "USD", "to build and to design, before any markup"),
        "rate": {
            name: Figure(chip.engine.peak_rate(*pair, state.logic), "op/s", f"peak of the engines in {name}")
            for name, pair in pairs.items()
        },
        "tiers": {
            name: {
                "capacity": Figure(tier.bytes_held(there), "B", "bytes held"),
                "bandwidth": Figure(tier.peak_bandwidth(there), "B/s", "peak, at the settled temperature"),
            }
            for (name, tier), there in zip(chip.memory.items(), state.tiers, strict=True)
        },
    }


def chip_details(chip: Chip, state: State) -> dict[str, Any]:
    """What is told of the chip alone."""
    areas = {name: tier.area(chip.process) for name, tier in chip.memory.items()}
    tiers = list(zip(chip.memory.items(), state.tiers, strict=True))
    return {
        "cores": Figure(chip.engine.cores, "", "cores of the engine"),
        "frequency": Figure(state.logic.frequency, "Hz", "clock of the engine, settled within the power limit"),
        "rated_frequency": Figure(chip.engine.frequency, "Hz", "clock of the engine, rated"),
        "clock_limit": Figure(chip.engine.clock_limit(state.logic), "Hz", "fastest clock of the logic at this voltage"),
        "voltage": Figure(state.logic.voltage, "V", "supply at this clock"),
        "vector_rate": Figure(chip.vector.rate * state.logic.derating, "op/s", "elementwise operations"),
        "power_limit": Figure(chip.cooling.power_limit, "W", "limit of supply and cooler, a chip"),
        "heat_flux": Figure(state.flux, "W/m^2", "of the die through its cooler"),
        "heat_flux_limit": Figure(chip.cooling.heat_flux_limit, "W/m^2", "of the cooler"),
        "temperature": Figure(state.logic.temperature, "K", "junction at full load"),
        "temperature_limit": Figure(chip.cooling.temperature_limit, "K", "of the logic"),
        "powers": powers(chip, state),
        "areas": {
            "engine": Figure(chip.engine.area(), "m^2", "of all cores"),
            "tiers": {name: Figure(area, "m^2", "that the tier takes of the die") for name, area in areas.items()},
            "rest": Figure(chip.fixed_area, "m^2", "of all that is not listed"),
        },
        "access": {name: access(tier, there) for (name, tier), there in tiers},
    }


def powers(chip: Chip, state: State) -> dict[str, Any]:
    """Watts at full load by what they are spent on."""
    by_tier = zip(chip.memory, state.powers.tiers, strict=True)
    return {
        "engine": Figure(state.powers.engine, "W", "switching of the engine at full rate"),
        "leakage": Figure(state.powers.leakage, "W", "of the logic, at its temperature"),
        "tiers": {
            name: Figure(watts, "W", "refresh, standby, leakage; the fastest streams") for name, watts in by_tier
        },
        "idle": Figure(state.idle, "W", "of all, what flows whether the chip works or waits"),
    }


def access(tier: Memory, there: Conditions) -> dict[str, Figure]:
    """What one access of a tier takes, and how hot it is."""
    return {
        "latency": Figure(tier.latency, "s", "until the first byte"),
        "energy": Figure(tier.byte_energy(there), "J/B", "of a byte read"),
        "sustained_fraction": Figure(tier.sustained_fraction, "", "share of the peak that a stream reaches"),
        "temperature": Figure(there.temperature, "K", "of its hottest cell at full load"),
        "temperature_limit": Figure(tier.temperature_limit, "K", "of the tier"),
    }


def gathered(level: Level, part: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of one instance of a level: `fanout` parts, and what holds and joins them."""
    whole, joined = times(part, level.fanout), level.joined()
    power = whole["power"].value + level.power + joined * level.link.part_power
    cost = whole["cost"].value + level.cost + joined * level.link.part_cost
    return whole | {
        "fanout": Figure(level.fanout, "", "parts joined"),
        "power": whole["power"]._replace(value=power),
        "cost": whole["cost"]._replace(value=cost),
    }


def times(part: Mapping[str, Any], n: Any) -> dict[str, Any]:
    """Every figure of `n` equal parts."""
    return {k: v._replace(value=n * v.value) if isinstance(v, Figure) else times(v, n) for k, v in part.items()}


def link_figures(level: Level) -> dict[str, Figure]:
    """The link of a level.

    bisection = floor(fanout / 2) * bandwidth / oversubscription: all parts reach all others, so half of them can send
    to the other half at their full rate.
    """
    link = level.link
    across = jnp.floor(level.fanout / 2) * link.bandwidth / link.oversubscription
    return {
        "bandwidth": Figure(link.bandwidth, "B/s", "of one part and direction"),
        "latency": Figure(link.latency, "s", "from part to part"),
        "energy": Figure(link.energy, "J/B", "of a byte sent"),
        "bisection": Figure(across, "B/s", "between the halves of the level, one direction"),
    }


def totals(found: Mapping[str, Any], rate: str) -> dict[str, Figure]:
    """The figures of the whole system as a flat map, such as `tiers.NAME.bandwidth`; of its rates that in `rate`."""
    whole = found["system"]
    flat = {name: whole[name] for name in ("cost", "price", "power", "silicon_area")}
    flat |= {"rate": whole["rate"][rate]} if rate in whole["rate"] else {}
    for name, tier in whole["tiers"].items():
        flat |= {f"tiers.{name}.{key}": figure for key, figure in tier.items()}
    return flat


def in_words(figure: Mapping[str, Any]) -> str:
    """A plain figure as a person reads it: `18.74 TB/s`, `75.5 degC`, `0.3 pJ/bit`."""
    value, unit = figure["value"], figure["unit"]
    if unit == "K":
        return f"{value - 273.15:.4g} degC"
    if unit == "J/B":
        return f"{digits(value / 8e-12)} pJ/bit"
    factor, label = readable(unit, value)
    return f"{digits(value * factor)} {label}".strip()
