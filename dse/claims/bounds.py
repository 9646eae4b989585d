"""What a claimed rate needs of a machine's peaks, whatever the mapping: bytes, operations, room and joules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from dse.evaluation.evaluate import Candidate
from dse.evaluation.metrics import Answer
from dse.machine.describe_model import held, weight_bytes, works
from hw.heat import State
from models.operators import Work

WORDS = {
    "bandwidth": "the peak bandwidth for the weights and the cache of a step",
    "arithmetic": "the peak arithmetic",
    "power": "the power limit of the chips, at the modelled joules of a token",
}


class Step(NamedTuple):
    """A decode step of all users: bytes read of weights and of the cache, and operations of products, those of the
    prompts that the machine fills itself included."""

    weights: float
    cache: float
    operations: float


def step_of(candidate: Candidate) -> Step:
    """What a step reads and computes, one replica over all chips, so that weights are read once."""
    serving, formats = candidate.serving, candidate.format
    batch = candidate.model.step(float(serving.users), serving.mean_context)
    weights = cache = operations = 0.0
    for _, work, layers in works(candidate.model, batch):
        own, shared, count = parts(work, formats)
        weights, cache, operations = weights + layers * own, cache + layers * shared, operations + layers * count
    return Step(weights, cache, operations + float(serving.users) * prompt_operations(candidate))


def prompt_operations(candidate: Candidate) -> float:
    """Operations of products to fill prompts, for each token of an answer: a prompt's, as far as it is not in the
    cache and is filled here, over the tokens of its answer. Its weights may be read by steps, in the same passes."""
    serving, model = candidate.serving, candidate.model
    if candidate.prefill is not None:
        return 0.0
    batch = model.prompt(1.0, serving.prompt - serving.cached, serving.cached)
    each = sum(layers * parts(work, candidate.format)[2] for _, work, layers in works(model, batch))
    return float(serving.prefill_share) * each / float(serving.output)


def parts(work: Work, formats: Any) -> tuple[float, float, float]:
    """Bytes of weights and of the cache that operators read, and their operations."""
    weights = cache = operations = 0.0
    for operator in work.operators:
        size = float(operator.held_elements * operator.held(formats).bytes)
        of_cache = operator.held(_Names) == "cache"
        weights, cache = weights + size * (not of_cache), cache + size * of_cache
        operations += 2 * float(operator.macs)
    return weights, cache, operations


class _Names:
    """Says which operand an operator holds."""

    weights, expert_weights, cache = "weights", "weights", "cache"


def settled(candidate: Candidate) -> State:
    """The chip's state at full load."""
    return jax.device_get(_settled(candidate))


@jax.jit
def _settled(candidate: Candidate) -> State:
    return candidate.hw.chip.settle(candidate.format)


def needs(candidate: Candidate, answer: Answer, tokens_per_second: float) -> dict[str, float]:
    """Resource -> share of its peak that so many tokens a second need, all users in step.

        bandwidth  = steps/s * max over tiers (bytes read of it / its peak bandwidth), the fastest tiers filled first
        arithmetic = steps/s * operations / peak operations
        power      = tokens/s * dynamic joules a token / power limit of all chips

    The largest is the tightest bound. Left out: exchange, elementwise work, partly filled arrays, and the
    bytes that filling prompts moves.
    """
    state, step, chips = settled(candidate), step_of(candidate), float(candidate.hw.chips())
    rate = tokens_per_second / float(candidate.serving.users)
    peak = chips * float(
        candidate.hw.chip.engine.peak_rate(candidate.format.weights, candidate.format.activations, state.logic)
    )
    dynamic = float(answer.metrics.energy_per_token) * (1 - float(answer.energy_shares.idle))
    return {
        "bandwidth": rate * slowest(candidate, state, step),
        "arithmetic": rate * step.operations / peak,
        "power": tokens_per_second * dynamic / (chips * float(candidate.hw.chip.cooling.power_limit)),
    }


def slowest(candidate: Candidate, state: State, step: Step) -> float:
    """Seconds of the fullest tier to give its part of what a step reads, the fastest tiers filled first."""
    chips, room = float(candidate.hw.chips()), rooms(candidate, state)
    total = sum(sizes(candidate))
    read, left, longest = step.weights + step.cache, total, 0.0
    for tier, there, capacity in zip(candidate.hw.chip.tiers, state.tiers, room, strict=True):
        inside = min(left, capacity)
        longest = max(longest, read * inside / total / (chips * float(tier.peak_bandwidth(there))))
        left -= inside
    return longest


def sizes(candidate: Candidate) -> tuple[float, float]:
    """Bytes of all weights, and of the cache of all users at their last tokens."""
    serving, formats = candidate.serving, candidate.format
    cache = float(serving.users) * float(candidate.model.cache_elements(serving.last_context) * formats.cache.bytes)
    return weight_bytes(candidate.model, held(formats)), cache


def rooms(candidate: Candidate, state: State) -> list[float]:
    """Bytes of each tier in the whole machine."""
    chips = float(candidate.hw.chips())
    pairs: Sequence[Any] = list(zip(candidate.hw.chip.tiers, state.tiers, strict=True))
    return [chips * float(tier.bytes_held(there)) for tier, there in pairs]
