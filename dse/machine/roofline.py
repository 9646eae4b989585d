"""The operators of a pass against the roofs of their chip: operations for each byte read, and how fast they are done.

reached = operations / seconds  <=  roof = min(peak rate, sustained bandwidth x operations / bytes)
"""

from __future__ import annotations

import functools
import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dse.evaluation.batches import QUICK
from dse.evaluation.evaluate import Candidate
from dse.evaluation.fixed import Mappings
from dse.evaluation.metrics import Mapping
from dse.evaluation.schedule import Parts, cut_of, hopped, path, works
from dse.evaluation.scheduler import Turn
from dse.evaluation.steady import scheduling
from dse.evaluation.step import each, in_loops, moved, summed
from hw.chip import Chip, Placement, Ran
from hw.engine import Bounds
from hw.heat import State
from hw.system import System
from models.batch import Batch
from models.block import Block
from models.model import Model
from models.numerics import Formats
from models.operators import CacheProduct, ExpertProduct, Operator, Work
from models.parallelism import Cut

DECODE, PROMPT, MIXED, POOL = "decode step", "prompt", "decode step with a part of a prompt", "prompt, in its pool"


class Dot(NamedTuple):
    """An operator of all layers alike, on one device: operations, bytes to and from the tier of what it holds still,
    seconds, joules; the index of that tier, the peak rate of its number formats, and what bounds it."""

    operations: Any
    moved: Any
    seconds: Any
    joules: Any
    tier: Any
    peak: Any
    bounds: Bounds


class Seen(NamedTuple):
    """A pass: its operators by name, seconds and joules of the whole of it, seconds of exchanges; bytes per second of
    the tiers as a stream of reads reaches them, and at their peak."""

    dots: OrderedDict[str, Dot]
    seconds: Any
    joules: Any
    exchange: Any
    sustained: tuple[Any, ...]
    peak: tuple[Any, ...]


@functools.partial(jax.jit, compiler_options=QUICK)
def seen_of(candidates: Candidate, mappings: Mappings) -> OrderedDict[str, Seen]:
    """The passes of candidates, each under its mappings, everything [candidates]."""
    with in_loops():
        return jax.lax.map(lambda both: seen(*both), (candidates, mappings))


def seen(candidate: Candidate, mappings: Mappings) -> OrderedDict[str, Seen]:
    """The passes that a candidate needs: decode steps, and prompts where it fills any."""
    formats, serving, model = candidate.format, candidate.serving, candidate.model
    state, found = candidate.hw.chip.settle(formats), OrderedDict()
    for name, batch in batches(candidate, mappings["mapping"]):
        found[name] = looked(candidate.hw, state, model, formats, mappings["mapping"], batch)
    pool = candidate.prefill
    if pool is not None:
        own = formats if pool.format is None else pool.format
        prompt = model.prompt(1.0, serving.fresh, serving.cached)
        there = mappings["prefill_mapping"]
        found[POOL] = looked(pool.hw, pool.hw.chip.settle(own), model, own, there, prompt)
    return found


def batches(candidate: Candidate, mapping: Mapping) -> list[tuple[str, Batch]]:
    """The passes of the machine that decodes, in the middle of answers; with a draft, those that verify its guesses."""
    serving, draft, model = candidate.serving, candidate.draft, candidate.model
    tokens = 1.0 if draft is None else draft.tokens + 1
    turns = scheduling(candidate).turns(serving, mapping)
    return [(called(turn), turn.batch(model, serving.mean_context, tokens)) for turn in turns]


def called(turn: Turn) -> str:
    """What a pass of such a turn is."""
    if turn.prompts is None:
        return DECODE
    return PROMPT if turn.steps is None else MIXED


