"""Passes of batches through all layers, the head and the stages, under one mapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp

from dse.evaluation.metrics import Mapping
from dse.evaluation.step import Energies, Pass, joined, moved, total, worked
from hw.chip import Placement
from hw.heat import State
from hw.link import Transfer
from hw.system import System
from models.batch import Batch
from models.counts import ceil
from models.model import Model
from models.numerics import Formats
from models.operators import Work
from models.parallelism import Cut


def cut_of(mapping: Mapping) -> Cut:
    """How a stage's devices share its layers."""
    apart = jnp.where(mapping.stages_inside > 0, mapping.pipeline, 1.0)
    return Cut(mapping.tensor, mapping.sequence, mapping.attention_data, mapping.expert, apart)


def micro_batch(mapping: Mapping) -> Any:
    """Sequences that an attention group of one stage steps at once: the batch is spread over stages and groups, at
    least one each."""
    return jnp.maximum(1.0, ceil(mapping.batch / (mapping.pipeline * mapping.attention_data)))


def in_flight(mapping: Mapping) -> Any:
    """Micro-batches that are on their way at once."""
    return mapping.batch / (micro_batch(mapping) * mapping.attention_data)


class Parts(NamedTuple):
    """What a pass is made of: a layer of each block, and last the head, their operators and their exchanges apart; and
    the hops between stages."""

    worked: tuple[Pass, ...]
    moved: tuple[Transfer, ...]
    hops: Transfer


def passes(
    system: System,
    state: State,
    model: Model,
    formats: Formats,
    mapping: Mapping,
    batches: Sequence[Batch],
    stages: Any = None,
) -> list[Pass]:
    """Every layer, the head and the hops between stages once, for each batch of one attention group; times of the
    path, energies of all devices. `stages`: those of the pipeline that it passes, where not all."""
    cut, place = cut_of(mapping), Placement(mapping.weights, mapping.cache)
    mapping = mapping if stages is None else replace(mapping, pipeline=stages)
    listed = [works(model, batch, cut) for batch in batches]
    together = [work for part in listed for work in part]
    done = iter(worked(system.chip, state, together, formats, place, cut.devices))
    moves = iter(moved(system.network, together, formats))
    found = []
    for batch, part in zip(batches, listed, strict=True):
        own = tuple(next(done) for _ in part), tuple(next(moves) for _ in part)
        hops = hopped(system, model, formats, mapping, batch)
        found.append(path(system, model, mapping, Parts(*own, hops)))
    return found


def works(model: Model, batch: Batch, cut: Cut) -> list[Work]:
    """The work of a layer of each block, and of the head."""
    return [*(block.work(model.hidden, batch, cut) for block in model.blocks.values()), model.head(batch.sampled, cut)]


def hopped(system: System, model: Model, formats: Formats, mapping: Mapping, batch: Batch) -> Transfer:
    """What each attention group hands from stage to stage."""
    cut = cut_of(mapping)
    inner = jnp.where(mapping.stages_inside > 0, 1.0, cut.devices)
    handed = batch.tokens * model.hidden * formats.gathered.bytes
    return system.network.hops(handed, mapping.pipeline, inner, cut.attention_data)


def path(system: System, model: Model, mapping: Mapping, parts: Parts) -> Pass:
    """One pass from its parts."""
    *blocks, head = (joined(system, one, move) for one, move in zip(parts.worked, parts.moved, strict=True))
    counts = [block.layers for block in model.blocks.values()]
    runtime, layers, hops = system.runtime, sum(counts), parts.hops
    inside, energies = Pass(type(head.times)(), Energies()).times, Energies()
    for layer, count in zip(blocks, counts, strict=True):
        inside, energies = total(inside, layer.times, count), total(energies, layer.energies, count)
    inside = inside._replace(overhead=inside.overhead + layers * runtime.layer_time)
    times = total(head.times, inside)
    times = times._replace(exchange=times.exchange + hops.time, overhead=times.overhead + runtime.step_time)
    energies = total(head.energies, energies)
    energies = energies._replace(exchange=energies.exchange + hops.energy)
    spread = (layers, mapping.pipeline, inside.total / layers, head.times.total)
    fullest = jnp.where(mapping.pipeline > 1, pace(*spread), times.total)
    return Pass(times, energies, fullest, stage_layers(*spread))


def slots(layers: Any, stages: Any, layer: Any, head: Any) -> Any:
    """Layers that every stage must have time for: the one with the head gives up as many layers as it is long."""
    return ceil((layers + ceil(head / layer)) / stages)


def pace(layers: Any, stages: Any, layer: Any, head: Any) -> Any:
    """Seconds that the fullest stage takes for one micro-batch, layers spread as well as whole layers can be.

    Either some stage has `slots` layers; or all but the head's stage have one less, and that one has the rest and the
    head; or the head alone is longer than any other stage. One stage has everything. Layers of unlike blocks count as
    equal ones of their mean time.
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
    queued = in_flight(mapping) * step.pace - step.times.total
    return jnp.where(mapping.pipeline > 1, jnp.maximum(0.0, queued), 0.0)
