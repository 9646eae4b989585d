"""Experts: how many are touched and reached, against throws of dice; what a busy set does; what is sent where."""

from __future__ import annotations

import math

import numpy as np
import pytest
from counting import macs

from models.experts import MixtureOfExperts
from models.feedforward import GatedFeedForward
from models.operators import AllReduce, ExpertProduct, Gather, Shuffle, Work
from models.parallelism import Cut

THROWS = 4000  # the spread of a mean is below 0.5 % of it
NEAR = 0.015  # three of those spreads
HIDDEN = 256.0


def experts(routed: int, top_k: int, **given: object) -> MixtureOfExperts:
    return MixtureOfExperts(float(routed), float(top_k), 64.0, **given)  # type: ignore[arg-type]


def thrown(routed: int, top_k: int, tokens: int) -> np.ndarray:
    """Which experts each token goes to, all equally likely: [throws, tokens, top_k]."""
    scores = np.random.default_rng(0).random((THROWS, tokens, routed))
    return np.argpartition(scores, top_k - 1, axis=-1)[..., :top_k]


def used(work: Work) -> list[object]:
    """Exchanges that more than one device takes part in."""
    return [one for one in work.exchanges if float(one.span.devices) > 1]


@pytest.mark.parametrize(("routed", "top_k", "tokens"), [(8, 2, 1), (8, 2, 5), (32, 4, 12), (128, 8, 20), (16, 1, 30)])
def test_touched_experts_are_those_of_random_routing(routed: int, top_k: int, tokens: int) -> None:
    counts = [len(np.unique(throw)) for throw in thrown(routed, top_k, tokens)]
    found = float(experts(routed, top_k).touched(float(tokens), Cut()))
    assert found == pytest.approx(np.mean(counts), rel=NEAR)


@pytest.mark.parametrize(("routed", "top_k", "sets"), [(8, 2, 4), (8, 2, 8), (32, 4, 8), (128, 8, 16), (256, 8, 256)])
def test_reached_sets_are_those_of_random_routing(routed: int, top_k: int, sets: int) -> None:
    """Against the hypergeometric answer: 0.5 %, which is what drawing from the mean of what is left costs."""
    size = routed // sets
    missed = math.comb(routed - size, top_k) / math.comb(routed, top_k)
    cut = Cut(1.0, 1.0, float(sets), float(sets))
    assert float(experts(routed, top_k).sets(cut)) == pytest.approx(sets * (1 - missed), rel=0.005)


def test_limits_of_touching() -> None:
    """One token touches top_k; very many touch all; where all are chosen, all are touched."""
    assert float(experts(8, 2).touched(1.0, Cut())) == 2
    assert float(experts(8, 2).touched(1e4, Cut())) == 8
    assert float(experts(8, 8).touched(1.0, Cut())) == 8
    assert float(experts(64, 2).sets(Cut())) == 1
    assert float(experts(64, 64).sets(Cut(1.0, 1.0, 8.0, 8.0))) == pytest.approx(8, rel=1e-6)


def test_a_set_that_has_work_has_an_expert_that_works() -> None:
    """One token over 64 devices: the step waits for whole experts, of which few devices have one."""
    after, cut = experts(64, 2), Cut(1.0, 1.0, 64.0, 64.0)
    assert float(after.touched(1 / 64, cut)) == 1
    products = [one for one in after.work(HIDDEN, 1 / 64, cut).operators if isinstance(one, ExpertProduct)]
    assert [float(one.products) for one in products] == [1, 1]


@pytest.mark.parametrize("imbalance", [1.0, 1.5, 100.0])
def test_the_busiest_set_has_so_many_times_the_mean(imbalance: float) -> None:
    """And never more than all; on one set there is no busiest."""
    even, uneven, cut = experts(16, 2), experts(16, 2, imbalance=imbalance), Cut(1.0, 1.0, 4.0, 4.0)
    ratio = macs(uneven.work(HIDDEN, 64.0, cut), ExpertProduct) / macs(even.work(HIDDEN, 64.0, cut), ExpertProduct)
    assert ratio == pytest.approx(min(imbalance, 4.0), rel=1e-12)
    alone = [macs(one.work(HIDDEN, 64.0, Cut(4.0)), ExpertProduct) for one in (even, uneven)]
    assert alone[0] == alone[1]


