"""What must come out at the ends: nothing to exchange, endless bandwidth, arrays that never wait, perfect dies."""

from __future__ import annotations

import random
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import candidate, degrees, mapping, telling

from dse.evaluation.evaluate import Candidate, evaluate
from dse.evaluation.metrics import Mapping
from dse.evaluation.step import moved
from hw.engine import WeightStationaryArray
from models.operators import AllReduce, Gather, Work
from models.parallelism import Cut, Span

ENDLESS = 1e15  # times the bandwidth: what is left of a transfer is far below a rounding of its latency
ROUNDING = 1e-9  # relative: sums of some thousand doubles
MM2 = 1e-6
SHARES = ("shares", "energy_shares", "cost_shares", "carbon_shares", "power_shares")
BANDWIDTHS = (("pad_rate", "bank_width", "bandwidth"), ("width",), ("bandwidth",))  # of a tier, whatever its kind
FEW = settings(max_examples=25)  # nothing is compiled here, so an example takes some 20 ms
LARGE = ("corsair_server", "squadrack_fabrex", "raptor_server", "dgx_h100")


def replaced(component: Any, **values: Any) -> Any:
    """The component with other numbers."""
    names = list(values)
    return eqx.tree_at(lambda it: [getattr(it, name) for name in names], component, [values[name] for name in names])


def with_link(found: Candidate, level: str, **values: float) -> Candidate:
    """The candidate with another link at one level."""
    link = replaced(found.hw.levels[level].link, **values)
    return eqx.tree_at(lambda it: it.hw.levels[level].link, found, link)


def token_time(found: Candidate, laid: Mapping) -> float:
    return float(evaluate(found, laid).metrics.time_per_output_token)


def some_degrees(found: Candidate, at_most: int = 6) -> list[tuple[int, int]]:
    """A few of the tensor and pipeline degrees that tile the machine, always the same."""
    every = degrees(found)
    return sorted(random.Random(0).sample(every, min(at_most, len(every))))


# ---- memory -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", telling())
def test_with_endless_bandwidth_a_tier_takes_its_latency(system: str) -> None:
    found = candidate(f"hw={system}")
    chip, state = found.hw.chip, found.hw.chip.settle(found.format)
    for tier, there in zip(chip.tiers, state.tiers, strict=True):
        names = next(names for names in BANDWIDTHS if hasattr(tier, names[0]))
        endless = replaced(tier, **{name: getattr(tier, name) * ENDLESS for name in names})
        assert float(endless.read_time(1e10, there)) == pytest.approx(tier.latency, rel=1e-3)  # 10 GB at 1e25 B/s: 1 fs
        assert float(tier.read_time(1e10, there)) > 10 * tier.latency
        assert float(tier.read_time(0.0, there)) == 0.0


@pytest.mark.parametrize("system", telling())
def test_a_tier_without_latency_moves_its_capacity_in_capacity_over_bandwidth(system: str) -> None:
    found = candidate(f"hw={system}")
    chip, state = found.hw.chip, found.hw.chip.settle(found.format)
    for tier, there in zip(chip.tiers, state.tiers, strict=True):
        held, rate = float(tier.bytes_held(there)), float(tier.bandwidth_sustained(there))
        assert float(replaced(tier, latency=0.0).read_time(held, there)) == pytest.approx(held / rate, rel=ROUNDING)


# ---- exchanges --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", telling())
def test_one_chip_has_nothing_to_exchange(system: str) -> None:
    answer = evaluate(candidate(f"hw={system}"), mapping(1, 1))
    assert float(answer.shares.exchange) == 0.0
    assert float(answer.shares.bubble) == 0.0
    assert float(answer.energy_shares.exchange) == 0.0


@pytest.mark.parametrize("system", telling())
def test_hidden_exchange_leaves_only_the_hops(system: str) -> None:
    found = candidate(f"hw={system}", "hw.runtime.hidden_exchange=1")
    assert float(evaluate(found, mapping(4 if system != "corsair_card" else 8, 1)).shares.exchange) == 0.0


@pytest.mark.parametrize("system", LARGE)
def test_a_link_matters_where_the_group_crosses_it(system: str) -> None:
    """A level's link slows a token where tensor groups or chains of stages cross that level, and nowhere else.

    One sequence: with more, hops may pass unseen while the fullest stage works on the others.
    """
    found = candidate(f"hw={system}")
    for tensor, pipeline in some_degrees(found):
        laid, inside = mapping(tensor, pipeline, batch=1), 1
        before = token_time(found, laid)
        for name, level in found.hw.levels.items():
            crossed = inside < tensor * pipeline
            slow = token_time(with_link(found, name, bandwidth=level.link.bandwidth / 1e3), laid)
            assert (slow > before * (1 + ROUNDING)) == (crossed and level.fanout > 1), (tensor, pipeline, name)
            inside *= int(level.fanout)


