"""One candidate under one mapping: the equations of a served model, from steps to metrics."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp

import dse.precision  # noqa: F401
from dse.metrics import Answer, CarbonShares, CostShares, EnergyShares, Headroom, Mapping, Metrics, Shares
from dse.step import Energies, Pass, run, total
from hw import carbon, cost
from hw.chip import Placement
from hw.heat import State
from hw.system import System
from models.numerics import Formats
from models.operators import Groups
from models.parallelism import attention_shards, attention_shards_are_whole
from models.serving import Serving
from models.transformer import Transformer


class Candidate(eqx.Module):
    """A machine, a model, its number formats and its traffic; paths into it are the paths of the configuration."""

    hw: System
    model: Transformer
    format: Formats
    serving: Serving


def evaluate(candidate: Candidate, mapping: Mapping) -> Answer:
    """All answers about one candidate under one mapping."""
    serving, system = candidate.serving, candidate.hw
    state = system.chip.settle(candidate.format)
    decode, prefill = passes(candidate, mapping, state)
    steps = mapping.batch / micro_batch(mapping)
    fills = serving.prefill_share * mapping.batch / serving.output
    step_times = decode.times._replace(bubble=waiting(mapping, decode))
    round_times = total(step_times, prefill.times, fills * prefill.pace / prefill.times.total)
    round_energy = total(total(Energies(), decode.energies, steps), prefill.energies, fills)
    per_token = round_times.total
    rate = mapping.users / per_token
    idle = system.idle_power(state.idle) / rate
    switched = jnp.asarray(round_energy.total / mapping.batch)
    energy = switched + idle
    power = energy * rate
    built, made = cost.groups(system.cost_terms()), carbon.groups(system.carbon_terms())
    paid = system.ownership.cost_terms(built, power)
    emitted = system.ownership.carbon_terms(made, power)
    metrics = Metrics(
        time_to_first_token=prefill.times.total,
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
        headroom=headroom(candidate, mapping, metrics, state, decode.layers),
        shares=Shares(*(part / per_token for part in round_times)),
        energy_shares=EnergyShares(*(part / mapping.batch / energy for part in round_energy), idle=idle / energy),
        cost_shares=CostShares(*shares_of(paid)),
        carbon_shares=CarbonShares(*shares_of(emitted)),
        mapping=mapping,
        legal=is_legal(candidate, mapping),
    )


def shares_of(parts: tuple[Any, ...]) -> list[Any]:
    """Each part over their sum; all 0 of nothing."""
    whole = sum(parts)
    return [part / jnp.where(whole > 0, whole, 1.0) for part in parts]


def noise(candidate: Candidate) -> Any:
    """Noise over signal of a product as long as the model is wide: of its number formats, and of the engine."""
    formats = candidate.format
    own = candidate.hw.chip.engine.noise(formats.weights, formats.activations, candidate.model.hidden)
    return formats.noise() + own


def micro_batch(mapping: Mapping) -> Any:
    """Sequences that one stage steps at once: the batch is spread over the stages, at least one each."""
    return jnp.maximum(1.0, jnp.ceil(mapping.batch / mapping.pipeline))


class Stream(NamedTuple):
    """What passes through all layers at once: new tokens of some sequences, the context that each attends to, and how
    many of them are sampled."""

    tokens: Any
    sequences: Any
    context: Any
    sampled: Any


def passes(candidate: Candidate, mapping: Mapping, state: State) -> tuple[Pass, Pass]:
    """A decode step of one micro-batch, and the prefill of one prompt."""
    serving, tokens = candidate.serving, micro_batch(mapping)
    decode = Stream(tokens, tokens, serving.mean_context, tokens)
    prefill = Stream(serving.prompt, 1.0, serving.prefill_context, 1.0)
    groups = exchange_groups(candidate, mapping.tensor)
    return (
        through_layers(candidate, mapping, decode, groups, state),
        through_layers(candidate, mapping, prefill, groups, state),
    )


def exchange_groups(candidate: Candidate, tensor: Any) -> Groups:
    """The tensor group, and in it a group for each shard of heads, whose devices share the heads' context."""
    network, shards = candidate.hw.network, attention_shards(tensor, candidate.model.attention.key_value_heads)
    return Groups(network.group(tensor), network.group(shards.context, shards.heads))


def through_layers(candidate: Candidate, mapping: Mapping, stream: Stream, groups: Groups, state: State) -> Pass:
    """Every layer, the head and the hops between stages once; times of the path, energies of all stages."""
    system, model, formats = candidate.hw, candidate.model, candidate.format
    place, tensor = Placement(mapping.weights, mapping.cache), mapping.tensor
    layer = run(system, state, model.layer(*stream[:3], tensor), formats, place, groups)
    layer = layer._replace(times=layer.times._replace(overhead=layer.times.overhead + system.runtime.layer_time))
    head = run(system, state, model.head(stream.sampled, tensor), formats, place, groups)
    times, energies = total(head.times, layer.times, model.layers), total(head.energies, layer.energies, model.layers)
    hops = system.network.hops(stream.tokens * model.hidden * formats.gathered.bytes, mapping.pipeline, tensor)
    times = times._replace(exchange=times.exchange + hops.time, overhead=times.overhead + system.runtime.step_time)
    energies = energies._replace(exchange=energies.exchange + hops.energy)
    spread = (model.layers, mapping.pipeline, layer.times.total, head.times.total)
    fullest = jnp.where(mapping.pipeline > 1, pace(*spread), times.total)
    return Pass(times, energies, fullest, stage_layers(*spread))