@pytest.mark.parametrize(("sets", "tokens"), [(8, 256), (32, 1024)])
def test_chance_alone_makes_no_set_busier_than_said(sets: int, tokens: int) -> None:
    """The largest of S normal deviates is below sqrt(2 ln S) on average, and above 0.7 of it from S = 8 on."""
    rng, k = np.random.default_rng(1), 2
    loads = rng.multinomial(tokens * k, [1 / sets] * sets, size=2000).max(axis=1) * sets / (tokens * k)
    said = math.sqrt(2 * sets * math.log(sets) / (tokens * k))
    assert 0.65 * said < loads.mean() - 1 < said


def test_one_group_sums_up_as_tensor_parallel_layers_do() -> None:
    for expert in (1.0, 2.0, 8.0):
        (exchange,) = used(experts(16, 2).work(HIDDEN, 10.0, Cut(8.0, expert=expert)))
        assert isinstance(exchange, AllReduce)
        assert float(exchange.elements) == 10 * HIDDEN


def test_whole_experts_on_devices_with_tokens_of_their_own() -> None:
    """Attention on every device by itself: each token goes to the sets that it touches, and comes back."""
    after, cut = experts(64, 4), Cut(1.0, 1.0, 16.0, 16.0)
    there, back = used(after.work(HIDDEN, 10.0, cut))
    assert isinstance(there, Shuffle)
    assert isinstance(back, Shuffle)
    assert (float(there.partial), float(back.partial)) == (0, 1)
    assert float(there.elements) == float(back.elements) == 10 * HIDDEN * float(after.sets(cut))


def test_experts_cut_over_all_gather_all_tokens() -> None:
    """One set: all tokens are gathered on all devices, and partial sums scattered again."""
    gathered, scattered = used(experts(64, 4).work(HIDDEN, 10.0, Cut(1.0, 1.0, 16.0, 1.0)))
    assert isinstance(gathered, Gather)
    assert isinstance(scattered, Gather)
    assert (float(gathered.partial), float(scattered.partial)) == (0, 1)
    assert float(gathered.elements) == float(scattered.elements) == 160 * HIDDEN


def test_groups_and_sets_and_slices() -> None:
    """Two groups of four devices, four sets of two: what a set's devices gather is what all tokens send to the set."""
    after, cut, tokens = experts(64, 4), Cut(4.0, 1.0, 2.0, 4.0), 12.0
    there, gathered, scattered, back, spread = used(after.work(HIDDEN, tokens, cut))
    kinds = [type(one) for one in (there, gathered, scattered, back, spread)]
    assert kinds == [Shuffle, Gather, Gather, Shuffle, Gather]
    sent_to_a_set = 2 * tokens * float(after.sets(cut)) / 4 * HIDDEN
    assert float(gathered.elements) == pytest.approx(sent_to_a_set, rel=1e-12)  # type: ignore[attr-defined]
    assert float(there.elements) * 8 == pytest.approx(4 * sent_to_a_set, rel=1e-12)  # type: ignore[attr-defined]
    assert float(spread.elements) == tokens * HIDDEN  # type: ignore[attr-defined]
    assert float(spread.span.devices) == 4  # type: ignore[attr-defined]


def test_shared_experts_are_a_feed_forward_beside() -> None:
    shared = GatedFeedForward(32.0)
    alone, beside = experts(64, 4), experts(64, 4, shared=shared)
    cut = Cut(4.0, 1.0, 2.0, 4.0)
    more = macs(beside.work(HIDDEN, 8.0, cut)) - macs(alone.work(HIDDEN, 8.0, cut))
    assert more == macs(shared.work(HIDDEN, 8.0, cut))
    assert beside.parameters(HIDDEN) - alone.parameters(HIDDEN) == shared.parameters(HIDDEN)
    *_, last = used(beside.work(HIDDEN, 8.0, cut))
    assert isinstance(last, AllReduce)  # its partial sums are over all devices that share a token


def test_whole_numbers_of_experts_and_devices() -> None:
    after = experts(16, 2)
    assert bool(after.is_whole(Cut(4.0, 1.0, 2.0, 8.0)))
    assert not bool(after.is_whole(Cut(3.0, 1.0, 1.0, 3.0)))  # experts
    assert not bool(after.is_whole(Cut(2.0, 1.0, 1.0, 4.0)))  # devices


def test_weights_are_paid_for_where_they_are_fetched() -> None:
    """A token on 64 sets of four experts wakes at most eight of them; the time is that of a set which has one."""
    after, cut = experts(256, 8), Cut(1.0, 1.0, 64.0, 64.0)
    product = next(o for o in after.work(64.0, 1 / 64, cut).operators if isinstance(o, ExpertProduct))
    assert float(product.products) == 1
    assert 64 * float(product.products * product.spent) == pytest.approx(8, rel=1e-9)