@pytest.mark.parametrize("system", LARGE)
def test_a_group_of_one_costs_nothing(system: str) -> None:
    group = candidate(f"hw={system}").hw.network.group(1.0)
    for sent in (group.all_reduce(1e6, 5e5), group.all_gather(1e6), group.reduce_scatter(1e6)):
        assert (float(sent.time), float(sent.energy)) == (0.0, 0.0)
    hops = candidate(f"hw={system}").hw.network.hops(1e6, 1.0, 4.0)
    assert (float(hops.time), float(hops.energy)) == (0.0, 0.0)


sizes = st.floats(min_value=1.0, max_value=1e9)


@FEW
@given(small=sizes, more=st.floats(1.0, 1e3), devices=st.sampled_from([2, 4, 8, 16, 32, 64, 128, 512]))
def test_collectives_take_no_less_for_more(small: float, more: float, devices: int) -> None:
    group = candidate("hw=squadrack_fabrex").hw.network.group(float(devices))
    for ask in (lambda s: group.all_reduce(s, s / 2), lambda s: group.all_gather(s)):
        one, other = ask(small), ask(small * more)
        assert float(other.time) >= float(one.time) * (1 - ROUNDING)
        assert float(other.energy) >= float(one.energy) * (1 - ROUNDING)


@FEW
@given(size=sizes, devices=st.sampled_from([2, 4, 8, 16, 64, 512]))
def test_an_all_reduce_is_no_faster_than_its_slowest_level_allows(size: float, devices: int) -> None:
    """At the outermost level each part must at least send its half of what differs, and wait once for the link."""
    network = candidate("hw=squadrack_fabrex").hw.network
    group = network.group(float(devices))
    outermost = next(step for step in group.steps if bool(step.outermost))
    least = float(outermost.link.latency) + (outermost.parts - 1) / outermost.parts * size / outermost.link.rate()
    assert float(group.all_reduce(size, size).time) >= float(least) * (1 - ROUNDING)
    assert float(group.all_reduce(size, size).time) >= float(group.all_gather(size).time) * (1 - ROUNDING)


def energy_of(found: Candidate, exchange: Any) -> Any:
    """Joules of one exchange, as a step has them."""
    (move,) = moved(found.hw.network, [Work((), (exchange,))], found.format)
    return move.energy


def test_an_all_reduce_counts_every_device() -> None:
    """Over one level, n devices send (n-1)/n of the sums and as much of the totals, where messages are long."""
    found = candidate("hw=corsair_card")
    link, formats = found.hw.levels["package"].link, found.format
    told = energy_of(found, AllReduce(1e6, Span(4.0)))
    expected = 4 * 3 / 4 * 1e6 * (formats.exchange.bytes + formats.gathered.bytes) * link.energy
    assert float(told) == pytest.approx(expected, rel=ROUNDING)


def test_a_context_exchange_counts_every_group() -> None:
    """32 devices and 8 key-value heads: eight groups of four chiplets, each on its own package, exchange at once."""
    found = candidate("hw=corsair_server")
    link, formats = found.hw.levels["package"].link, found.format
    told = energy_of(found, Gather(1000.0, Cut(32.0, sequence=4.0).context_span, 1.0))
    expected = 8 * 4 * 3 / 4 * 1000 * formats.exchange.bytes * link.energy
    assert float(told) == pytest.approx(expected, rel=ROUNDING)


def test_groups_that_stand_apart_share_the_links_between_them() -> None:
    """One device of each of eight servers, sixty-four such groups: a server's port carries what all devices send."""
    network, size = candidate("hw=squadrack_ethernet").hw.network, 64e6
    rack = network.levels[-1].link
    group = network.group(8.0, 64.0, 64.0)
    hand = 64 * size * 7 / 8 / rack.rate()
    assert float(group.all_to_all(size).time) == pytest.approx(float(hand), rel=0.01)  # and a hop
    assert float(group.all_gather(size).time) == pytest.approx(float(hand), rel=0.01)
    alone = network.group(8.0, 64.0, 1.0)  # one group alone shares links all the same: its neighbours do as it does
    assert float(group.all_reduce(size, size).energy) == pytest.approx(64 * float(alone.all_reduce(size, size).energy))


def test_messages_of_many_groups_share_the_way_to_the_next_stage() -> None:
    """Four groups in a server send through its one port; four groups over four cards have a link each."""
    network, size = candidate("hw=squadrack_ethernet").hw.network, 1e6
    one, four = (float(network.hops(size, 2.0, 64.0, n).time) for n in (1.0, 4.0))
    latency = float(network.hops(0.0, 2.0, 64.0).time)
    assert four - latency == pytest.approx(4 * (one - latency), rel=1e-9)
    assert float(network.hops(size, 2.0, 64.0, 4.0).energy) == pytest.approx(
        4 * float(network.hops(size, 2.0, 64.0).energy)
    )