def looked(system: System, state: State, model: Model, formats: Formats, mapping: Mapping, batch: Batch) -> Seen:
    """One pass of a batch of an attention group."""
    cut, chip = cut_of(mapping), system.chip
    place, listed = Placement(mapping.weights, mapping.cache), works(model, batch, cut)
    named = parts(model, batch, cut, listed)
    operators = [operator for work in listed for operator in work.operators]
    found = each(operators, lambda one: (chip.run(one, formats, place, state), reads(chip, one, formats, place, state)))
    worked = tuple(summed(listed, [ran for ran, _ in found], cut.devices))
    moves = tuple(moved(system.network, listed, formats))
    hops = hopped(system, model, formats, mapping, batch)
    whole = path(system, model, mapping, Parts(worked, moves, hops))
    dots: OrderedDict[str, Dot] = OrderedDict()
    for (name, layers), operator, (ran, read) in zip(named, operators, found, strict=True):
        dots[name] = joined(dots.get(name), dot(operator, ran, read), layers, cut.devices)
    tiers = list(zip(chip.tiers, state.tiers, strict=True))
    return Seen(
        dots=dots,
        seconds=whole.times.total,
        joules=whole.energies.total,
        exchange=whole.times.exchange,
        sustained=tuple(tier.bandwidth_sustained(there) for tier, there in tiers),
        peak=tuple(tier.peak_bandwidth(there) for tier, there in tiers),
    )


def reads(chip: Chip, work: Operator, formats: Formats, place: Placement, state: State) -> tuple[Any, Any, Any]:
    """Bytes of an operator to and from the tier of what it holds still, that tier, and the peak rate in its formats."""
    held = work.held(formats)
    size = work.held_elements * held.bytes + chip.engine.timing(work, formats, state.logic).beside
    peak = chip.engine.peak_rate(held, formats.activations, state.logic)
    return size, jnp.asarray(work.held(place), float), peak


def dot(work: Operator, ran: Ran, read: tuple[Any, Any, Any]) -> Dot:
    """One operator of one layer on one device."""
    size, tier, peak = read
    return Dot(2 * work.macs, size, ran.total, sum(ran.joules), tier, peak, ran.bounds)


def joined(before: Dot | None, one: Dot, layers: Any, devices: Any) -> Dot:
    """One more operator of the same name, of so many layers."""
    own = one._replace(
        operations=layers * one.operations,
        moved=layers * one.moved,
        seconds=layers * one.seconds,
        joules=layers * devices * one.joules,
        bounds=Bounds(*(layers * bound for bound in one.bounds)),
    )
    if before is None:
        return own
    added = jax.tree.map(lambda a, b: a + b, before, own)
    return added._replace(tier=own.tier, peak=jnp.maximum(before.peak, own.peak))


def parts(model: Model, batch: Batch, cut: Cut, listed: Sequence[Work]) -> list[tuple[str, Any]]:
    """Of each operator of a pass what it is called, and in how many layers it is done."""
    found: list[tuple[str, Any]] = []
    for (name, block), work in zip(model.blocks.items(), listed, strict=False):
        before = f"{name.replace('_', ' ')}: " if len(model.blocks) > 1 else ""
        mixed = len(block.mixer.work(model.hidden, batch, cut).operators)
        found += [(before + one, block.layers) for one in named(block, work, mixed)]
    head = len(listed[-1].operators)
    return found + [("head" if i == head - 1 else "before the layers", 1.0) for i in range(head)]


def named(block: Block, work: Work, mixed: int) -> list[str]:
    """Names of a layer's operators, of which so many are the mixer's. Products with the cache bear the mixer's name:
    what one kernel does is one operator."""
    mixer, rest = work.operators[:mixed], work.operators[mixed:]
    kind = in_words(type(block.mixer).__name__)
    products = [one for one in mixer if not isinstance(one, CacheProduct)]
    ends = {0: "projections in", len(products) - 1: "projection out"}
    given = iter(ends.get(i, f"projection {i + 1}") for i in range(len(products)))
    names = [kind if isinstance(one, CacheProduct) else next(given) for one in mixer]
    routed = any(isinstance(one, ExpertProduct) for one in rest)
    return names + fed(rest, routed)


def fed(operators: Sequence[Operator], routed: bool) -> list[str]:
    """Names of a feed-forward's operators: those of experts, of what all tokens meet, and the router."""
    experts = iter(["experts, up", "experts, down"] * len(operators))
    shared = iter(["shared expert, up", "shared expert, down"] * len(operators))
    plain = iter(["feed-forward, up", "feed-forward, down", "text, up", "text, down"] * len(operators))
    names = []
    for i, one in enumerate(operators):
        if isinstance(one, ExpertProduct):
            names.append(next(experts))
        else:
            names.append("router" if routed and i == 0 else next(shared if routed else plain))
    return names


def in_words(name: str) -> str:
    """A class as it is read: `GroupedQueryAttention` is grouped query attention."""
    return re.sub(r"(?<!^)([A-Z])", r" \1", name).lower()
