"""Two pools: what they share with one, what adds up, what flows, and where they end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pools import ONE_WAY, SAME, answered, best, linked, ready, serving, small

from dse.evaluation.metrics import Mapping
from dse.evaluation.pools import Filled, cache_sent, decoding_batch, flow
from dse.evaluation.step import Energies, in_loops
from dse.machine.single import answer as answer_of
from dse.problem.problem import Problem
from dse.problem.template import template

EXACT = 1e-9  # the same sums in another order
FREE_LINK = {"bandwidth": 1e30, "latency": 0.0, "energy": 0.0, "part_power": 0.0, "part_cost": 0.0}
SMALL_BASE = ("hw=corsair_card", "model=llama3_8b")


def together(**traffic: float) -> Any:
    """The small machine with a pool of its like, and a link that costs nothing."""
    return serving(linked(small(*SAME), **FREE_LINK), **traffic)


def test_one_user_gets_from_two_equal_pools_what_one_gives() -> None:
    """A user alone is filled, then decoded; it does not matter where, but that both machines stand idle in turn."""
    one, two = best(serving(small(), users=1)), best(together(users=1))
    alone, both = one.metrics, two.metrics
    assert float(both.time_to_first_token) == pytest.approx(float(alone.time_to_first_token), rel=EXACT)
    assert float(both.tokens_per_second) == pytest.approx(float(alone.tokens_per_second), rel=EXACT)
    for name in ("silicon_area", "system_cost", "embodied_carbon"):
        assert float(getattr(both, name)) == pytest.approx(2 * float(getattr(alone, name)), rel=EXACT)
    worked = [float(a.metrics.energy_per_token * (1 - a.energy_shares.idle)) for a in (one, two)]
    idle = [float(a.metrics.energy_per_token * a.energy_shares.idle) for a in (one, two)]
    assert worked[1] == pytest.approx(worked[0], rel=EXACT)
    assert idle[1] == pytest.approx(2 * idle[0], rel=EXACT)


@pytest.mark.parametrize("users", [1, 3, 17, 64, 400])
@pytest.mark.parametrize("bandwidth", [1e8, 1e11])
def test_users_are_conserved_and_no_pool_works_more_than_always(users: float, bandwidth: float) -> None:
    """Little's law: users = requests per second x seconds of a request; shares of busy time are 1 at most."""
    candidate = serving(linked(small(*SAME), bandwidth=bandwidth), users=users)
    found, output = best(candidate), float(candidate.serving.output)
    metrics = found.metrics
    request = float(metrics.time_to_first_token + output * metrics.time_per_output_token)
    assert float(metrics.tokens_per_second) / output * request == pytest.approx(users, rel=1e-9)
    assert found.prefill is not None
    assert 0 < float(found.prefill.busy) <= 1 + EXACT
    assert 0 < float(found.prefill.link_busy) <= 1 + EXACT
    least = float(found.prefill.fill_time + found.prefill.transfer_time)
    assert float(metrics.time_to_first_token) >= least * (1 - EXACT)
    assert float(metrics.tokens_per_second) <= float(found.prefill.prompts_per_second) * output * (1 + EXACT)
    decoding = float(metrics.tokens_per_second * metrics.time_per_output_token)
    held = float(found.mapping.batch * found.mapping.data)
    assert decoding <= held * (1 + EXACT)
    assert held < decoding + float(found.mapping.data) * (1 + EXACT)


def test_a_slow_link_sets_the_rate() -> None:
    candidate = serving(linked(small(*SAME), bandwidth=1e8, latency=0.0), users=64)
    found, assumed = best(candidate), candidate
    size = float(cache_sent(assumed.model, assumed.format, assumed.serving))
    prompts = 1e8 * float(assumed.prefill.link.sustained_fraction) / size  # type: ignore[union-attr]
    rate = float(found.metrics.tokens_per_second)
    assert rate == pytest.approx(prompts * float(assumed.serving.output), rel=EXACT)
    assert float(found.prefill.link_busy) == pytest.approx(1, rel=EXACT)  # type: ignore[union-attr]


def test_a_link_without_end_leaves_the_filling_alone() -> None:
    found = best(together(users=1))
    assert found.prefill is not None
    assert float(found.prefill.transfer_time) == pytest.approx(0, abs=1e-15)
    assert float(found.metrics.time_to_first_token) == pytest.approx(float(found.prefill.fill_time), rel=1e-6)


