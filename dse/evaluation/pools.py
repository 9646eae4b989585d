"""A pool of machines that fill prompts for the machine that decodes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from dse.evaluation.holding import held_bytes, memory_headroom
from dse.evaluation.metrics import Mapping
from dse.evaluation.schedule import passes
from dse.evaluation.scheduler import scaled
from dse.evaluation.step import Energies
from dse.evaluation.whole import largest
from hw.heat import State
from hw.link import Link
from hw.system import System
from hw.units import count
from models.model import Model
from models.numerics import Formats
from models.serving import Serving

LEAST_TIME = 1e-15  # s; a link without end crosses in no time


class Prefill(eqx.Module):
    """`machines` equal machines that fill prompts, and the link over which each sends the cache.

    format : of numbers while prompts are filled, that of the decoding machine where none is given; the cache crosses
    in the format in which the decoding machine holds it.
    """

    hw: System
    link: Link
    machines: Array = count(default=1.0)
    format: Formats | None = None


class Filled(NamedTuple):
    """What the pool gives under one mapping.

    state : of its chips; fill, transfer : seconds of one prompt, and of its cache over the link; filling, crossing :
    prompts per second that the chips and the links of all machines can take; energies : joules of one prompt, all
    machines' idle power apart; memory : bytes left in the fullest tier; legal : whether the mapping is.
    """

    state: State
    mapping: Mapping
    fill: Any
    transfer: Any
    filling: Any
    crossing: Any
    energies: Energies
    memory: Any
    legal: Any

    @property
    def first(self) -> Any:
        """Seconds until the first token where nothing waits."""
        return self.fill + self.transfer

    @property
    def rate(self) -> Any:
        """Prompts per second, the slower of chips and links."""
        return jnp.minimum(self.filling, self.crossing)


def cache_sent(model: Model, formats: Formats, serving: Serving) -> Any:
    """Bytes of the cache of a prompt that the decoding machine lacks."""
    return model.cache_elements(serving.fresh) * formats.cache.bytes


def fill(
    pool: Prefill, state: State, model: Model, formats: Formats, serving: Serving, mapping: Mapping, legal: Any
) -> Filled:
    """Prompts one at a time in every attention group and pipeline stage; then their cache over the link.

        prompts per second = machines x min(replicas x groups / seconds of the fullest stage, link rate / cache bytes)

    Left out: several short prompts in one pass; layers whose cache crosses while the next are filled; what the
    decoding machine needs to spread the cache over its chips.
    """
    own = formats if pool.format is None else pool.format
    mapping = replace(mapping, batch=mapping.pipeline * mapping.attention_data)
    mapping = replace(mapping, users=mapping.batch * mapping.data)
    prompt = model.prompt(1.0, serving.fresh, serving.cached)
    done = passes(pool.hw, state, model, own, mapping, [prompt])[0]
    size = cache_sent(model, formats, serving)
    transfer = pool.link.send(size)
    energies = scaled(done.energies, 1 / mapping.attention_data)
    held = held_bytes(model, own, mapping, done.layers, serving.prompt, serving.fresh)
    return Filled(
        state=state,
        mapping=mapping,
        fill=done.times.total,
        transfer=transfer,
        filling=pool.machines * mapping.data * mapping.attention_data / done.pace,
        crossing=pool.machines / jnp.maximum(transfer - pool.link.latency, LEAST_TIME),
        energies=energies._replace(exchange=energies.exchange + size * pool.link.energy),
        memory=memory_headroom(pool.hw, state, mapping, held),
        legal=legal,
    )


class Flow(NamedTuple):
    """A closed load over both pools: requests per second, sequences that decode, seconds until the first token."""

    requests: Any
    decoding: Any
    first: Any


def flow(filled: Filled, users: Any, answer: Any) -> Flow:
    """What flows where `users` are in both pools and an answer decodes in `answer` seconds.

        requests = min(prompts per second of the pool, users / (fill + transfer + answer))

    By Little's law the rest of the users wait for their first token, longer than it takes where the pool is full.
    """
    requests = jnp.minimum(filled.rate, users / (filled.first + answer))
    return Flow(requests, requests * answer, users / requests - answer)


def decoding_batch(filled: Filled, mapping: Mapping, answer: Callable[[Any], Any]) -> Any:
    """Sequences of each decoding replica: a whole number that holds those which decode while one less does not,
    `answer` being the seconds that an answer takes in a batch; the least of all such, and the only one, where a larger
    batch takes no longer for each sequence."""

    def overflows(batch: Any) -> tuple[Any, Any]:
        decoding = flow(filled, mapping.users, answer(batch)).decoding
        return batch * mapping.data < decoding, ()

    return 1.0 + largest(overflows, jnp.ceil(mapping.users / mapping.data) - 1, ())[0]
