"""The derived figures of a machine: the one place that asks a system what its numbers come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp

import dse.run.precision  # noqa: F401
from dse.run.numbers import digits
from hw import cost
from hw.chip import Chip
from hw.conditions import Conditions
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
    part = chip_part(system.chip, state, pairs, system.dies_per_package()) | loads(system.chip, formats, pairs)
    chip = chip_details(system.chip, state) | arrays(system.chip, state, pairs) | part | efficiency(part)
    instances, levels = system.chips(), {}
    chip["count"] = Figure(instances, "", "how many there are")
    for name, level in system.levels.items():
        instances = instances / level.fanout
        part = gathered(level, part)
        levels[name] = (
            part
            | efficiency(part)
            | {"count": Figure(instances, "", "how many there are"), "link": link_figures(level)}
        )
    return {"chip": chip, "levels": levels, "system": part | bill(system)}


def loads(chip: Chip, formats: Formats, pairs: Pairs) -> dict[str, Any]:
    """Watts at full load in each pair of number formats."""
    found = {}
    for name, (held, fed) in pairs.items():
        own = eqx.tree_at(lambda it: (it.weights, it.activations), formats, (held, fed))
        found[name] = Figure(chip.settle(own).powers.total, "W", f"at full load in {name}")
    return {"loads": found}


def efficiency(part: Mapping[str, Any]) -> dict[str, Any]:
    """Operations per joule at full load, of everything that is inside."""
    found = {
        name: Figure(rate.value / part["loads"][name].value, "op/J", f"at full load in {name}, all that is in it")
        for name, rate in part["rate"].items()
    }
    return {"efficiency": found}


def arrays(chip: Chip, state: State, pairs: Pairs) -> dict[str, Any]:
    """Operations per joule of the macros alone, and of the cores: no fill, no leakage, no memory, no links."""
    told = {
        "macro_efficiency": (chip.engine.arithmetic_energy, "of the arithmetic alone"),
        "core_efficiency": (chip.engine.operation_energy, "of the cores, arithmetic and what is beside it"),
    }
    return {
        kind: {
            name: Figure(1 / energy(*pair, state.logic), "op/J", f"{means} in {name}") for name, pair in pairs.items()
        }
        for kind, (energy, means) in told.items()
    }


def bill(system: System) -> dict[str, Any]:
    """What the whole machine costs and emits to make, and of what that is made."""
    built, made = system.cost_terms(), system.carbon_terms()
    return {
        "cost": Figure(cost.total(built), "USD", "of parts and of its share of engineering, before any markup"),
        "price": Figure(system.ownership.price(cost.groups(built)), "USD", "with the markup of its maker"),
        "embodied_carbon": Figure(cost.total(made), "kg", "emitted to make it"),
        "cost_terms": named(built, "USD", "of the whole machine"),
        "carbon_terms": named(made, "kg", "of the whole machine"),
    }


def named(terms: Any, unit: str, means: str) -> Any:
    """Terms as figures by their names."""
    if hasattr(terms, "_asdict"):
        terms = terms._asdict()
    if isinstance(terms, Mapping):
        return {name: named(term, unit, means) for name, term in terms.items()}
    return Figure(terms, unit, means)


def accepted(system: System, pairs: Pairs) -> Pairs:
    """Those pairs of number formats that the machine's engine can compute in."""
    return {name: pair for name, pair in pairs.items() if not system.chip.engine.refusal(*pair)}


def chip_part(chip: Chip, state: State, pairs: Pairs, dies: Any) -> dict[str, Any]:
    """What a chip adds to everything that it is part of."""
    return {
        "chips": Figure(jnp.asarray(1.0), "", "chips in it"),
        "power": Figure(state.powers.total, "W", "at full load and the settled clock"),
        "silicon_area": Figure(chip.area(), "m^2", "of compute dies"),
        "cost": Figure(chip.cost(dies), "USD", "of its parts, before any markup; engineering apart"),
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
    parts = whole["cost"].value + level.cost + joined * level.link.part_cost
    around = power - whole["power"].value
    busy = {name: figure._replace(value=figure.value + around) for name, figure in whole["loads"].items()}
    return whole | {
        "loads": busy,
        "fanout": Figure(level.fanout, "", "parts joined"),
        "power": whole["power"]._replace(value=power),
        "cost": whole["cost"]._replace(value=parts),
    }


def times(part: Mapping[str, Any], n: Any) -> dict[str, Any]:
    """Every figure of `n` equal parts."""
    return {k: v._replace(value=n * v.value) if isinstance(v, Figure) else times(v, n) for k, v in part.items()}


def link_figures(level: Level) -> dict[str, Figure]:
    """The link of a level; its bisection is the topology's."""
    link = level.link
    return {
        "bandwidth": Figure(link.bandwidth, "B/s", "of one part and direction, all its wires together"),
        "latency": Figure(link.latency, "s", "of one hop"),
        "energy": Figure(link.energy, "J/B", "of a byte over one hop"),
        "bisection": Figure(link.bisection(level.fanout), "B/s", "over the worst cut into halves, one direction"),
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
    if unit == "op/J":
        return f"{digits(value / 1e12)} TOPS/W"
    if unit == "J/B":
        return f"{digits(value / 8e-12)} pJ/bit"
    factor, label = readable(unit, value)
    return f"{digits(value * factor)} {label}".strip()