@pytest.mark.slow
def test_more_machines_fill_in_proportion_and_cost_in_proportion() -> None:
    one = small(*SAME)
    assert one.prefill is not None
    three = replace(one, prefill=replace(one.prefill, machines=jnp.asarray(3.0)))
    few, many = best(one), best(three)
    rates = [float(found.prefill.prompts_per_second) for found in (few, many)]  # type: ignore[union-attr]
    assert rates[1] == pytest.approx(3 * rates[0], rel=EXACT)
    alone = float(best(small()).metrics.system_cost)
    added = [float(found.metrics.system_cost) - alone for found in (few, many)]
    assert added[1] == pytest.approx(3 * added[0], rel=EXACT)


def test_cached_prefixes_need_not_cross() -> None:
    candidate = small(*SAME)
    half = serving(candidate, hits=0.5)
    sizes = [float(cache_sent(one.model, one.format, one.serving)) for one in (candidate, half)]
    assert sizes[1] / sizes[0] == pytest.approx(float(half.serving.fresh / candidate.serving.fresh), rel=EXACT)


@pytest.mark.parametrize("leaps", [False, True])
def test_the_decoding_batch_just_holds_those_who_decode(leaps: bool) -> None:
    """It holds them and one less does not; where a batch takes no longer for each sequence than a smaller one, it is
    the least of all that do."""
    random = np.random.default_rng(1)

    @jax.jit
    def found(pool: Any, mapping: Any, times: Any) -> Any:
        return decoding_batch(pool, mapping, lambda batch: times[batch.astype(int)])

    for _ in range(50):
        users, data = float(random.integers(1, 200)), float(random.integers(1, 5))
        grown = np.cumsum(random.exponential(1, 202) * (random.random(202) < 0.2)) if leaps else np.arange(202) ** 0.7
        steps = grown + random.exponential(5)
        seconds, rates = random.exponential(3, 2), random.exponential(20, 2)
        pool: Any = Filled(None, None, *seconds, *rates, Energies(), 0.0, True)  # type: ignore[arg-type]
        mapping = Mapping(*([1.0] * 6), data=data, batch=1.0, users=users, weights=0.0, cache=0.0)
        most = int(np.ceil(users / data))
        holds = [b * data >= float(flow(pool, users, steps[b]).decoding) for b in range(1, most + 1)]
        batch = int(found(pool, mapping, jnp.asarray(steps)))
        assert holds[batch - 1]
        assert batch == 1 or not holds[batch - 2]
        assert leaps or batch == holds.index(True) + 1


@pytest.mark.slow
def test_slopes_are_finite() -> None:
    candidate = small(*SAME)
    settled, laid = ready(candidate), best(candidate).mapping

    def rate(users: Any) -> Any:
        mapping = replace(laid, users=users, batch=jnp.ceil(users))
        return answered(candidate, mapping, settled).metrics.tokens_per_second

    assert np.isfinite(float(jax.grad(rate)(jnp.asarray(8.0))))


@pytest.mark.slow
@pytest.mark.slow
def test_a_pool_may_be_searched_like_a_machine() -> None:
    space = {"prefill.hw.chip.engine.cores": [128, 256], "prefill.machines": [1, 2], "hw.levels.card.fanout": [1, 2]}
    problem = Problem([*SMALL_BASE, *SAME], {**space, "prefill.hw.levels.card.fanout": [1, 2]}, ONE_WAY, 4)
    with in_loops():
        columns = problem.evaluate(problem.space.designs(0, 2))
    assert np.isfinite(columns["prefill.busy"]).all()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("hw=dgx_h100", "format=fp8", *SAME), "^format.weights: .*exponent.*machine at prefill.hw"),
        (("format@prefill.format=fp8", *SAME), "^prefill.format.weights: .*exponent"),
        (("prefill=pool", "prefill.machines=0"), "prefill.*machines"),
        (("prefill=pool", "prefill.link.bandwidth=4"), "bandwidth.*unit"),
    ],
)
def test_bad_pools_are_refused(overrides: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        template([*SMALL_BASE, *overrides])


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"weights": "hbm"}, "mapping.prefill.weights: this chip has no tier 'hbm'"),
        ({"tensor": 3}, "mapping.prefill.tensor=3 .*does not fit"),
    ],
)
def test_bad_mappings_of_pools_are_refused(wanted: dict[str, Any], words: str) -> None:
    asked = replace(ONE_WAY, prefill=replace(ONE_WAY.prefill, **wanted))  # type: ignore[type-var]
    with pytest.raises(ValueError, match=words):
        answer_of(template([*SMALL_BASE, *SAME]), asked)
