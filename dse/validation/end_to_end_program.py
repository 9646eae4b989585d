"""Seconds, joules and bytes of many runs at once: one compiled program for all that share a structure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import dse.run.precision  # noqa: F401
from dse.evaluation.evaluate import laid_out
from dse.evaluation.holding import cache_bytes, held_bytes, memory_headroom
from dse.evaluation.metrics import Mapping
from dse.evaluation.schedule import micro_batch, passes
from dse.evaluation.scheduler import Chunked, Scheduler, Service, Static, Turn, WholePrompts, scaled
from dse.evaluation.step import Pass, in_loops
from hw.heat import State
from hw.system import Runtime, System
from models.model import Model
from models.numerics import Formats
from models.serving import Serving

ROWS = 64  # of one call: a program has one shape, and the last call is filled up
STATIC, WHOLE, CHUNKED = range(3)


class Question(eqx.Module):
    """One run on one replica of a machine: everything that a prediction depends on.

    order : STATIC, WHOLE or CHUNKED; chunk : most prompt tokens of a pass; fills : 1 where the engine takes as many
    sequences as memory holds, up to `batch` of the mapping; kept : share of the free memory that it gives its cache;
    accelerators : all that the run has, of all replicas.
    """

    hw: System
    model: Model
    format: Formats
    runtime: Runtime
    serving: Serving
    mapping: Mapping
    order: Any
    chunk: Any
    fills: Any
    kept: Any
    accelerators: Any


class Found(eqx.Module):
    """What a run comes to.

    token : seconds between a sequence's tokens; first : seconds until its first one; whole : seconds of a request, or
    of a whole static batch; rate : output tokens per second of all replicas; batch : sequences of a replica;
    chip_power : mean watts of an accelerator; power : of all with their share of the host; energy : joules of an
    output token, hosts included; missing : bytes that a chip lacks; holds : bytes that it has; legal : by rule.
    """

    token: Any
    first: Any
    whole: Any
    rate: Any
    batch: Any
    chip_power: Any
    power: Any
    energy: Any
    missing: Any
    holds: Any
    legal: Any


def answer(asked: Question) -> Found:
    """The prediction of one run."""
    system, model, formats = replace(asked.hw, runtime=asked.runtime), asked.model, asked.format
    state = system.chip.settle(formats)
    mapping = filled_up(asked, state)
    chunked, group = Chunked(chunk=asked.chunk), together(asked, mapping)
    turns = (
        Turn(micro_batch(mapping)),
        Turn(None, group, asked.serving.fresh, asked.serving.cached),
        chunked.turns(asked.serving, mapping)[1],
    )
    batches = [turn.batch(model, asked.serving.mean_context) for turn in turns]
    decode, prefill, mixed = passes(system, state, model, formats, mapping, batches)
    seconds: tuple[tuple[Scheduler, Pass], ...] = (
        (Static(), prefill),
        (WholePrompts(), shared(prefill, group)),
        (chunked, mixed),
    )
    services = [order.service(asked.serving, mapping, (decode, second)) for order, second in seconds]
    widest = chosen(asked.order, [order.widest(asked.serving, mapping) for order, _ in seconds])
    tokens = jnp.minimum(widest, jnp.maximum(asked.chunk, micro_batch(mapping)))
    held = held_bytes(model, formats, mapping, decode.layers, asked.serving.last_context, tokens)
    left = memory_headroom(system, state, mapping, held)
    service = chosen(asked.order, services)
    first, token = latencies(asked, mapping, services, prefill.times.total, group)
    return told(asked, system, state, mapping, service, first, token, left, sum(held))


def together(asked: Question, mapping: Mapping) -> Any:
    """Prompts of a pass that fills nothing but prompts: all of a static batch, else as many as a pass has room for."""
    room = jnp.clip(jnp.floor(asked.chunk / asked.serving.fresh), 1.0, jnp.maximum(mapping.batch, 1.0))
    return jnp.where(asked.order == STATIC, micro_batch(mapping), room)


def shared(done: Pass, prompts: Any) -> Pass:
    """One prompt's part of a pass of several."""
    return Pass(scaled(done.times, 1 / prompts), scaled(done.energies, 1 / prompts), done.pace / prompts, done.layers)


def latencies(asked: Question, mapping: Mapping, services: Sequence[Service], fill: Any, group: Any) -> tuple[Any, Any]:
    """Seconds until a sequence's first token, and between its others.

    The load is closed and its lengths are equal, so that who was filled together ends, and comes again, together: B
    sequences are n = B / k groups, and a pass fills k prompts in t.
    Where prompts go before decoding, all groups are filled, then all decode. A sequence waits for half of the groups
    before it is filled, and for the other half after:

        first = t (n + 1) / 2;   token = t_decode + t (n - 1) / 2 / (output - 1)

    Where passes mix, a group ends, and comes again, a pass after the one before it, whose pass it finds under way:
    first = t (2 - 1 / n). Steps of batches that the engine fills up are those of the steady state.
    """
    static, whole, chunked = services
    groups = jnp.ceil(mapping.batch / group)
    steps = jnp.maximum(asked.serving.output - 1, 1.0)
    waves = static.token.total + fill * (groups - 1) / 2 / steps
    alone = jnp.maximum(chunked.first, fill)
    options = (
        (static.first, static.token.total),
        (fill * (groups + 1) / 2, jnp.where(asked.fills > 0, whole.token.total, waves)),
        (alone * (2 - 1 / groups), chunked.token.total),
    )
    return chosen(asked.order, options)


