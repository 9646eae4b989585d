"""Goodput: the largest load in time, against all loads tried; and the curve over loads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pools import ONE_WAY, SAME, best, linked, ready, serving, small

from dse.evaluation.evaluate import evaluate
from dse.evaluation.goodput import goodput
from dse.evaluation.grids import grids, own_fanouts
from dse.evaluation.mapping import Wanted
from dse.evaluation.whole import largest
from dse.machine.curve import beats, over_loads, rows
from dse.machine.curve_picture import picture
from dse.problem.template import template

pytestmark = pytest.mark.slow  # nearly every test compiles a program of its own

TRIED = 600  # users of a replica, beyond what these machines serve in time
KINDS = {"whole prompts": (), "chunks": ("scheduler=chunked",), "two pools": SAME}


@pytest.mark.parametrize("most", [0, 1, 2, 7, 8, 1000])
def test_the_largest_that_holds_is_found(most: int) -> None:
    limits = jnp.asarray(sorted({0, 1, 2, most // 2, most - 1, most, most + 3}), float)
    found, said = jax.jit(jax.vmap(lambda limit: largest(lambda n: (n <= limit, 2 * n), most, -1.0)))(limits)
    expected = np.clip(np.asarray(limits), 0, most)
    assert found.tolist() == expected.tolist()
    assert said.tolist() == np.where(expected > 0, 2 * expected, -1).tolist()


@pytest.mark.parametrize("kind", ["whole prompts", pytest.param("chunks", marks=pytest.mark.slow), "two pools"])
def test_goodput_is_the_last_load_in_time(kind: str) -> None:
    """Random traffic and targets, all loads tried one by one; what halving assumes, that who is late stays late when
    more come, holds as well."""
    candidate, random = small(*KINDS[kind]), np.random.default_rng(3)
    settled, laid = ready(candidate), best(candidate).mapping

    @jax.jit
    def both(one: Any) -> Any:
        def meets(batch: Any) -> Any:
            found = evaluate(one, replace(laid, batch=batch, users=batch * laid.data), given)
            return (found.headroom.memory >= 0) & (found.headroom.latency >= 0), found.metrics.tokens_per_second

        given = settled if one.prefill is None else settled._replace(filled=settled.filled)
        return goodput(one, laid, given), jax.vmap(meets)(jnp.arange(1.0, TRIED))

    for _ in range(12):
        first, token = 10 ** random.uniform(-3, 0), 10 ** random.uniform(-3.7, -1.5)
        targets = {"time_to_first_token_target": first, "time_per_output_token_target": token}
        (rate, users), (held, rates) = both(serving(candidate, output=float(random.integers(20, 400)), **targets))
        last = int(np.argmin(held)) if not held.all() else TRIED
        assert not np.asarray(held)[last:].any()
        if last < TRIED:
            assert float(users) == last * float(laid.data)
            assert float(rate) == pytest.approx(float(rates[last - 1]) if last else 0.0, rel=1e-9)


def test_nobody_in_time_is_no_goodput() -> None:
    metrics = best(serving(small(), time_to_first_token_target=1e-9)).metrics
    assert (float(metrics.goodput), float(metrics.goodput_users)) == (0, 0)


def test_goodput_does_not_ask_how_many_come() -> None:
    few, many = (best(serving(small(), users=users)).metrics for users in (1, 32))
    assert float(few.goodput) == float(many.goodput)
    assert float(few.goodput_users) == float(many.goodput_users)


@pytest.mark.slow
def test_mappings_may_be_compared_by_goodput() -> None:
    """The best by goodput is the best of all mappings, each asked by itself."""
    free = Wanted("goodput", weights="sram", cache="sram")
    candidate = serving(small(), time_per_output_token_target=2e-3)
    found, each = best(candidate, free), []
    choices = grids([candidate], own_fanouts(candidate), free).own
    for tensor in sorted({int(t) for t in np.asarray(choices.tensor)}):
        each.append(float(best(candidate, replace(free, tensor=tensor)).metrics.goodput))
    assert float(found.metrics.goodput) == max(each) > 0


@pytest.mark.slow
def test_the_curve_marks_what_no_other_load_beats() -> None:
    found = template(["hw=corsair_card", "model=llama3_8b", "model.blocks.all.layers=4", "serving=chat"])
    choices = grids([found.candidate], own_fanouts(found.candidate), ONE_WAY)
    curve = rows(over_loads(found.candidate, choices, ONE_WAY, [2.0**n for n in range(8)]), found)
    assert [one["users"] for one in curve] == [2**n for n in range(len(curve))]
    alone = best(serving(jax.tree.map(jnp.asarray, found.candidate), users=4)).metrics
    assert curve[2]["tokens_per_second"] == pytest.approx(float(alone.tokens_per_second), rel=1e-9)
    for one in curve:
        beaten = any(beats(other, one) for other in curve if other["works"])
        assert one["best"] == (one["works"] and not beaten)
    drawn = picture("a machine", curve, 20.0)
    assert drawn.count("<circle") <= len(curve)
    assert "target: 20 token/s" in drawn


def test_a_slow_link_lowers_goodput() -> None:
    quick, slow = (best(linked(small(*SAME), bandwidth=b)).metrics for b in (1e11, 1e8))
    assert float(slow.goodput) < float(quick.goodput)