def test_hops_cross_every_border_once_and_come_back() -> None:
    """Eight stages on two packages of four: three borders inside each, one between them, and the way back over that.

    A chiplet has a wire to each of three others, a package one to the other.
    """
    found, size = candidate("hw=corsair_card").hw, 1e6
    inner, outer = (found.levels[name].link for name in ("package", "card"))
    once = [link.latency + size / link.rate() * wires for link, wires in ((inner, 3), (outer, 1))]
    moved = found.network.hops(size, 8.0, 1.0)
    assert float(moved.time) == pytest.approx(6 * once[0] + 2 * once[1], rel=ROUNDING)
    assert float(moved.energy) == pytest.approx((6 * inner.energy + 2 * outer.energy) * size, rel=ROUNDING)


# ---- the weight-stationary array --------------------------------------------------------------------------------


def array(system: str = "corsair_card") -> WeightStationaryArray:
    found = candidate(f"hw={system}").hw.chip.engine
    assert isinstance(found, WeightStationaryArray)
    return found


def cold(system: str = "corsair_card") -> Any:
    return candidate(f"hw={system}").hw.chip.cold()


def number(name: str) -> Any:
    return candidate(f"format={name}").format.weights


@pytest.mark.parametrize("held", ["mxint8", "mxint4"])
@pytest.mark.parametrize("tiles", [(16, 16), (16, 32), (64, 64)])  # one, two and sixteen rounds of all 256 cores
def test_many_vectors_reach_the_peak(held: str, tiles: tuple[int, int]) -> None:
    """With whole tiles on all cores only the first fill is lost: 66 clocks of at least 8192, below 1 %."""
    engine, fed = array(), number("mxint8")
    m, k, n = 4096.0, 64.0 * tiles[0], float(engine.wide_columns(number(held))) * tiles[1]
    taken = max(engine.time(m, k, n, 1.0, number(held), fed, cold()))
    assert float(taken * engine.peak_rate(number(held), fed, cold()) / (2 * m * k * n)) == pytest.approx(1.0, abs=0.02)


def test_peaks_are_those_of_the_data_sheet() -> None:
    """Corsair: 2400 TOPS at INT8, four times as many at INT4, and 150 TB/s, over 8 chiplets; given to two digits."""
    engine, eight, four = array(), number("mxint8"), number("mxint4")
    assert 8 * float(engine.peak_rate(eight, eight, cold())) == pytest.approx(2400e12, rel=0.005)
    assert 8 * float(engine.peak_fill(cold())) == pytest.approx(150e12, rel=0.005)
    assert float(engine.peak_rate(four, four, cold()) / engine.peak_rate(eight, eight, cold())) == 4.0


@pytest.mark.parametrize("scale_bits", [0.0, 8.0])
def test_the_ridge_is_at_eight_vectors(scale_bits: float) -> None:
    """A tile of 64 x 64 bytes fills in 64 clocks, a vector takes 8: up to 8 vectors wait for the weights."""
    engine, fed = array(), number("mxint8")
    held = replaced(fed, scale_bits=scale_bits)
    rounds = 4096.0  # so that the first fill does not matter
    k, n = 64.0 * 64, 64.0 * 64 * rounds / 16
    waits = [m for m in range(1, 32) if (lambda t: t[1] > t[0])(engine.time(float(m), k, n, 1.0, held, fed, cold()))]
    assert max(waits) == 8 - (scale_bits == 0)  # without scales the two tie at 8


def test_narrower_weights_widen_the_array() -> None:
    engine, eight, four = array(), number("mxint8"), number("mxint4")
    assert float(engine.wide_columns(four)) == 2 * float(engine.wide_columns(eight))
    wide = engine.time(4096.0, 4096.0, 8192.0, 1.0, eight, eight, cold())[0]
    assert float(engine.time(4096.0, 4096.0, 8192.0, 1.0, four, eight, cold())[0] / wide) == pytest.approx(
        0.5, rel=0.01
    )
    assert float(engine.time(4096.0, 4096.0, 8192.0, 1.0, four, four, cold())[0] / wide) == pytest.approx(
        0.25, rel=0.01
    )


@FEW
@given(
    m=st.integers(1, 300), k=st.integers(1, 5000), n=st.integers(1, 5000), products=st.integers(1, 64),
    system=st.sampled_from(["corsair_card", "dgx_h100"]),
)  # fmt: skip
def test_no_engine_beats_its_peak(m: int, k: int, n: int, products: int, system: str) -> None:
    engine, eight = candidate(f"hw={system}").hw.chip.engine, number("mxint8")
    taken = float(max(engine.time(float(m), float(k), float(n), float(products), eight, eight, cold(system))))
    assert taken >= 2 * m * k * n * products / float(engine.peak_rate(eight, eight, cold(system))) * (1 - ROUNDING)