def slots(layers: Any, stages: Any, layer: Any, head: Any) -> Any:
    """Layers that every stage must have time for: the one with the head gives up as many layers as it is long."""
    return jnp.ceil((layers + jnp.ceil(head / layer)) / stages)


def pace(layers: Any, stages: Any, layer: Any, head: Any) -> Any:
    """Seconds that the fullest stage takes for one micro-batch, layers spread as well as whole layers can be.

    Either some stage has `slots` layers; or all but the head's stage have one less, and that one has the rest and the
    head; or the head alone is longer than any other stage. One stage has everything.
    """
    most = slots(layers, stages, layer, head)
    headed = (layers - (most - 1) * (stages - 1)) * layer + head
    fullest = jnp.maximum(jnp.minimum(most * layer, headed), head)
    return jnp.where(stages > 1, fullest, layers * layer + head)


def stage_layers(layers: Any, stages: Any, layer: Any, head: Any) -> Any:
    """Layers on the fullest stage, which memory must hold."""
    return jnp.where(stages > 1, jnp.minimum(slots(layers, stages, layer, head), layers), layers)


def waiting(mapping: Mapping, step: Pass) -> Any:
    """Seconds a micro-batch queues in a step: all in flight must pass the fullest stage before it is back."""
    in_flight = mapping.batch / micro_batch(mapping)
    return jnp.where(mapping.pipeline > 1, jnp.maximum(0.0, in_flight * step.pace - step.times.total), 0.0)


def is_legal(candidate: Candidate, mapping: Mapping) -> Any:
    """True where the degrees tile the machine and the model."""
    system, model = candidate.hw, candidate.model
    used = mapping.tensor * mapping.pipeline * mapping.data
    shards = attention_shards(mapping.tensor, model.attention.key_value_heads)
    return (
        system.holds_group(mapping.tensor, mapping.pipeline)
        & system.holds_group(shards.context, 1.0)
        & (used <= system.chips())
        & (mapping.data >= 1)
        & (mapping.pipeline <= model.layers)
        & attention_shards_are_whole(mapping.tensor, model.attention.key_value_heads)
    )


def tier_use(candidate: Candidate, mapping: Mapping, layers: Any) -> list[Any]:
    """Bytes that the fullest chip, with `layers` layers, holds in each tier: weights, cache, and activations in the
    fastest."""
    model, formats, serving = candidate.model, candidate.format, candidate.serving
    weights = model.held_parameters(mapping.tensor, layers) * formats.weights.bytes
    per_token = model.held_cache_elements(mapping.tensor, layers) * formats.cache.bytes
    cache = mapping.batch * serving.last_context * per_token
    filled = jnp.where(serving.prefill_share > 0, serving.prompt, 0.0)
    tokens = jnp.maximum(filled, micro_batch(mapping))
    activations = 2 * tokens * model.hidden * formats.activations.bytes
    return [
        jnp.where(mapping.weights == i, weights, 0.0)
        + jnp.where(mapping.cache == i, cache, 0.0)
        + (activations if i == 0 else 0.0)
        for i, _ in enumerate(candidate.hw.chip.tiers)
    ]


def memory_headroom(candidate: Candidate, mapping: Mapping, state: State, layers: Any) -> Any:
    """Bytes left in the fullest tier of the fullest chip; below zero, the bytes that are missing there."""
    chip = candidate.hw.chip
    use = tier_use(candidate, mapping, layers)
    tiers = zip(chip.tiers, state.tiers, use, strict=True)
    left = [tier.bytes_held(there) - used for tier, there, used in tiers]
    worst = left[0]
    for other in left[1:]:
        worst = jnp.minimum(worst, other)
    return worst


def headroom(candidate: Candidate, mapping: Mapping, metrics: Metrics, state: State, layers: Any) -> Headroom:
    """What is left to each limit; `layers` are those on the fullest stage."""
    serving, chip = candidate.serving, candidate.hw.chip
    first = metrics.time_to_first_token / serving.time_to_first_token_target
    later = metrics.time_per_output_token / serving.time_per_output_token_target
    return Headroom(
        memory=memory_headroom(candidate, mapping, state, layers),
        power=chip.power_headroom(state),
        heat=chip.heat_headroom(state),
        clock=chip.clock_headroom(state),
        latency=1 - jnp.maximum(first, later),
    )
