"""The steady state of a candidate under one mapping: what its users get, of one pool or of two, drafted or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp

from dse.evaluation.holding import held_bytes, memory_headroom
from dse.evaluation.metrics import Mapping
from dse.evaluation.pools import Filled, decoding_batch, flow
from dse.evaluation.schedule import Parts, passes, path
from dse.evaluation.scheduler import Decoding, Scheduler, scaled
from dse.evaluation.speculation import Apart, Pair, pair_of
from dse.evaluation.step import Energies, Times, total
from dse.evaluation.whole import constant
from hw.heat import State
from models.serving import Serving

if TYPE_CHECKING:
    from dse.evaluation.evaluate import Candidate
    from hw.carbon import CarbonGroups
    from hw.cost import CostGroups


class Ready(NamedTuple):
    """What is settled once for a candidate, however its machine is mapped: the state of its chips, what the pool that
    fills its prompts gives, the draft's own machine. Where many candidates share parts: those of each pass under one
    mapping, and what each machine costs and emits to make, found before."""

    state: State
    filled: Filled | None = None
    apart: Apart | None = None
    parts: tuple[Parts, ...] | None = None
    costs: Sequence[tuple[CostGroups, CarbonGroups]] | None = None


class Steady(NamedTuple):
    """What a closed load comes to.

    mapping : with the sequences that decode in a replica; token : seconds between a user's tokens, by cause; first :
    seconds until the first; rate : tokens per second of all users; energies : joules of a token, idle power apart;
    layers : on the fullest stage; memory : bytes left in the fullest tier of any machine; latency : share of the
    tighter target that is left.
    """

    mapping: Mapping
    token: Times
    first: Any
    rate: Any
    energies: Energies
    layers: Any
    memory: Any
    latency: Any


def steady(candidate: Candidate, mapping: Mapping, ready: Ready) -> Steady:
    """The steady state: of both pools where prompts come from another."""
    if ready.filled is None:
        return decoded(candidate, mapping, ready)
    filled, serving = ready.filled, candidate.serving
    fixed = constant((candidate, mapping, ready))

    def answer(batch: Any) -> Any:
        still, laid, given = fixed
        return decoded(still, replace(laid, batch=batch), given).token.total * still.serving.output

    batch = decoding_batch(fixed[2].filled, fixed[1], answer)
    found = decoded(candidate, replace(mapping, batch=batch), ready)
    flowing = flow(filled, mapping.users, found.token.total * serving.output)
    return found._replace(
        first=flowing.first,
        rate=flowing.requests * serving.output,
        energies=total(found.energies, filled.energies, 1 / serving.output),
        memory=jnp.minimum(found.memory, filled.memory),
        latency=latency_left(serving, flowing.first, found.token),
    )


def decoded(candidate: Candidate, mapping: Mapping, ready: Ready) -> Steady:
    """The steady state of the decoding machine alone, `mapping.batch` sequences in each replica."""
    model, serving, formats = candidate.model, candidate.serving, candidate.format
    scheduler, pair = scheduling(candidate), pair_of_candidate(candidate, ready)
    tokens, gained = (1.0, 1.0) if pair is None else (pair.draft.tokens + 1, pair.draft.gained)
    rounds = replace(serving, output=serving.output / gained)
    turns = scheduler.turns(rounds, mapping)
    batches = [turn.batch(model, serving.mean_context, tokens) for turn in turns]
    if ready.parts is None:
        done = passes(candidate.hw, ready.state, model, formats, mapping, batches)
    else:
        done = [path(candidate.hw, model, mapping, parts) for parts in ready.parts]
    if pair is not None:
        done = pair.rounds(serving, mapping, turns, done)
    service = scheduler.service(rounds, mapping, done)
    token = scaled(service.token, 1 / gained)
    widest = jnp.maximum(scheduler.widest(rounds, mapping, tokens), batches[0].tokens)
    held = held_bytes(model, formats, mapping, done[0].layers, serving.last_context, widest)
    memory = jnp.inf
    if pair is not None:
        held = tuple(mine + beside for mine, beside in zip(held, pair.held(serving, mapping), strict=True))
        memory = pair.memory(serving, mapping.batch * mapping.data)
    return Steady(
        mapping=mapping,
        token=token,
        first=service.first,
        rate=mapping.users * service.decoding / mapping.batch / token.total,
        energies=scaled(service.energies, 1 / gained),
        layers=done[0].layers,
        memory=jnp.minimum(memory, memory_headroom(candidate.hw, ready.state, mapping, held)),
        latency=latency_left(serving, service.first, token),
    )


def scheduling(candidate: Candidate) -> Scheduler:
    """How the machine shares its time: decode steps alone where another pool fills the prompts."""
    return candidate.scheduler if candidate.prefill is None else Decoding()


def pair_of_candidate(candidate: Candidate, ready: Ready) -> Pair | None:
    """The candidate's draft, where it has one."""
    if candidate.draft is None:
        return None
    return pair_of(candidate.draft, candidate.hw, ready.state, candidate.format, ready.apart)


def latency_left(serving: Serving, first: Any, token: Times) -> Any:
    """Share of the tighter latency target that is left."""
    used = jnp.maximum(first / serving.time_to_first_token_target, token.total / serving.time_per_output_token_target)
    return 1 - used
