"""Serving against theory: queues with known waiting times, conservation, and a simulator that shares no code."""

from __future__ import annotations

import naive_serving
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_machines import Constant, Pipeline, Roofline, poisson, trace

from dse.evaluation.replica import CLOSE
from dse.evaluation.rules import Rules
from dse.simulation.simulate import cache_table, simulate

WAYS = [
    pytest.param(Rules(chunk=64, slots=16), id="chunked"),
    pytest.param(Rules(chunk=0, slots=16), id="whole"),
    pytest.param(Rules(chunk=0, slots=16, continuous=0), id="static"),
    pytest.param(Rules(chunk=64, slots=16, continuous=0), id="static, chunked"),
    pytest.param(Rules(chunk=64, slots=16, prefill_replicas=1), id="two pools"),
    pytest.param(Rules(chunk=0, slots=16, hits=0.5, round_robin=1), id="hits, dealt in turn"),
]


# ---- a second opinion ----


@pytest.mark.parametrize("chunk", [0, 37, 512])
@pytest.mark.parametrize("capacity", [60e9, 6e8, 2.5e8])
@pytest.mark.parametrize("hits", [0.0, 0.4])
def test_a_simulator_that_goes_pass_by_pass_agrees(chunk, capacity, hits, monkeypatch):
    """With runs of passes no longer than is exact, every time, admission and putting back agrees; with runs as they
    are, the means agree to their stated error of 0.1 %. (Single requests need not: a pass that ends a microsecond
    later may miss an arrival.) Capacities from ample to hardly two prompts."""
    times, requests = Roofline(cache_capacity=capacity), poisson(120, 12.0, seed=3)
    rules = Rules(chunk=chunk, slots=24, hits=hits)
    theirs = naive_serving.serve(requests, times, chunk, 24, hits)
    stamps = np.array([(s.stamps or [np.nan])[i] for i in (0, -1) for s in theirs["sequences"]])
    quick = simulate(requests, times, rules)
    monkeypatch.setattr("dse.evaluation.replica.CLOSE", 1e-12)
    exact = simulate(requests, times, rules)
    assert np.allclose(np.r_[exact.first, exact.last], stamps, rtol=1e-9, equal_nan=True)
    assert exact.admissions[0] == theirs["admitted"]
    assert exact.preemptions.tolist() == [s.put_back for s in theirs["sequences"]]
    assert exact.passes[:, 6].max() == pytest.approx(theirs["most_held"])
    assert (capacity < 3e8) == (exact.preemptions.sum() > 0)
    for ours, stamp in zip((quick.first, quick.last), np.split(stamps, 2), strict=True):
        assert np.nanmean(ours) == pytest.approx(np.nanmean(stamp), rel=CLOSE)


@given(st.integers(0, 10**6), st.sampled_from([0, 1, 50]), st.integers(1, 6))
def test_it_agrees_where_a_pass_grows_linearly(seed, chunk, slots):
    """Then a run of passes is summed exactly, and so are all times."""
    times = Roofline(cache_capacity=1.2e7, byte=1e4)
    times.step = lambda d, c, f, p: 1e-3 + 1e-5 * d + 1e-7 * d * c + 1e-5 * f + 1e-8 * p * f  # type: ignore[method-assign]
    requests = poisson(25, 40.0, seed, prompt=100, output=20)
    ours = simulate(requests, times, Rules(chunk=chunk, slots=slots))
    theirs = naive_serving.serve(requests, times, chunk, slots)
    stamps = [(s.stamps or [np.nan])[i] for i in (0, -1) for s in theirs["sequences"]]
    assert np.allclose(np.r_[ours.first, ours.last], stamps, rtol=1e-9, equal_nan=True)
    assert ours.admissions[0] == theirs["admitted"]


