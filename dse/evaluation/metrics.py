"""What an evaluation answers: each quantity once, with its unit and its meaning."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
from jaxtyping import Array


def metric(unit: str, means: str, typical: float = 1.0, more_is_better: bool = False) -> Any:
    """A field of an answer; whatever prints, logs or plots it reads the unit and the meaning here.

    typical : a size that makes shortfalls of different units comparable.
    """
    return eqx.field(metadata={"unit": unit, "means": means, "typical": typical, "more_is_better": more_is_better})


class Metrics(eqx.Module):
    """The answers that may be objectives."""

    time_to_first_token: Array = metric(
        "s", "time until the first token of a prompt, which waits only where prompts come faster than they are filled"
    )
    time_per_output_token: Array = metric("s", "time between a user's tokens, prefill of others included")
    tokens_per_second_per_user: Array = metric("token/s", "1 / time_per_output_token", more_is_better=True)
    tokens_per_second: Array = metric("token/s", "output tokens of all users", more_is_better=True)
    goodput: Array = metric(
        "token/s", "output tokens of the largest load that fits and meets both latency targets", more_is_better=True
    )
    goodput_users: Array = metric("", "users at once of that load", more_is_better=True)
    energy_per_token: Array = metric("J/token", "joules of the whole system for one output token")
    power: Array = metric("W", "average of the whole system while serving")
    silicon_area: Array = metric("m^2", "all compute dies")
    system_cost: Array = metric("USD", "parts times markup, and the share of engineering")
    cost_per_million_tokens: Array = metric("USD", "capital, upkeep, energy and floor for a million output tokens")
    embodied_carbon: Array = metric("kg", "emitted to make the system")
    carbon_per_million_tokens: Array = metric("kg", "of making and of energy for a million output tokens")
    clock: Array = metric("Hz", "of the engine at full load, within the power limit", more_is_better=True)
    junction_temperature: Array = metric("K", "of the compute die at full load")
    memory_temperature: Array = metric("K", "of the hottest memory at full load")
    quantisation_noise: Array = metric(
        "dB", "noise over signal of what a layer passes on, in these formats and this engine, Gaussian values"
    )


class Headroom(eqx.Module):
    """What is left to each limit; a candidate is feasible where none is below zero."""

    memory: Array = metric("B", "bytes left in the fullest tier of a chip", 1e9)
    power: Array = metric("W", "watts left to the chip's limit at full load and the settled clock", 100.0)
    heat: Array = metric("K", "kelvin left to the first limit of temperature or of heat flux at full load", 10.0)
    clock: Array = metric("", "share by which the logic could be clocked faster at its voltage", 0.1)
    latency: Array = metric("", "share of the tighter latency target that is left")


class Shares(eqx.Module):
    """Parts of the time of a step by cause; an operator's time belongs to the cause that bounds it."""

    compute: Array = metric("", "the engine's arithmetic")
    weights: Array = metric("", "moving weights")
    cache: Array = metric("", "moving keys and values")
    vector: Array = metric("", "elementwise work")
    exchange: Array = metric("", "messages between chips")
    overhead: Array = metric("", "starting operators, software")
    bubble: Array = metric("", "stages that wait for the fullest stage")


class EnergyShares(eqx.Module):
    """Parts of the energy of a token by cause."""

    compute: Array = metric("", "the engine's arithmetic")
    weights: Array = metric("", "moving weights, into the array included")
    cache: Array = metric("", "moving keys and values, into the array included")
    vector: Array = metric("", "elementwise work")
    exchange: Array = metric("", "messages between chips")
    idle: Array = metric("", "leakage, clock, standby, hosts, NICs")


class CostShares(eqx.Module):
    """Parts of the cost of a token by what is paid for; all that is bought with its markup."""

    silicon: Array = metric("", "compute dies")
    memory: Array = metric("", "memory and bonding it onto dies")
    package: Array = metric("", "laminates, interposers, bumps, assembly, test, and what bad bonds spoil")
    system: Array = metric("", "boards, hosts, network, racks")
    engineering: Array = metric("", "the chip's design and masks over all chips made")
    maintenance: Array = metric("", "upkeep over the life")
    energy: Array = metric("", "energy of the site")
    site: Array = metric("", "the floor")


