"""A draft model guesses tokens, the model verifies them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from dse.evaluation.holding import held_bytes, memory_headroom
from dse.evaluation.metrics import Mapping
from dse.evaluation.schedule import micro_batch, passes
from dse.evaluation.scheduler import Turn, scaled
from dse.evaluation.step import Pass, Times, total
from hw.heat import State
from hw.link import Link
from hw.system import System
from hw.units import count, fraction
from models.counts import ceil
from models.model import Model
from models.numerics import Formats
from models.serving import Serving

GUESS_BYTES = 8.0  # a token's index and its probability
NEAR_ONE = 1e-4  # where the closed form cancels and its series takes over


class Draft(eqx.Module):
    """A draft model: `tokens` guesses a round, each right with probability `acceptance` where those before are.

    format : of its numbers, that of the model where none is given; hw : a machine of its own, the model's where none
    is given; link : between the two machines.
    """

    model: Model
    tokens: Array = count(least=0)
    acceptance: Array = fraction()
    format: Formats | None = None
    hw: System | None = None
    link: Link | None = None

    def __check_init__(self) -> None:
        if self.hw is not None and self.link is None:
            raise ValueError("link is missing; a draft on a machine of its own needs one, such as draft=apart has")

    @property
    def gained(self) -> Any:
        """Tokens that a round gives on average: the guesses up to the first wrong one, and one of the model's own.

            1 + a + ... + a^g = (1 - a^(g+1)) / (1 - a),  g + 1 where a = 1

        Guesses are right or wrong independently of each other. Source: Leviathan et al., ICML 2023, equation 1.
        """
        rounds, wrong = self.tokens + 1, 1 - self.acceptance
        near = rounds * wrong < NEAR_ONE
        closed = (1 - jnp.where(near, 0.5, self.acceptance) ** rounds) / jnp.where(near, 0.5, wrong)
        second = rounds * (rounds - 1) / 2
        return jnp.where(near, rounds - second * wrong + second * (rounds - 2) / 3 * wrong**2, closed)


class Apart(NamedTuple):
    """A draft's own machine: its state, its mapping, and whether that is legal."""

    state: State
    mapping: Mapping
    legal: Any


class Pair(NamedTuple):
    """A draft and the machine it runs on, beside a model under a mapping."""

    draft: Draft
    system: System
    state: State
    formats: Formats
    apart: Apart | None

    def rounds(self, serving: Serving, mapping: Mapping, turns: Sequence[Turn], verified: Sequence[Pass]) -> list[Pass]:
        """The model's passes with the draft's before them: its guesses where sequences step, its own filling of
        prompts where prompts are filled, one after the other."""
        asked = [self._batches(serving, mapping, turn) for turn in turns]
        flat = [batch for batches in asked for batch, _, _ in batches]
        laid, stages = (mapping, 1.0) if self.apart is None else (self.apart.mapping, None)
        found = iter(passes(self.system, self.state, self.draft.model, self.formats, laid, flat, stages))
        both = []
        for one, batches in zip(verified, asked, strict=True):
            for _, times, sent in batches:
                one = self._before(one, next(found), times, sent, mapping)
            both.append(one)
        return both

    def _batches(self, serving: Serving, mapping: Mapping, turn: Turn) -> list[tuple[Any, Any, Any]]:
        """What the draft is asked in a turn: batches of an attention group, how often each, and how many sequences'
        guesses cross the link."""
        groups = 1.0 if self.apart is None else _groups(mapping) / _groups(self.apart.mapping)
        asked = []
        if turn.steps is not None:
            step = self.draft.model.step(_whole(turn.steps * groups, self.apart), serving.mean_context)
            asked.append((step, self.draft.tokens, turn.steps * _groups(mapping)))
        if turn.prompts is not None:
            prompts = _whole(turn.prompts * groups, self.apart)
            asked.append((self.draft.model.prompt(prompts, turn.tokens, turn.past), 1.0, 0.0))
        return asked

    def _before(self, verified: Pass, drafted: Pass, times: Any, sent: Any, mapping: Mapping) -> Pass:
        """The model's pass after `times` of the draft's; on the same machine every stage drafts for its own share of
        what is in flight, on a machine of its own drafting keeps pace beside the stages."""
        seconds, energies = scaled(drafted.times, times), drafted.energies
        if self.apart is None:
            paced = verified.pace + seconds.total / mapping.pipeline
            return Pass(*both(verified, seconds, scaled(energies, times)), paced, verified.layers)
        seconds, crossing = self._crossed(seconds, sent)
        energies = scaled(energies, times * self.apart.mapping.data / mapping.data)
        energies = energies._replace(exchange=energies.exchange + crossing / mapping.data)
        alone = jnp.where(mapping.pipeline > 1, jnp.maximum(verified.pace, seconds.total), 0.0)
        joined = both(verified, seconds, energies)
        return Pass(*joined, jnp.where(mapping.pipeline > 1, alone, joined[0].total), verified.layers)

    def _crossed(self, seconds: Times, sent: Any) -> tuple[Times, Any]:
        """Seconds with guesses sent to the model and its verdict sent back; joules of both."""
        assert self.draft.link is not None
        size = GUESS_BYTES * self.draft.tokens * sent
        there = jnp.where(size > 0, 2 * self.draft.link.send(size), 0.0)
        return seconds._replace(exchange=seconds.exchange + there), 2 * size * self.draft.link.energy

    def held(self, serving: Serving, mapping: Mapping) -> tuple[Any, Any, Any]:
        """Bytes of its weights, its cache and no activations on a chip of the model's machine: whole on every stage,
        for the sequences that the stage drafts for."""
        if self.apart is not None:
            return 0.0, 0.0, 0.0
        fewer = replace(mapping, batch=micro_batch(mapping) * mapping.attention_data)
        layers = self.draft.model.layers
        return held_bytes(self.draft.model, self.formats, fewer, layers, serving.last_context, 0.0)

    def memory(self, serving: Serving, sequences: Any) -> Any:
        """Bytes left in the fullest tier of its own machine, for so many sequences; endless where it has none."""
        if self.apart is None:
            return jnp.inf
        return apart_memory(self, serving, replace(self.apart.mapping, batch=sequences / self.apart.mapping.data))


def apart_memory(pair: Pair, serving: Serving, mapping: Mapping) -> Any:
    """Bytes left in the fullest tier of a draft's own machine under a mapping without a pipeline."""
    model = pair.draft.model
    held = held_bytes(model, pair.formats, mapping, model.layers, serving.last_context, serving.fresh)
    return memory_headroom(pair.system, pair.state, mapping, held)


def both(verified: Pass, seconds: Times, energies: Any) -> tuple[Times, Any]:
    """Times and energies of the one after the other."""
    return total(verified.times, seconds), total(verified.energies, energies)


def _groups(mapping: Mapping) -> Any:
    """Attention groups of all replicas."""
    return mapping.data * mapping.attention_data


def _whole(sequences: Any, apart: Apart | None) -> Any:
    """Sequences of a group of the draft's own machine, whole ones."""
    return sequences if apart is None else jnp.maximum(1.0, ceil(sequences))


def pair_of(draft: Draft, system: System, state: State, formats: Formats, apart: Apart | None) -> Pair:
    """The draft beside a model that runs on `system`."""
    own = formats if draft.format is None else draft.format
    if draft.hw is None or apart is None:
        return Pair(draft, system, state, own, None)
    return Pair(draft, draft.hw, apart.state, own, apart)