# ---- theory ----


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_waiting_for_a_server_of_constant_time(load):
    """Pollaczek and Khinchine for M/D/1: the mean wait is load / (2 (1 - load)) services; 40,000 requests in four
    streams leave some 5 % at a load of 0.8."""
    waits = []
    for seed in range(4):
        requests = poisson(10_000, load, seed, output=1)
        requests.output[:] = 1
        served = simulate(requests, Constant(), Rules(chunk=0))
        waits.append(np.mean(served.admitted - requests.arrival))
        assert np.allclose(served.last - served.admitted, 1.0)
    assert np.mean(waits) == pytest.approx(load / (2 * (1 - load)), rel=0.08)


def test_a_lone_request_takes_its_passes():
    """ceil(prompt / chunk) passes to the first token, one for each token after it."""
    served = simulate(trace([5.0], [1000], [11]), Constant(), Rules(chunk=300))
    assert served.first[0] == pytest.approx(5 + 4 * 1.0)
    assert served.last[0] - served.first[0] == pytest.approx(10 * 0.01)


@pytest.mark.parametrize("rules", WAYS)
def test_little(rules):
    """Mean requests inside = rate of arrival x mean time inside; what is inside is counted from passes and queue."""
    requests = poisson(600, 6.0, seed=5)
    served = simulate(requests, Roofline(replicas=2), rules)
    inside = served.passes[:, 4] @ (served.passes[:, 1] - served.passes[:, 0])
    waiting = -np.sum(served.queue[:, 0] * served.queue[:, 1])
    sojourn = np.sum(served.last - requests.arrival)
    transfer = 0.0
    if rules.prefill_replicas:
        transfer = sum(131072 * p / rules.transfer_bandwidth for p in requests.prompt[requests.output > 1])
    counted = inside + waiting + transfer
    if rules.continuous:
        assert counted == pytest.approx(sojourn, rel=1e-6)
    else:  # a place is held until the batch ends
        assert counted > sojourn


def test_chunks_keep_decoders_going():
    """A long prompt between two tokens: whole, it holds up everybody; in chunks, each token waits for one chunk."""
    requests = trace([0.0, 1.0], [100, 20_000], [400, 2])
    gaps = [longest_pass(simulate(requests, Roofline(), Rules(chunk=c))) for c in (0, 256)]
    assert gaps[0] > 0.4 > 0.1 > gaps[1]


def longest_pass(served):
    """Seconds of the longest pass."""
    start, end, passes = served.passes[:, :3].T
    return np.max((end - start) / passes)


def test_two_pools_do_not_wait_for_each_other():
    """First tokens come after the prompt and the transfer, where more are to come; then there is no stall."""
    requests = poisson(200, 0.8, seed=9, output=20)
    rules = Rules(chunk=0, prefill_replicas=1, transfer_bandwidth=1e3, transfer_latency=0.25)
    served = simulate(requests, Constant(replicas=2), rules)
    prompts = trace(requests.arrival, requests.prompt, np.ones(200))
    alone = simulate(prompts, Constant(), Rules(chunk=0))
    more = requests.output > 1
    assert np.allclose(served.first, alone.first + np.where(more, 0.25 + requests.prompt / 1e3, 0.0))
    least = (requests.output - 1) * 0.01
    late = (served.last - served.first - least)[more]
    assert np.all(late > -1e-9)
    assert np.all(late < 0.01 + 1e-9), "at most the pass that is under way"


def test_another_kind_of_replica_may_fill():
    """Two machines: the one that fills decides the first token, the other the rest."""
    requests = trace(np.zeros(4), [100] * 4, [11] * 4)
    served = simulate(requests, Constant(replicas=4), Rules(chunk=0), Constant(fill=0.5, replicas=2))
    assert sorted(served.first) == pytest.approx([0.5, 0.5, 1.0, 1.0])
    assert np.allclose(served.last - served.first, 0.1, atol=1e-6)


def test_a_pipeline_takes_prompts_one_after_another():
    """Prompts without decoders enter every interval, and each is there a whole step after it began."""
    requests = trace(np.zeros(8), np.full(8, 500), np.ones(8))
    times = Pipeline()
    served = simulate(requests, times, Rules(chunk=0))
    whole = times.step(0, 0, 500, 0)
    assert np.allclose(served.first, whole * (1 + np.arange(8) / 4))