def filled_up(asked: Question, state: State) -> Mapping:
    """The mapping, with as many sequences as memory holds where the engine chooses them."""
    mapping, layers = asked.mapping, jnp.ceil(asked.model.layers / asked.mapping.pipeline)
    context = asked.serving.last_context
    held = held_bytes(asked.model, asked.format, replace(mapping, batch=0.0), layers, context, asked.chunk)
    free = memory_headroom(asked.hw, state, mapping, held) * asked.kept
    each = jnp.maximum(cache_bytes(asked.model, asked.format, mapping, layers, context), 1.0)
    most = jnp.clip(jnp.floor(free / each) * mapping.attention_data, 1.0, mapping.batch)
    batch = jnp.where(asked.fills > 0, most, mapping.batch)
    return replace(mapping, batch=batch, users=batch * mapping.data)


def told(
    asked: Question,
    system: System,
    state: State,
    mapping: Mapping,
    service: Service,
    first: Any,
    token: Any,
    left: Any,
    held: Any,
) -> Found:
    """The answers of a service."""
    output = asked.serving.output
    whole = first + (output - 1) * token
    waves = (asked.order < CHUNKED) & (asked.fills == 0)
    rate = mapping.data * jnp.where(waves, mapping.batch * output / whole, service.decoding / token)
    joules, dies = service.energies.total, system.dies_per_package()
    hosts = system.idle_power(state.idle) * asked.accelerators * dies / system.chips()
    return Found(
        token=token,
        first=first,
        whole=whole,
        rate=rate,
        batch=mapping.batch,
        chip_power=joules * rate / asked.accelerators + dies * state.idle,
        power=joules * rate + hosts,
        energy=joules + hosts / rate,
        missing=jnp.maximum(0.0, -left),
        holds=held + left,
        legal=jnp.stack(
            [jnp.asarray(kept) for kept in laid_out(system, asked.model, replace(mapping, data=1.0)).values()]
        ),
    )


def chosen(order: Any, options: Sequence[Any]) -> Any:
    """The answer of the order that is asked for."""
    return jax.tree.map(lambda s, w, c: jnp.where(order == STATIC, s, jnp.where(order == WHOLE, w, c)), *options)


def replace(component: Any, **fields: Any) -> Any:
    """The component with other fields; its own rules are not checked again, as numbers may be traced."""
    return dataclasses.replace(component, **fields)


@jax.jit
def answers(asked: Question) -> Found:
    """Predictions of stacked questions [rows]."""
    with in_loops():
        return jax.vmap(answer)(asked)


class Timed(eqx.Module):
    """Those answers of `Found` that software's constants change."""

    token: Any
    first: Any
    whole: Any
    rate: Any


@jax.jit
def slopes(asked: Question) -> tuple[Timed, Timed]:
    """Times and rates of stacked questions [rows], and their derivatives by the numbers of the runtime profile: each a
    `Runtime` of [rows]."""

    def of(runtime: Runtime, asked: Question) -> Timed:
        found = answer(replace(asked, runtime=runtime))
        return Timed(found.token, found.first, found.whole, found.rate)

    with in_loops():
        return jax.vmap(lambda one: (of(one.runtime, one), jax.jacfwd(of)(one.runtime, one)))(asked)


def kinds(asked: Sequence[Question]) -> list[np.ndarray]:
    """Which questions share a structure, as indices."""
    found: dict[Any, list[int]] = {}
    for index, one in enumerate(asked):
        found.setdefault(jax.tree.structure(one), []).append(index)
    return [np.array(indices) for indices in found.values()]


def stacked(asked: Sequence[Question]) -> list[Question]:
    """Questions of one structure in stacks of `ROWS`, the last filled up with its last question."""
    filled = [*asked, *[asked[-1]] * (-len(asked) % ROWS)]
    shape = jax.tree.structure(asked[0])
    table = np.array([jax.tree.leaves(one) for one in filled], float)
    return [
        jax.tree.unflatten(shape, list(table[start : start + ROWS].T.copy())) for start in range(0, len(table), ROWS)
    ]


def predict(asked: Sequence[Question]) -> list[Found]:
    """The predictions of questions of one structure, one by one, as numbers."""
    done = [jax.device_get(answers(stack)) for stack in stacked(asked)]
    return [jax.tree.map(lambda column, row=row: column[row], stack) for stack in done for row in range(ROWS)][
        : len(asked)
    ]
