"""A better part never makes a token come later: random machines, random mappings, one part improved at a time."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machines import arrays, candidate, degrees, mapping, names

from dse.documents.check import FASTER, ROUNDING, SLOWER
from dse.evaluation.batches import QUICK
from dse.evaluation.evaluate import Candidate, evaluate
from dse.evaluation.metrics import Mapping
from dse.evaluation.schedule import pace
from dse.evaluation.step import in_loops
from dse.problem.template import leaf_index

MACHINES = ("corsair_server", "squadrack_fabrex", "raptor_server", "dgx_h100")
NIGHTLY = ("squadrack_fabrex", "raptor_server")  # by day one array and one machine of kernels
SOME = [pytest.param(name, marks=pytest.mark.slow) if name in NIGHTLY else name for name in MACHINES]
FRACTIONS = ("sustained_fraction", "reduction_fraction")


@dataclass(frozen=True)
class Knob:
    """A leaf of a candidate and whether a token comes earlier when it grows."""

    key: str
    index: int
    helps: bool

    def better(self, value: float, factor: float) -> float:
        """The value improved by a factor above 1; cores stay whole, shares stay shares, overheads may start at 0."""
        if self.key.endswith("cores"):
            return float(np.ceil(value * factor))
        better = value * factor if self.helps else value / factor
        return min(1.0, better) if self.key.endswith(FRACTIONS) else better


@functools.cache
def cool(machine: str, *overrides: str) -> Candidate:
    """The machine without the limits at which more of one part leaves less power for another."""
    limits = ["hw.chip.cooling.power_limit=1e9 W", "hw.chip.cooling.thermal_resistance=0 K*m2/W"]
    if "stack" in candidate(f"hw={machine}").hw.chip.memory:
        limits.append("hw.chip.memory.stack.layer_resistance=0 K*m2/W")
    return candidate(f"hw={machine}", *limits, *overrides)


@functools.cache
def knobs(machine: str) -> list[Knob]:
    found = cool(machine)
    keys = [key for key in names(found) if key.startswith("hw.") and key.endswith(FASTER + SLOWER)]
    return [Knob(key, leaf_index(found, key), key.endswith(FASTER)) for key in keys]


@functools.cache
def times_of(machine: str) -> Callable[[np.ndarray, Mapping], Any]:
    """Compiled once a machine: machines like it [machines, leaves] under one mapping to both times and legality."""
    shape = jax.tree.structure(cool(machine))

    def times(leaves: Any, laid: Mapping) -> Any:
        with in_loops():
            answer = evaluate(jax.tree.unflatten(shape, list(leaves)), laid)
        return answer.metrics.time_per_output_token, answer.metrics.time_to_first_token, answer.legal

    return jax.jit(jax.vmap(times, in_axes=(0, None)), compiler_options=QUICK)


def draw_machine(machine: str, rng: random.Random) -> list[float]:
    """The leaves of a machine like the shipped one, each improvable number between a quarter and four times it."""
    serving = rng.choice(("chat", "interactive"))
    leaves = [float(leaf) for leaf in jax.tree.leaves(cool(machine, f"serving={serving}"))]
    for knob in knobs(machine):
        leaves[knob.index] = knob.better(leaves[knob.index], 4 ** rng.uniform(-1, 1))
    return leaves


def draw_mapping(machine: str, rng: random.Random, staged: bool) -> Mapping:
    found = cool(machine)
    tensor, pipeline = rng.choice([pair for pair in degrees(found) if (pair[1] > 1) == staged])
    tiers = range(len(found.hw.chip.tiers))
    batch = round(2 ** rng.uniform(0, 7))
    return mapping(tensor, pipeline, batch=batch, weights=rng.choice(tiers), cache=rng.choice(tiers))


def improved(machine: str, leaves: list[float], rng: random.Random) -> np.ndarray:
    """The machine and, a row each, the machine with one improvable number improved."""
    rows = np.tile(leaves, (1 + len(knobs(machine)), 1))
    for row, knob in zip(rows[1:], knobs(machine), strict=True):
        row[knob.index] = knob.better(row[knob.index], rng.choice((1.001, 1.05, 1.5, 4.0)))
    return rows


def assert_improves(machine: str, seed: int, staged: bool) -> None:
    """Of one random machine under one random mapping, every improvable number by itself."""
    rng = random.Random(seed)
    leaves, laid = draw_machine(machine, rng), arrays(draw_mapping(machine, rng, staged))
    rows = improved(machine, leaves, rng)
    *times, legal = jax.device_get(times_of(machine)(rows, laid))
    assert legal.all(), "the mapping tiles the machine"
    for name, found in zip(("time per output token", "time to first token"), times, strict=True):
        for knob, row, time in zip(knobs(machine), rows[1:], found[1:], strict=True):
            change = f"{knob.key}: {leaves[knob.index]:.6g} -> {row[knob.index]:.6g}"
            assert time <= found[0] * (1 + ROUNDING), f"{name} {found[0]:.9g} -> {time:.9g} s, {change}, {laid}"


seeds = st.integers(0, 2**32 - 1)
MANY = settings(max_examples=300)  # an example is a millisecond


@pytest.mark.parametrize("machine", SOME)
@MANY
@given(seed=seeds)
def test_better_parts_never_slow_one_stage(machine: str, seed: int) -> None:
    assert_improves(machine, seed, staged=False)


@pytest.mark.parametrize(
    "machine", [name if name == "dgx_h100" else pytest.param(name, marks=pytest.mark.slow) for name in MACHINES]
)
@MANY
@given(seed=seeds)
def test_better_parts_never_slow_several_stages(machine: str, seed: int) -> None:
    assert_improves(machine, seed, staged=True)


@given(
    layers=st.integers(1, 128), stages=st.integers(1, 64), layer=st.floats(1e-6, 1e-3), head=st.floats(1e-6, 1e-2),
    faster=st.floats(0.1, 1.0),
)  # fmt: skip
def test_faster_layers_never_slow_the_fullest_stage(
    layers: int, stages: int, layer: float, head: float, faster: float
) -> None:
    now = float(pace(float(layers), float(stages), layer, head))
    assert float(pace(float(layers), float(stages), layer * faster, head)) <= now * (1 + ROUNDING)
    assert float(pace(float(layers), float(stages), layer, head * faster)) <= now * (1 + ROUNDING)


def fullest(layers: int, stages: int, layer: float, head: float) -> float:
    """The least that the fullest stage can take, over every number of layers beside the head."""
    options = range(layers + 1) if stages > 1 else [layers]
    others = max(1, stages - 1)
    return min(max(beside * layer + head, -(-(layers - beside) // others) * layer) for beside in options)


@given(layers=st.integers(1, 128), stages=st.integers(1, 64), ratio=st.floats(0.01, 20.0))
@example(layers=31, stages=2, ratio=1.001)
def test_layers_are_spread_as_well_as_they_can_be(layers: int, stages: int, ratio: float) -> None:
    found = float(pace(float(layers), float(stages), 1.0, ratio))
    assert found == pytest.approx(fullest(layers, stages, 1.0, ratio), rel=ROUNDING)


def values_and_slopes(machine: str, leaves: list[float], laid: Mapping) -> tuple[float, list[float]]:
    """The time per output token and its slope along every improvable number."""
    shape, found = jax.tree.structure(cool(machine)), knobs(machine)

    def time(values: list[Any]) -> Any:
        given = list(leaves)
        for knob, value in zip(found, values, strict=True):
            given[knob.index] = value
        return evaluate(jax.tree.unflatten(shape, given), laid).metrics.time_per_output_token

    value, slopes = jax.value_and_grad(time)([leaves[knob.index] for knob in found])
    return float(value), [float(slope) for slope in slopes]


@pytest.mark.parametrize(("machine", "staged"), list(zip(MACHINES, (False, True, False, True), strict=True)))
def test_slopes_have_the_sign_of_what_they_mean(machine: str, staged: bool) -> None:
    rng = random.Random(1)
    leaves, laid = draw_machine(machine, rng), draw_mapping(machine, rng, staged)
    value, slopes = values_and_slopes(machine, leaves, laid)
    assert value > 0
    assert np.isfinite(slopes).all()
    for knob, slope in zip(knobs(machine), slopes, strict=True):
        rounding = ROUNDING * value / (leaves[knob.index] or value)  # slopes of two ways round to the token may cancel
        assert slope <= rounding if knob.helps else slope >= -rounding, f"{knob.key}: {slope:.3g}"
    assert any(slope != 0 for slope in slopes)


@pytest.mark.parametrize("machine", SOME)
def test_the_compiled_model_is_the_plain_one(machine: str) -> None:
    """The times above are of the compiled model; sums may be taken in another order there."""
    rng = random.Random(7)
    leaves, laid = draw_machine(machine, rng), draw_mapping(machine, rng, staged=True)
    plainly = evaluate(jax.tree.unflatten(jax.tree.structure(cool(machine)), leaves), laid).metrics
    found = times_of(machine)(improved(machine, leaves, rng), arrays(laid))
    assert float(found[0][0]) == pytest.approx(float(plainly.time_per_output_token), rel=1e-12)
    assert float(found[1][0]) == pytest.approx(float(plainly.time_to_first_token), rel=1e-12)
