"""The largest load that a mapping serves in time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from dse.evaluation.evaluate import Candidate
from dse.evaluation.holding import cache_bytes, weight_bytes
from dse.evaluation.metrics import Answer, Mapping
from dse.evaluation.steady import Ready, steady
from dse.evaluation.whole import constant, largest
from models.serving import Serving

MOST = 2.0**20  # sequences of a replica beyond which nothing is asked


def with_goodput(candidate: Candidate, answer: Answer, ready: Ready) -> Answer:
    """The answer with the goodput of its mapping."""
    tokens, users = goodput(*constant((candidate, answer.mapping, ready)))
    kept = answer.legal
    metrics = replace(answer.metrics, goodput=jnp.where(kept, tokens, 0.0), goodput_users=jnp.where(kept, users, 0.0))
    return replace(answer, metrics=metrics)


def goodput(candidate: Candidate, mapping: Mapping, ready: Ready) -> tuple[Any, Any]:
    """Output tokens per second and users of the largest load that fits the memory and meets both latency targets; 0
    where one user in each replica is too many.

    Whole users in each replica, found by halving: memory and both latencies must not improve when users come.
    """

    def meets(batch: Any) -> tuple[Any, Any]:
        found = steady(candidate, replace(mapping, batch=batch, users=batch * mapping.data), ready)
        return (found.memory >= 0) & (found.latency >= 0), found.rate

    batch, rate = largest(meets, most(candidate, mapping, ready), 0.0)
    return rate, batch * mapping.data


def most(candidate: Candidate, mapping: Mapping, ready: Ready) -> Any:
    """Users of a replica that cannot be passed: as many as the tier of the cache holds on a stage with as few layers as
    there can be, and those who wait for their first token no longer than they may."""
    model, formats, serving = candidate.model, candidate.format, candidate.serving
    layers = model.layers / mapping.pipeline
    one = cache_bytes(model, formats, mapping, layers, serving.last_context)
    room = 0.0
    for index, (tier, there) in enumerate(zip(candidate.hw.chip.tiers, ready.state.tiers, strict=True)):
        room = room + jnp.where(mapping.cache == index, tier.bytes_held(there), 0.0)
    room = room - jnp.where(mapping.cache == mapping.weights, weight_bytes(model, formats, mapping, layers), 0.0)
    held = mapping.attention_data * jnp.floor(jnp.maximum(room, 0.0) / jnp.maximum(one, 1.0))
    return jnp.minimum(MOST, held + waiting(serving, mapping, ready))


def waiting(serving: Serving, mapping: Mapping, ready: Ready) -> Any:
    """Users of a replica who wait for their first token in another pool, at most."""
    if ready.filled is None:
        return 0.0
    return jnp.ceil(ready.filled.rate * serving.time_to_first_token_target / mapping.data)
