"""What each memory tier of the fullest chip must hold, and whether it can."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp

from dse.evaluation.metrics import Mapping
from dse.evaluation.schedule import cut_of
from hw.heat import State
from hw.system import System
from models.counts import ceil
from models.model import Model
from models.numerics import Formats


def weight_bytes(model: Model, formats: Formats, mapping: Mapping, layers: Any) -> Any:
    """Bytes of weights on a chip whose stage has so many layers."""
    cut = cut_of(mapping)
    plain = model.held_parameters(cut, layers) * formats.weights.bytes
    return plain + model.held_expert_parameters(cut, layers) * formats.expert_weights.bytes


def cache_bytes(model: Model, formats: Formats, mapping: Mapping, layers: Any, context: Any) -> Any:
    """Bytes that one sequence of `context` tokens leaves on each chip of its attention group."""
    return model.held_cache_elements(context, cut_of(mapping), layers) * formats.cache.bytes


def held_bytes(
    model: Model, formats: Formats, mapping: Mapping, layers: Any, context: Any, tokens: Any
) -> tuple[Any, Any, Any]:
    """Bytes of weights, of the cache of all sequences at `context` tokens each, and of the activations of a pass of
    `tokens` tokens, on the fullest chip."""
    sequences = ceil(mapping.batch / mapping.attention_data)
    cache = sequences * cache_bytes(model, formats, mapping, layers, context)
    activations = 2 * tokens * model.hidden * formats.activations.bytes
    return weight_bytes(model, formats, mapping, layers), cache, activations


def memory_headroom(system: System, state: State, mapping: Mapping, held: tuple[Any, Any, Any]) -> Any:
    """Bytes left in the fullest tier of the fullest chip, activations in the fastest; below zero, the bytes that are
    missing there."""
    weights, cache, activations = held
    left = []
    for index, (tier, there) in enumerate(zip(system.chip.tiers, state.tiers, strict=True)):
        used = jnp.where(mapping.weights == index, weights, 0.0) + jnp.where(mapping.cache == index, cache, 0.0)
        left.append(tier.bytes_held(there) - used - (activations if index == 0 else 0.0))
    return functools.reduce(jnp.minimum, left)