# ---- dies, supply, heat -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["corsair_card", "raptor_card", "dgx_h100"])
@FEW
@given(area=st.floats(50.0, 900.0), larger=st.floats(1.001, 2.0))
def test_larger_dies_yield_less_and_cost_more(system: str, area: float, larger: float) -> None:
    """From 50 mm2, more than in proportion; below, the scribe lanes between the dies matter more."""
    process = candidate(f"hw={system}").hw.chip.process
    one, other = (process.die_yield(a * MM2) for a in (area, area * larger))
    assert 0 < float(other) < float(one) <= 1
    assert float(process.die_cost(area * larger * MM2)) > float(process.die_cost(area * MM2)) * larger
    assert 1 < float(process.dies_per_wafer(area * MM2)) < 3.1416 * 150**2 / area


def test_a_die_without_defects_always_works() -> None:
    process = replaced(candidate("hw=corsair_card").hw.chip.process, defect_density=0.0)
    assert float(process.die_yield(800 * MM2)) == 1.0


@pytest.mark.parametrize("system", ["corsair_card", "dgx_h100"])
def test_the_supply_passes_through_both_points(system: str) -> None:
    supply = candidate(f"hw={system}").hw.chip.supply
    assert float(supply.voltage(supply.low_frequency)) == pytest.approx(supply.low_voltage, rel=ROUNDING)
    assert float(supply.voltage(supply.high_frequency)) == pytest.approx(supply.high_voltage, rel=ROUNDING)
    middle = (supply.low_frequency + supply.high_frequency) / 2
    assert float(supply.voltage(middle)) == pytest.approx((supply.low_voltage + supply.high_voltage) / 2, rel=ROUNDING)
    assert float(supply.voltage(1e6)) == supply.floor_voltage
    nominal = replaced(supply, nominal_voltage=float(supply.voltage(1.1e9)))
    assert float(nominal.energy_scale(1.1e9)) == pytest.approx(1.0, rel=ROUNDING)


@pytest.mark.parametrize("system", telling())
def test_shares_sum_to_one(system: str) -> None:
    found = candidate(f"hw={system}", "serving=chat")
    for tensor, pipeline in some_degrees(found, 3):
        answer = evaluate(found, mapping(tensor, pipeline, batch=5))
        for parts in (vars(getattr(answer, name)) for name in SHARES):
            assert sum(float(part) for part in parts.values()) == pytest.approx(1.0, rel=ROUNDING)
            assert all(float(part) >= 0 for part in parts.values())


@pytest.mark.parametrize(("tensor", "pipeline"), [(8, 1), (4, 2), (2, 4), (1, 8)])
def test_energy_does_not_depend_on_how_work_is_cut(tensor: int, pipeline: int) -> None:
    """Products and what they hold still cost the same wherever they are done, as all of them divide by eight."""
    found = candidate("hw=corsair_card", "serving=interactive")  # prompts are filled elsewhere

    def joules(laid: Mapping, cause: str) -> float:
        answer = evaluate(found, laid)
        return float(getattr(answer.energy_shares, cause) * answer.metrics.energy_per_token)

    one, cut = mapping(1, 1, batch=8), mapping(tensor, pipeline, batch=8)
    assert joules(cut, "compute") == pytest.approx(joules(one, "compute"), rel=ROUNDING)
    # Stages step smaller batches, so weights are read once more for each; a batch of 8 over p stages makes p steps.
    assert joules(cut, "weights") == pytest.approx(pipeline * joules(one, "weights"), rel=ROUNDING)


def test_twice_as_many_machines_cost_and_serve_twice_as_much() -> None:
    """Replicas share nothing: a rack of two servers is two servers, the rack itself apart."""
    alone = candidate("hw=squadrack_fabrex", "hw.levels.rack.fanout=1", "hw.levels.rack.power=0 W")
    pair = candidate("hw=squadrack_fabrex", "hw.levels.rack.fanout=2", "hw.levels.rack.power=0 W")
    pair = with_link(pair, "rack", part_power=0.0)
    one, two = evaluate(alone, mapping(8, 1, data=8)).metrics, evaluate(pair, mapping(8, 1, data=16)).metrics
    assert float(two.time_per_output_token) == pytest.approx(float(one.time_per_output_token), rel=ROUNDING)
    for name in ("tokens_per_second", "power", "silicon_area"):
        assert float(getattr(two, name)) == pytest.approx(2 * float(getattr(one, name)), rel=ROUNDING), name
    assert float(two.energy_per_token) == pytest.approx(float(one.energy_per_token), rel=ROUNDING)
    assert jnp.isfinite(two.cost_per_million_tokens)
