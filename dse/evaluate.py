"""One candidate under one mapping: from passes to metrics."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp

import dse.precision  # noqa: F401
from dse.holding import held_bytes, memory_headroom
from dse.metrics import Answer, CarbonShares, CostShares, EnergyShares, Headroom, Mapping, Metrics, Shares
from dse.schedule import cut_of, passes
from dse.scheduler import Scheduler, Service
from hw import carbon, cost
from hw.heat import State
from hw.system import System
from models.model import Model
from models.numerics import Formats
from models.parallelism import all_true
from models.serving import Serving


class Candidate(eqx.Module):
    """A machine, a model, its number formats, its traffic and how that is scheduled; paths into it are the paths of the
    configuration."""

    hw: System
    model: Model
    format: Formats
    serving: Serving
    scheduler: Scheduler


def evaluate(candidate: Candidate, mapping: Mapping) -> Answer:
    """All answers about one candidate under one mapping."""
    system, model, formats = candidate.hw, candidate.model, candidate.format
    serving, scheduler = candidate.serving, candidate.scheduler
    state = system.chip.settle(formats)
    batches = scheduler.batches(model, serving, mapping)
    done = passes(system, state, model, formats, mapping, batches)
    service = scheduler.service(serving, mapping, done)
    per_token = service.token.total
    rate = mapping.users * service.decoding / mapping.batch / per_token
    idle = system.idle_power(state.idle) / rate
    energy = jnp.asarray(service.energies.total) + idle
    power = energy * rate
    built, made = cost.groups(system.cost_terms()), carbon.groups(system.carbon_terms())
    paid = system.ownership.cost_terms(built, power)
    emitted = system.ownership.carbon_terms(made, power)
    metrics = Metrics(
        time_to_first_token=service.first,
        time_per_output_token=per_token,
        tokens_per_second_per_user=1 / per_token,
        tokens_per_second=rate,
        energy_per_token=energy,
        power=power,
        silicon_area=system.silicon_area(),
        system_cost=system.ownership.price(built),
        cost_per_million_tokens=sum(paid) / rate * 1e6,
        embodied_carbon=cost.total(made),
        carbon_per_million_tokens=sum(emitted) / rate * 1e6,
        clock=state.logic.frequency,
        junction_temperature=state.logic.temperature,
        memory_temperature=system.chip.hottest_memory(state),
        quantisation_noise=10 * jnp.log10(noise(candidate)),
    )
    return Answer(
        metrics=metrics,
        headroom=headroom(candidate, mapping, service, state, done[0].layers, batches[0].tokens),
        shares=Shares(*(part / per_token for part in service.token)),
        energy_shares=EnergyShares(*(part / energy for part in service.energies), idle=idle / energy),
        cost_shares=CostShares(*shares_of(paid)),
        carbon_shares=CarbonShares(*shares_of(emitted)),
        mapping=mapping,
        legal=is_legal(candidate, mapping),
    )


def noise(candidate: Candidate) -> Any:
    """Noise over signal of a product as long as the model is wide: of its number formats, and of the engine."""
    formats = candidate.format
    own = candidate.hw.chip.engine.noise(formats.weights, formats.activations, candidate.model.hidden)
    return formats.noise() + own


def shares_of(parts: tuple[Any, ...]) -> list[Any]:
    """Each part over their sum; all 0 of nothing."""
    whole = sum(parts)
    return [part / jnp.where(whole > 0, whole, 1.0) for part in parts]


def rules(candidate: Candidate, mapping: Mapping) -> dict[str, Any]:
    """What a mapping must keep, in words, and whether it does."""
    system, model, cut = candidate.hw, candidate.model, cut_of(mapping)
    network = system.network
    stage = (mapping.pipeline, jnp.where(mapping.stages_inside > 0, 1.0, cut.devices))
    return {
        "groups fill the levels of the machine from the inside": all_true(
            *(network.tiles(span.devices, span.inner) for span in cut.spans())
        ),
        "stages of a pipeline fill the levels of the machine": network.tiles(*stage),
        "all replicas fit the machine, one at least": (mapping.devices * mapping.data <= system.chips())
        & (mapping.data >= 1),
        "every stage has a layer": mapping.pipeline <= model.layers,
        "degrees divide the heads and experts that they cut": model.is_whole(cut),
    }


def is_legal(candidate: Candidate, mapping: Mapping) -> Any:
    """True where the degrees tile the machine and the model."""
    return all_true(*rules(candidate, mapping).values())


def headroom(
    candidate: Candidate, mapping: Mapping, service: Service, state: State, layers: Any, stepped: Any
) -> Headroom:
    """What is left to each limit; `layers` are those on the fullest stage, `stepped` the tokens of a decode step."""
    serving, chip = candidate.serving, candidate.hw.chip
    first = service.first / serving.time_to_first_token_target
    later = service.token.total / serving.time_per_output_token_target
    tokens = jnp.maximum(candidate.scheduler.widest(serving, mapping), stepped)
    held = held_bytes(candidate.model, candidate.format, mapping, layers, serving.last_context, tokens)
    return Headroom(
        memory=memory_headroom(candidate.hw, state, mapping, held),
        power=chip.power_headroom(state),
        heat=chip.heat_headroom(state),
        clock=chip.clock_headroom(state),
        latency=1 - jnp.maximum(first, later),
    )
