"""Mappings: which degrees are tried, that every legal one tiles the machine, and that the best is the best."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import pytest

from dse.evaluation.batches import flat
from dse.evaluation.evaluate import evaluate, is_legal
from dse.evaluation.mapping import GOODPUT, Grid, Wanted, complete, degrees, grid, shape_of
from dse.evaluation.metrics import SECTIONS
from dse.evaluation.results import point
from dse.machine.single import answer
from dse.problem.template import Template, template

Box = tuple[int, ...]
FREE = Wanted("time_per_output_token")
MACHINES = {
    "card": ("hw=corsair_card",),
    "server": ("hw=corsair_server",),
    "odd": ("hw=corsair_server", "hw.levels.package.fanout=6", "hw.levels.card.fanout=1", "hw.levels.pair.fanout=3"),
    "node": ("hw=dgx_h100", "format=fp8"),
    "stack": ("hw=raptor_card",),
}


@functools.cache
def machine(name: str) -> Template:
    return template([*MACHINES[name], "model=llama3_8b", "serving=interactive"])


def fanouts_of(found: Template) -> list[int]:
    return [int(fanout) for fanout in found.candidate.hw.fanouts]


def choices_of(found: Template, wanted: Wanted = FREE) -> Grid:
    return grid([fanouts_of(found)], shape_of([found.candidate]), found.tiers, wanted)


def arrays(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype=float), tree)


def box(fanouts: Sequence[int], chips: int) -> Box | None:
    """How far the first `chips` chips reach in each level, where they fill a box that tiles the machine."""
    if chips > math.prod(fanouts):
        return None
    corner = [set() for _ in fanouts]
    for chip in range(chips):
        for used, fanout in zip(corner, fanouts, strict=True):
            used.add(chip % fanout)
            chip //= fanout
    reach = tuple(map(len, corner))
    tiles = all(fanout % length == 0 for fanout, length in zip(fanouts, reach, strict=True))
    return reach if tiles and math.prod(reach) == chips else None


def tiles(fanouts: Sequence[int], tensor: int, pipeline: int) -> bool:
    """True where chains of `pipeline` groups of `tensor` neighbours tile the machine, the groups tiling the chain."""
    inner, outer = box(fanouts, tensor), box(fanouts, tensor * pipeline)
    return inner is not None and outer is not None and all(b % a == 0 for a, b in zip(inner, outer, strict=True))


def cuts_heads(fanouts: Sequence[int], tensor: int, sequence: int, heads: int = 32, kept: int = 8) -> bool:
    """True where neighbours that tile the machine share a context, and query heads and key-value heads are cut evenly
    over the others, or key-value heads held equally often."""
    if tensor % sequence or box(fanouts, sequence) is None or heads % (tensor // sequence):
        return False
    over = tensor // sequence
    return kept % over == 0 or over % kept == 0


@pytest.mark.parametrize(
    ("fanouts", "expected"),
    [
        ([4, 2, 2, 4], {1, 2, 4, 8, 16, 32, 64}),
        ([6, 2], {1, 2, 3, 6, 12}),
        ([4, 1, 3], {1, 2, 4, 12}),
        ([1], {1}),
        ([72], {1, 2, 3, 4, 6, 8, 9, 12, 18, 24, 36, 72}),
    ],
)
def test_degrees_fill_levels_from_the_inside(fanouts: list[int], expected: set[int]) -> None:
    assert degrees(fanouts) == expected
    assert degrees(fanouts) == {n for n in range(1, math.prod(fanouts) + 1) if box(fanouts, n)}


@pytest.mark.parametrize("name", MACHINES)
def test_the_grid_has_every_mapping_that_tiles_and_the_legal_ones_are_those(name: str) -> None:
    """Against chips laid out one by one."""
    found = machine(name)
    fanouts, layers = fanouts_of(found), int(found.candidate.model.layers)
    chips = math.prod(fanouts)
    expected = {
        (t, s, p)
        for t, p in itertools.product(range(1, chips + 1), range(1, layers + 1))
        for s in {1, max(1, t // 8)}  # heads held twice, or none
        if tiles(fanouts, t, p) and cuts_heads(fanouts, t, s)
    }
    choices = choices_of(found)
    check = jax.vmap(lambda choice: is_legal(found.candidate, complete(found.candidate, FREE, choice)))
    legal = np.asarray(check(arrays(choices)))
    pairs = list(zip(*(c.astype(int) for c in (choices.tensor, choices.sequence, choices.pipeline)), strict=True))
    assert {pair for pair, fine in zip(pairs, legal, strict=True) if fine} == expected
    assert len(expected) > 3
    assert len(set(zip(pairs, choices.weights, choices.cache, strict=True))) == choices.size


@pytest.mark.parametrize("name", MACHINES)
def test_every_tier_may_hold_weights_and_cache(name: str) -> None:
    found = machine(name)
    choices, tiers = choices_of(found), len(found.tiers)
    places = set(zip(choices.weights.tolist(), choices.cache.tolist(), strict=True))
    assert places == set(itertools.product(map(float, range(tiers)), repeat=2))


def test_what_is_wanted_fixes_the_grid() -> None:
    found = machine("server")
    fixed = choices_of(found, Wanted("power", tensor=8, pipeline=2, weights="lpddr", cache="sram"))
    assert [leaf.tolist() for leaf in fixed] == [[8], [1], [1], [1], [2], [0], [1], [0]]
    some = choices_of(found, Wanted("power", tensor=8))
    assert set(some.tensor) == {8}
    assert set(some.pipeline) == {1, 2, 4, 8}


def test_stages_may_be_neighbours() -> None:
    """Eight chiplets of a card as four stages of two, either way round: the first hop stays in a package, or not."""
    found = machine("server")
    both = choices_of(found, Wanted("power", tensor=2, pipeline=4, stages_inside=None, weights="sram", cache="sram"))
    assert both.stages_inside.tolist() == [0, 1]
    outside, inside = (
        evaluate(found.candidate, complete(found.candidate, FREE, Grid(*(leaf[i] for leaf in both)))) for i in (0, 1)
    )
    assert bool(outside.legal)
    assert bool(inside.legal)
    assert float(inside.shares.exchange) != float(outside.shares.exchange)


def test_users_are_spread_over_as_many_replicas_as_fit() -> None:
    candidate = machine("server").candidate
    free = complete(candidate, FREE, Grid(8.0, 1.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.0))
    assert (float(free.data), float(free.batch), float(free.users)) == (4, 15, 60)
    given = complete(candidate, Wanted("power", batch=7, data=3), Grid(8.0, 1.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.0))
    assert (float(given.data), float(given.batch), float(given.users)) == (3, 7, 21)


ask = jax.jit(evaluate)


def chosen_by_loop(found: Template, wanted: Wanted, most: bool) -> dict[str, Any]:
    """The first answer with the smallest violation and then the best value, asked one mapping at a time."""
    candidate, kept, result = arrays(found.candidate), (math.inf, math.inf), None
    for row in zip(*jax.tree.leaves(choices_of(found, wanted)), strict=True):
        one = jax.device_get(ask(candidate, arrays(complete(found.candidate, wanted, Grid(*row)))))
        missed = max(0.0, -float(one.headroom.memory)) + max(0.0, -float(one.headroom.latency))
        value = float(getattr(one.metrics, wanted.objective))
        key = (missed if one.legal else math.inf, -value if most else value)
        if result is None or key < kept:
            kept, result = key, one
    return point({name: column[None] for name, column in flat(result).items()}, 0, found.tiers)


@pytest.mark.parametrize(
    ("name", "objective", "most"),
    [
        ("card", "time_per_output_token", False),
        pytest.param("node", "time_per_output_token", False, marks=pytest.mark.slow),
        ("node", "tokens_per_second", True),
        pytest.param("stack", "time_to_first_token", False, marks=pytest.mark.slow),
    ],
)
def test_the_best_mapping_is_that_of_a_plain_loop(name: str, objective: str, most: bool) -> None:
    """The answers to 1e-12: one by one they are another program than all at once, which may add up in another order."""
    found, wanted = machine(name), Wanted(objective)
    one, other = answer(found, wanted), chosen_by_loop(found, wanted, most)
    assert one["mapping"] == other["mapping"]
    for name in GOODPUT:  # found for the best mapping alone
        del one["metrics"][name], other["metrics"][name]
    for section in SECTIONS:
        assert one[section] == pytest.approx(other[section], rel=1e-12, abs=1e-15)


def test_a_mapping_that_fits_is_taken_before_a_faster_one_that_does_not() -> None:
    """70B on one card: held in SRAM it would be fast, and 60 GB are missing."""
    found = template(["hw=corsair_card", "model=llama3_70b", "serving=interactive"])
    free, forced = answer(found, FREE), answer(found, Wanted("time_per_output_token", weights="sram", cache="sram"))
    assert free["metrics"]["time_per_output_token"] > forced["metrics"]["time_per_output_token"]
    assert forced["headroom"]["memory"] < 0 <= free["headroom"]["memory"]


def strided(fanouts: Sequence[int], devices: int, inner: int) -> bool:
    """True where `devices` devices, each `inner` from the next, tile the machine together with those between them."""
    within, whole = box(fanouts, inner), box(fanouts, inner * devices)
    return within is not None and whole is not None and all(b % a == 0 for a, b in zip(within, whole, strict=True))


@pytest.mark.parametrize("name", ["card", "odd", "node"])
def test_the_grid_of_a_mixture_of_experts_has_every_legal_mapping(name: str) -> None:
    """Mixtral's 8 experts and 8 key-value heads: sets of experts tile the devices that share them."""
    found = template([*MACHINES[name], "model=mixtral_8x7b", "serving=interactive"])
    fanouts, layers, experts = fanouts_of(found), 32, 8
    chips = math.prod(fanouts)
    expected = {
        (t, s, a, e, p)
        for t, a, p in itertools.product(range(1, chips + 1), repeat=3)
        if t * a * p <= chips and p <= layers and strided(fanouts, a, t) and strided(fanouts, p, t * a)
        for s in {1, max(1, t // 8)}
        if tiles(fanouts, t, 1) and cuts_heads(fanouts, t, s)
        for e in range(1, experts + 1)
        if experts % e == 0 and (t * a) % e == 0 and strided(fanouts, e, t * a // e)
    }
    choices = choices_of(found, Wanted("power", weights=found.tiers[0], cache=found.tiers[0]))
    check = jax.vmap(lambda choice: is_legal(found.candidate, complete(found.candidate, FREE, choice)))
    legal = np.asarray(check(arrays(choices)))
    names = ("tensor", "sequence", "attention_data", "expert", "pipeline")
    rows = list(zip(*(getattr(choices, name).astype(int).tolist() for name in names), strict=True))
    assert {row for row, fine in zip(rows, legal, strict=True) if fine} == expected
    assert any(a > 1 for _, _, a, _, _ in expected)
    assert any(e > 1 for _, _, _, e, _ in expected)
