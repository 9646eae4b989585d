"""No NaN and no infinity anywhere in the legal domain, nor in any slope that a search may follow."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import candidate, mapping, names, rules_of

from dse.evaluation.evaluate import Candidate, evaluate
from dse.evaluation.metrics import Mapping
from dse.evaluation.step import in_loops
from hw.units import Rule

# Every engine, memory, topology and package that ships stands in one of these.
MACHINES: dict[str, tuple[str, ...]] = {
    "sram": ("hw=corsair_card",),
    "gates": ("hw=corsair_card", "hw/chip/engine=corsair_gates", "hw/chip/memory=sram_banked_hbm4"),
    "stack": ("hw=raptor_card", "hw/chip/package=fan_out"),
    "charge": ("hw=squadrack_fabrex", "hw/chip/engine=charge", "format=int8", "hw/chip/memory=hbm4_flash"),
    "node": ("hw=dgx_h100", "format=fp8"),
    "torus": ("hw=dgx_h100", "format=fp8", "hw/link@hw.levels.server.link=ici_torus", "hw.levels.server.fanout=16"),
}
NIGHTLY = ("gates", "charge", "torus", "node")
# The mapping tiles the ones; the others must take the format.
GIVEN = ("fanout", ".width", ".floats", ".integers", "link.columns")
FAR = 2.5  # factors of e that a number may lie from the shipped one
MANY = settings(max_examples=100, deadline=None)


def shipped(machine: str) -> Candidate:
    return candidate("serving=chat", *MACHINES[machine])


def legal(rule: Rule, value: float, rng: random.Random) -> float:
    """Another number that the field accepts: around the shipped one, at times 0 or the bound."""
    lowest = rule.least if rule.above is None else rule.above * 1.001  # what must lie above it does, by a little
    if rule.above is None and rule.least == 0 and rng.random() < 0.05:
        return 0.0
    if rule.most is not None and rng.random() < 0.05:
        return rule.most
    found = value * float(np.exp(rng.uniform(-FAR, FAR)))
    if rule.whole:
        found = float(max(1, round(found)))
    return min(max(found, found if lowest is None else lowest), rule.most or found)


def drawn(machine: str, rng: random.Random) -> list[float]:
    """The leaves of a machine of this kind; what the model and the traffic say stays as it is."""
    found = shipped(machine)
    keys, rules = names(found), rules_of(found)
    leaves = [float(leaf) for leaf in jax.tree.leaves(found)]
    return [
        legal(rule, leaf, rng) if key.startswith("hw.") and not key.endswith(GIVEN) else leaf
        for key, rule, leaf in zip(keys, rules, leaves, strict=True)
    ]


@functools.cache
def answers(machine: str) -> Callable[[Any, Any, Mapping], Any]:
    """All answers, and their slopes along one direction of the leaves: what is no number in any slope, shows in it."""
    shape = jax.tree.structure(shipped(machine))

    def of(leaves: Any, direction: Any, laid: Mapping) -> Any:
        def answer(moved: Any) -> Any:
            with in_loops():
                found = evaluate(jax.tree.unflatten(shape, list(moved)), laid)
            return found.metrics, found.headroom, found.shares, found.energy_shares, found.cost_shares

        return jax.jvp(answer, (leaves,), (direction,))

    return jax.jit(of)


@pytest.mark.parametrize(
    "machine", [pytest.param(name, marks=pytest.mark.slow) if name in NIGHTLY else name for name in MACHINES]
)
@MANY
@given(seed=st.integers(0, 2**32 - 1))
def test_every_answer_and_every_slope_is_a_number(machine: str, seed: int) -> None:
    rng = random.Random(seed)
    leaves = drawn(machine, rng)
    tiers = len(shipped(machine).hw.chip.tiers)
    laid = mapping(2, 2, batch=rng.choice((1, 7, 64)), weights=rng.randrange(tiers), cache=rng.randrange(tiers))
    direction = jnp.array([leaf * rng.uniform(0.1, 1.0) for leaf in leaves])
    for kind, tree in zip(("", "slope of "), answers(machine)(jnp.array(leaves), direction, laid), strict=True):
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
            assert np.isfinite(leaf), f"{kind}{jax.tree_util.keystr(path)} of seed {seed}"