class PowerShares(eqx.Module):
    """Parts of the site's power by where it goes."""

    logic: Array = metric("", "compute dies: arithmetic, elementwise work, clock, leakage")
    memory: Array = metric("", "moving weights and cache, into the array included; standby and refresh")
    network: Array = metric("", "messages, and what links draw")
    host: Array = metric("", "boards, hosts, racks")
    cooling: Array = metric("", "what the site spends beyond the machine: cooling, conversion")


class CarbonShares(eqx.Module):
    """Parts of the carbon of a token by cause."""

    silicon: Array = metric("", "making compute dies")
    memory: Array = metric("", "making memory")
    package: Array = metric("", "packaging, and what bad bonds spoil")
    system: Array = metric("", "making boards, hosts, racks")
    energy: Array = metric("", "the energy of the site")


class Filling(eqx.Module):
    """What a pool does that fills prompts for the machine that decodes."""

    fill_time: Array = metric("s", "time to fill one prompt there")
    transfer_time: Array = metric("s", "time for its cache to cross the link")
    prompts_per_second: Array = metric("1/s", "the most that the pool and its links can take")
    busy: Array = metric("", "share of the time in which its fullest stages work")
    link_busy: Array = metric("", "share of the time in which its links carry")


class Drafting(eqx.Module):
    """What a draft model does."""

    tokens_per_round: Array = metric("token", "tokens that a round of guesses and their verification gives")
    round_time: Array = metric("s", "time of a round, prefill of others included")


class Mapping(eqx.Module):
    """How the work is laid on the system.

    tensor, sequence, attention_data, expert : degrees of one stage (`models.parallelism.Cut`); pipeline : stages of a
    replica; data : replicas; stages_inside : 1 where neighbouring devices are stages, 0 where they are a stage's
    tensor group; batch : sequences in flight of one replica; users : sequences in flight of all; weights, cache :
    indices of the memory tiers that hold them.
    """

    tensor: Any
    sequence: Any
    attention_data: Any
    expert: Any
    pipeline: Any
    stages_inside: Any
    data: Any
    batch: Any
    users: Any
    weights: Any
    cache: Any

    @property
    def devices(self) -> Any:
        """Devices of a replica."""
        return self.tensor * self.attention_data * self.pipeline


class Answer(eqx.Module):
    """Everything about one candidate under one mapping."""

    metrics: Metrics
    headroom: Headroom
    shares: Shares
    energy_shares: EnergyShares
    cost_shares: CostShares
    carbon_shares: CarbonShares
    power_shares: PowerShares
    mapping: Mapping
    legal: Array
    prefill: Filling | None = None
    prefill_mapping: Mapping | None = None
    draft: Drafting | None = None
    draft_mapping: Mapping | None = None


SECTIONS = {
    "metrics": Metrics,
    "headroom": Headroom,
    "shares": Shares,
    "energy_shares": EnergyShares,
    "cost_shares": CostShares,
    "carbon_shares": CarbonShares,
    "power_shares": PowerShares,
}

MADE_OF = {  # parts by cause -> the metrics that are made of them, first the one that they are parts of
    "shares": ("time_per_output_token", "tokens_per_second_per_user", "tokens_per_second"),
    "energy_shares": ("energy_per_token",),
    "area_shares": ("silicon_area",),  # of a report alone
    "cost_shares": ("cost_per_million_tokens",),
    "carbon_shares": ("carbon_per_million_tokens",),
    "power_shares": ("power",),
}
MEASURES = {section: names[0] for section, names in MADE_OF.items()}

SOMETIMES = {"prefill": Filling, "draft": Drafting}  # sections that an answer has where the candidate has such


def units(section: type) -> dict[str, str]:
    """Name -> unit of the answers of one section."""
    return {field.name: field.metadata["unit"] for field in dataclasses.fields(section)}


def more_is_better(name: str) -> bool:
    """True where a larger value of this metric is the better one."""
    return next(f.metadata["more_is_better"] for f in dataclasses.fields(Metrics) if f.name == name)


def section_of(name: str) -> str:
    """The section of an answer that says what a metric is made of; empty where none does."""
    return next((section for section in SECTIONS if name in MADE_OF.get(section, ())), "")


def meanings(section: type) -> dict[str, str]:
    """Name -> meaning of the answers of one section."""
    return {field.name: field.metadata["means"] for field in dataclasses.fields(section)}