# ---- conservation ----


@pytest.mark.parametrize("rules", WAYS)
@pytest.mark.parametrize("kind", [Roofline, Pipeline])
@given(seed=st.integers(0, 10**6), capacity=st.floats(2e7, 5e8), rate=st.floats(0.5, 200))
def test_nothing_is_lost(rules, kind, seed, capacity, rate):
    requests = poisson(25, rate, seed, prompt=200, output=15)
    times = kind(replicas=2, cache_capacity=capacity, window=150)
    served = simulate(requests, times, rules)
    alone = [times.cache_bytes(p + o - 1) <= capacity for p, o in zip(requests.prompt, requests.output, strict=True)]
    assert (~served.refused).tolist() == alone
    done = ~served.refused
    assert np.all(served.admitted[done] >= requests.arrival[done])
    assert np.all(served.first[done] > served.admitted[done])
    assert np.all(served.last[done] >= served.first[done] - 1e-12)
    assert served.left_over == 0
    assert np.sum(served.queue[:, 1]) == 0
    check_tokens(served, requests, done, rules)
    assert served.passes.min(initial=0) >= 0
    in_flight, held = served.passes[:, 4], served.passes[:, 6]
    assert in_flight.max(initial=0) <= rules.slots
    assert held.max(initial=0) <= capacity * (1 + 1e-12) + 1
    if not served.preemptions.any():
        for order in served.admissions:
            entered = [i for i in order if served.replica[i] == served.replica[order[0]]]
            assert rules.prefill_replicas or entered == sorted(entered), "first come, first served"


def check_tokens(served, requests, done, rules):
    """Tokens out = tokens asked for; tokens of prompts filled = those given, less hits, plus those filled again."""
    _, _, passes, decodes, _, fresh, _, _ = served.passes.T
    again = served.preemptions.sum() > 0
    if rules.continuous:  # whoever is put back gets a token from each filling
        refills = np.sum(served.preemptions)
        assert passes @ decodes <= np.sum(requests.output[done] - 1) <= passes @ decodes + refills
    held = np.sum(served.hits[done])
    filled = np.sum(fresh)
    given = np.sum(requests.prompt[done])
    assert filled + held == given if not again else filled + held > given


def test_a_full_cache_puts_the_last_back():
    """Two that fit by themselves and not together: the second is put back, and filled again with what it had."""
    times = Roofline(cache_capacity=250 * 131072.0)
    served = simulate(trace([0.0, 0.0], [100, 100], [80, 80]), times, Rules(chunk=0))
    assert served.preemptions.tolist() == [0, 1]
    assert served.last[0] < served.last[1]
    assert np.sum(served.passes[:, 5]) > 200


def test_blocks_that_were_filled_are_not_filled_again():
    """Three prompts of the same two blocks and one more: with room for them, only the first is filled whole; with room
    for none, all are; the least recently used goes first."""
    from dataclasses import replace

    same = replace(trace([0.0, 5.0, 10.0], [1200] * 3, [2] * 3), blocks=((1, 2, 3), (1, 2, 4), (1, 2, 3)))
    block = 512 * 131072.0
    for blocks, hits in ((0, [0, 0, 0]), (2, [0, 1024, 1024]), (10, [0, 1024, 1199])):
        served = simulate(same, Roofline(), Rules(prefix_cache=blocks * block))
        assert served.hits.tolist() == hits


def test_bytes_of_sequences_are_asked_for_once():
    times = Roofline(window=3000)
    table = cache_table(times, 100_000)
    assert len(table) == 100_001
    for context in (0, 1, 2999, 3000, 3001, 100_000):
        assert table[context] == pytest.approx(times.cache_bytes(context), rel=1e-3)


def test_all_fillers_and_no_decoder_is_refused():
    with pytest.raises(ValueError, match=r"prefill_replicas: 2 of 2 replicas"):
        simulate(trace([0.0], [10], [2]), Constant(replicas=2), Rules(prefill_replicas=2))
