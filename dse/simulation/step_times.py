"""Seconds of passes of any make-up under one mapping, as tables that a simulation can ask quickly."""

from __future__ import annotations

import dataclasses
import functools
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from dse.evaluation.evaluate import Candidate
from dse.evaluation.holding import cache_bytes, weight_bytes
from dse.evaluation.mapping import Wanted
from dse.evaluation.metrics import Mapping
from dse.evaluation.schedule import in_flight, micro_batch, passes
from dse.evaluation.step import in_loops
from dse.run.precision import arrays
from models.batch import Batch

if TYPE_CHECKING:
    from dse.evaluation.rules import Rules
    from dse.problem.template import Template
    from dse.traffic.traces import Trace

FINE = (1, 1.5)  # steps between powers of two
FEW = (1,)
STEP = 64  # tokens: engines that tile a prompt take as long for a tile that is not full
MOST_PROMPTS = 4096  # different lengths of prompts that are asked for one by one


class Table:
    """Values on a grid of axes, linear in each between them, and beyond the last as between the last two."""

    def __init__(self, axes: Sequence[Sequence[float]], values: np.ndarray) -> None:
        self.axes = [list(map(float, axis)) for axis in axes]
        self.values: Any = values.tolist()

    def __call__(self, *point: float) -> float:
        places = [_place(axis, value) for axis, value in zip(self.axes, point, strict=True)]
        return _between(self.values, places)


def _place(axis: list[float], value: float) -> tuple[int, float]:
    """The index of the axis below a value, and how far it is to the next."""
    if len(axis) == 1:
        return 0, 0.0
    index = min(max(bisect_right(axis, value) - 1, 0), len(axis) - 2)
    return index, (value - axis[index]) / (axis[index + 1] - axis[index])


def _between(values: Any, places: Sequence[tuple[int, float]]) -> float:
    """The value at these places, along one axis after the other."""
    if not places:
        return values
    (index, share), rest = places[0], places[1:]
    low = _between(values[index], rest)
    return low if share == 0 else low + share * (_between(values[index + 1], rest) - low)


def spaced(least: int, most: int, steps: Sequence[float]) -> list[int]:
    """Whole numbers from the least to the most, so many steps between powers of two."""
    powers = [round(2.0**power * step) for power in range(int(most).bit_length() + 1) for step in steps]
    return sorted({least, *(n for n in powers if least < n < most), most})


@functools.partial(jax.jit, static_argnames=("decoding", "filling"))
def seconds(candidate: Candidate, mapping: Mapping, points: Any, decoding: bool, filling: bool) -> Any:
    """Seconds of a round [points] of `decodes` sequences at `context` tokens and, in one of its passes, of `fresh`
    tokens after `past`; points is [points, 4]. And seconds after which the next round may begin."""

    def one(point: Any) -> Any:
        decodes, context, fresh, past = point
        laid = dataclasses.replace(mapping, batch=decodes if decoding else jnp.asarray(1.0))
        model, segments = candidate.model, []
        if decoding:
            segments.append(model.step(micro_batch(laid), context))
        alone = list(segments)
        if filling:
            fill = (
                fresh / laid.attention_data if decoding else fresh
            )  # chunks of unlike prompts are spread over the groups
            segments.append(model.prompt(1.0, fill, past))
        batches = [_joined(segments)] + ([_joined(alone)] if decoding and filling else [])
        state = candidate.hw.chip.settle(candidate.format)
        done = passes(candidate.hw, state, model, candidate.format, laid, batches)
        rounds = in_flight(laid) if decoding else 1.0
        paced = done[0].pace + (rounds - 1) * done[-1].pace
        ready = paced if decoding else paced / laid.attention_data  # other groups fill other prompts meanwhile
        return jnp.maximum(done[0].times.total, jnp.where(laid.pipeline > 1, paced, 0.0)), ready

    with in_loops():
        return jax.vmap(one)(points)


def _joined(batches: Sequence[Batch]) -> Batch:
    """Both in one pass."""
    return Batch(tuple(s for batch in batches for s in batch.segments), sum(batch.sampled for batch in batches))


