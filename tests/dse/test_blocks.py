"""Candidates put together from chips and systems: the same as one by one, whatever is worked out only once."""

from __future__ import annotations

import functools
from dataclasses import replace

import jax
import numpy as np
import pytest

from dse.documents.benchmark import compiling
from dse.evaluation.mapping import Wanted as Mapped
from dse.evaluation.operations import operations
from dse.problem.blocks import Crossing, evenly
from dse.problem.listing import Listing
from dse.problem.problem import Problem
from dse.search.enumerate import Asked, chunks_of

OBJECTIVES = (("tokens_per_second_per_user", "maximize"), ("cost_per_million_tokens", "minimize"))
LIMITS = ("memory", "power", "heat", "clock")
MACHINES = {
    "dense": (
        ("hw=corsair_card", "model=llama3_8b", "serving=chat"),
        {
            "hw.chip.engine.cores": [64, 128, 256, 300, 512],
            "hw.chip.engine.frequency": ["0.8 GHz", "1.2 GHz", "1.5 GHz"],
            "hw.levels.package.fanout": [2, 4],
            "hw.levels.package.link.latency": ["50 ns", "1 us"],
            "serving.users": [1, 30],
            "format.weights.element_bits": [4, 8],
        },
    ),
    "experts": (
        ("hw=dgx_h100", "model=mixtral_8x7b", "serving=chat", "format=fp8", "scheduler=chunked"),
        {
            "hw.chip.engine.frequency": ["1.2 GHz", "1.7 GHz"],
            "hw.levels.server.fanout": [4, 8],
            "serving.users": [8, 99],
        },
    ),
    "video": (
        ("hw=dgx_h100", "model=wan2_1_t2v_14b", "serving=video", "format=bf16"),
        {"hw.chip.engine.frequency": ["1.2 GHz", "1.7 GHz"], "hw.levels.server.fanout": [4, 8]},
    ),
}
OTHERS = 6  # mappings of each design that its best one is held against


def crossing(problem: Problem, single: bool = False, size: int = 16) -> Crossing:
    found = chunks_of(problem, Asked(OBJECTIVES, LIMITS, size, single, whole=False)).listing(0)
    assert isinstance(found, Crossing)
    return found


@functools.cache
def asked(name: str) -> Problem:
    return Problem(*MACHINES[name], Mapped("cost_per_million_tokens"), 16)


def answered(found: Crossing) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Designs, places of their mappings, and columns, of all chunks."""
    parts = [found.answers(chunk) for chunk in found.chunks]
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    return np.concatenate([p.designs for p in parts]), np.concatenate([p.places for p in parts]), columns


@pytest.mark.parametrize("name", ["dense", *(pytest.param(n, marks=pytest.mark.slow) for n in ("experts", "video"))])
def test_answers_are_those_of_each_design_by_itself(name: str) -> None:
    problem = asked(name)
    designs, places, columns = answered(crossing(problem))
    assert len(designs) == problem.distinct() == len(np.unique(designs, axis=0))
    alone = problem.under_places(designs, places)
    for column, values in columns.items():
        np.testing.assert_allclose(values.astype(float), alone[column], rtol=2e-6, atol=1e-9, err_msg=column)


@pytest.mark.parametrize("name", ["dense", *(pytest.param(n, marks=pytest.mark.slow) for n in ("experts", "video"))])
def test_no_other_mapping_is_better(name: str) -> None:
    problem = asked(name)
    found = crossing(problem)
    designs, places, _ = answered(found)
    random, best = np.random.default_rng(1), keys(problem, designs, places)
    for _ in range(OTHERS):
        other = keys(problem, designs, random.integers(found.grid.size, size=len(designs)))
        for mine, yours in zip(best, other, strict=True):
            assert tuple(yours) >= tuple(np.where(np.isclose(mine, yours, rtol=1e-6), yours, mine)), (mine, yours)


@pytest.mark.parametrize(("name", "size"), [("dense", 64), pytest.param("experts", 2, marks=pytest.mark.slow)])
def test_mappings_that_no_system_can_have_are_left_out_for_nothing(name: str, size: int) -> None:
    """The same places and answers where every mapping is worked out, on parts of a package that do not always fit."""
    found = crossing(asked(name), size=size)
    (_, some, columns), (_, every, whole) = answered(found), answered(replace(found, every=True))
    assert found.tried_share() < 1
    assert np.array_equal(some, every)
    assert all(np.array_equal(columns[key], whole[key]) for key in columns)


def keys(problem: Problem, designs: np.ndarray, places: np.ndarray) -> np.ndarray:
    """What mappings are compared by, the least first: illegal, missing bytes, lateness, the objective."""
    found = problem.under_places(designs, places)
    late, missing = (np.maximum(0.0, -found[f"headroom.{name}"]) for name in ("latency", "memory"))
    return np.stack([1.0 - found["legal"], missing, late, found["metrics.cost_per_million_tokens"]], axis=1)


def test_single_precision_is_within_a_hundred_thousandth() -> None:
    one, other = (answered(crossing(asked("dense"), single))[2] for single in (False, True))
    for name in ("metrics.tokens_per_second_per_user", "metrics.cost_per_million_tokens"):
        np.testing.assert_allclose(other[name], one[name], rtol=1e-5, err_msg=name)


def test_nothing_is_compiled_after_the_first_chunk() -> None:
    found = crossing(asked("dense"), size=15)
    assert len(found.chunks) > 4
    found.answers(found.chunks[0])
    with compiling() as compiled:
        for chunk in found.chunks[1:]:
            found.answers(chunk)
    assert compiled == []


def test_a_goodput_is_searched_design_by_design() -> None:
    problem = Problem(*MACHINES["video"], Mapped("goodput"), 16)
    found = chunks_of(problem, Asked(OBJECTIVES, LIMITS, 3, False, whole=True)).listing(0)
    assert isinstance(found, Listing)
    assert len(found.chunks) == 2


@pytest.mark.parametrize(
    ("count", "most", "size"), [(288, 256, 144), (256, 256, 256), (1, 7, 1), (10, 3, 3), (7, 1, 1)]
)
def test_parts_are_even(count: int, most: int, size: int) -> None:
    assert evenly(count, most) == size


def test_operations_are_those_that_the_answer_needs() -> None:
    def program(x: jax.Array, y: jax.Array) -> jax.Array:
        _ = x * 7 + y  # nobody asks for it
        total, _ = jax.lax.scan(lambda kept, row: (kept + row * 2, None), x, jax.numpy.stack([x, y, y]))
        return total / 3

    vector = jax.numpy.ones(10)
    assert operations(jax.make_jaxpr(program)(vector, vector).jaxpr) == 3 * 2 * 10 + 10