@dataclasses.dataclass(frozen=True)
class Replica:
    """The passes of one copy of the model: `dse.evaluation.rules.StepTimes` says what each answer is."""

    replicas: int
    slots: int
    cache_capacity: float
    pipelined: bool
    steps: dict[tuple[bool, bool], Table]
    intervals: dict[tuple[bool, bool], Table]
    cache: Table

    def cache_bytes(self, context: float) -> float:
        return self.cache(context)

    def step(self, decodes: int, context: float, fresh: int, past: float) -> float:
        return self._asked(self.steps, decodes, context, fresh, past)

    def interval(self, decodes: int, context: float, fresh: int, past: float) -> float:
        return self._asked(self.intervals, decodes, context, fresh, past)

    def _asked(self, tables: Any, decodes: int, context: float, fresh: int, past: float) -> float:
        point = ((decodes, context) if decodes else ()) + ((fresh, past) if fresh else ())
        return tables[bool(decodes), bool(fresh)](*point) if point else 0.0


def stairs(most: int) -> list[int]:
    """Both ends of every tile of tokens, up to the most."""
    ends = {n for full in range(0, most, STEP) for n in (full + 1, full + STEP)}
    return sorted({n for n in ends if n < most} | {most})


def replica(
    candidate: Candidate, mapping: Mapping, slots: int, longest: int, chunk: int, prompts: Sequence[int] = ()
) -> Replica:
    """The tables of one replica: up to `slots` sequences of up to `longest` tokens, prompts beside those who decode in
    chunks of up to `chunk` tokens (0: never beside them). Whole prompts of some lengths are exact."""
    decodes, contexts = spaced(1, slots, FINE), spaced(1, longest, FEW)
    past = [0, *spaced(256, max(longest, 512), FEW)]
    chunks = stairs(max(1, min(chunk, longest)))
    exact = [*prompts] if len(prompts) <= MOST_PROMPTS else []
    fresh = chunks if chunk else sorted({*spaced(1, longest, FINE), *exact})
    axes: dict[tuple[bool, bool], list[list[int]]] = {
        (True, False): [decodes, contexts],
        (False, True): [fresh, past],
    }
    if chunk:
        axes[True, True] = [decodes, contexts[::2] + contexts[-1:], spaced(1, chunks[-1], FEW), past[::2] + past[-1:]]
    one = arrays(candidate)
    laid = arrays(mapping)
    steps, intervals = {}, {}
    for kind, found in axes.items():
        kept = [sorted(set(axis)) for axis in found]
        columns = np.stack([axis.ravel() for axis in np.meshgrid(*kept, indexing="ij")], axis=1).astype(float)
        points = np.ones((len(columns), 4))
        points[:, [i for i in range(4) if kind[i // 2]]] = columns
        answers = jax.device_get(seconds(one, laid, points, *kind))
        shape = tuple(len(axis) for axis in kept)
        steps[kind], intervals[kind] = (Table(kept, np.asarray(answer).reshape(shape)) for answer in answers)
    size = Table([contexts], np.array([float(_whole_cache(candidate, float(n))) for n in contexts]))
    capacity = _capacity(candidate, mapping, max(slots, chunk), float(longest))
    apart = float(mapping.pipeline) * float(mapping.attention_data) > 1
    return Replica(int(mapping.data), slots, capacity, apart, steps, intervals, size)


def _whole_cache(candidate: Candidate, context: float) -> Any:
    """Bytes of one sequence, on all chips together, nothing counted twice."""
    return candidate.model.cache_elements(context) * candidate.format.cache.bytes


def _capacity(candidate: Candidate, mapping: Mapping, tokens: int, longest: float) -> float:
    """Bytes of cache of one replica when its fullest chip is full, with the longest sequences in every attention
    group."""
    chip, formats, model = candidate.hw.chip, candidate.format, candidate.model
    layers, tier = jnp.ceil(model.layers / mapping.pipeline), int(mapping.cache)
    left = float(chip.tiers[tier].bytes_held(chip.settle(formats).tiers[tier]))
    if int(mapping.weights) == tier:
        left -= float(weight_bytes(model, formats, mapping, layers))
    if tier == 0:
        left -= 2 * tokens * float(model.hidden) * float(formats.activations.bytes)
    share = float(cache_bytes(model, formats, mapping, layers, longest)) / float(_whole_cache(candidate, longest))
    return max(left, 0.0) / share * float(mapping.attention_data)


def step_times(found: Template, wanted: Wanted, rules: Rules, trace: Trace) -> tuple[Replica, dict[str, Any]]:
    """The passes of one replica under the best mapping, or a given one, for the requests of a trace; and that mapping
    by name, with that of a pool that fills prompts."""
    from dse.machine.single import answer

    if float(found.candidate.model.cache_elements(1.0)) == 0:
        raise ValueError(
            "model: it keeps nothing between its steps, so it has no requests of prompts and answers to serve; write "
            "task=evaluate for it"
        )
    if found.candidate.draft is not None:
        raise ValueError("draft: a trace is served without guesses; write draft=none, or task=evaluate for the draft")
    chosen = answer(found, wanted)
    beside = {"prefill": chosen["prefill_mapping"]} if "prefill_mapping" in chosen else {}
    laid = laid_out(chosen["mapping"], found.tiers)
    return replica(found.candidate, laid, int(rules.slots), *lengths(trace, rules)), chosen["mapping"] | beside


def filling_times(found: Template, chosen: dict[str, Any], rules: Rules, trace: Trace) -> Replica | None:
    """The passes of one replica of the pool that fills prompts; none where the machine fills its own."""
    from dse.evaluation.grids import seen_from

    pool, seen = found.candidate.prefill, seen_from(found.candidate, "prefill")
    if pool is None or seen is None:
        return None
    seen = dataclasses.replace(seen, format=seen.format if pool.format is None else pool.format)
    laid = laid_out(chosen["prefill"], found.tiers_beside["prefill"])
    one = replica(seen, laid, 1, *lengths(trace, rules))
    return dataclasses.replace(one, replicas=one.replicas * int(pool.machines), slots=int(rules.slots))


def laid_out(chosen: dict[str, Any], tiers: Sequence[str]) -> Mapping:
    """A mapping in numbers."""
    places = {name: tiers.index(chosen[name]) for name in ("weights", "cache")}
    degrees = {field.name: chosen[field.name] for field in dataclasses.fields(Mapping)}
    return Mapping(**{name: float(value) for name, value in (degrees | places).items()})


def lengths(trace: Trace, rules: Rules) -> tuple[int, int, list[int]]:
    """Tokens of the longest request, of a chunk, and of each prompt."""
    return int((trace.prompt + trace.output).max()), int(rules.chunk), np.unique(trace.prompt).tolist()


def steady_state(found: Template, wanted: Wanted, chosen: dict[str, Any], trace: Trace, users: float) -> dict[str, Any]:
    """What the steady state says of requests of the trace's mean lengths, so many at once, under the chosen mapping."""
    from dse.evaluation.batches import best_of_one
    from dse.evaluation.grids import grids, own_fanouts
    from dse.evaluation.mapping import Grid

    candidate = found.candidate
    choices = grids([candidate], own_fanouts(candidate), wanted)
    degrees = dict(zip(Grid._fields, jax.tree.leaves(choices.own), strict=True))
    laid = laid_out(chosen, found.tiers)
    fixed = Grid(**{name: jnp.full_like(column, getattr(laid, name)) for name, column in degrees.items()})
    means = {"users": max(users, 1.0), "prompt": float(trace.prompt.mean()), "output": float(trace.output.mean())}
    asked = dataclasses.replace(candidate, serving=dataclasses.replace(candidate.serving, **means))
    one = arrays(asked)
    metrics = jax.device_get(best_of_one(one, choices._replace(own=fixed), wanted)).metrics
    names = ("time_to_first_token", "time_per_output_token", "tokens_per_second")
    return {"users": means["users"]} | {name: float(getattr(metrics, name)) for name in names}
