"""Topologies and their collectives: formulas against messages played one by one, limits, bounds, slopes."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict, defaultdict
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import arrays, links

from hw.grid import CubicTorus, Mesh, Ring, Torus
from hw.link import Link
from hw.network import Level, Network
from hw.protocol import AllAtOnce, Halving, OneShot, PartByPart
from hw.topology import AllToAll, Switch, SwitchTree

ROUNDING = 1e-9  # relative: sums of some hundred doubles
FEW = settings(max_examples=25)
BANDWIDTH, LATENCY, ENERGY, SHARE = 100e9, 1e-6, 1e-12, 0.5
RATE = BANDWIDTH * SHARE
COMMON = {
    "bandwidth": BANDWIDTH, "latency": LATENCY, "energy": ENERGY, "sustained_fraction": SHARE, "part_power": 0.0,
    "part_cost": 0.0,
}  # fmt: skip
DIRECT, RING, TORUS, MESH = (
    AllToAll(**COMMON),
    Ring(**COMMON),
    Torus(**COMMON, columns=4.0),
    Mesh(**COMMON, columns=4.0),
)
CUBE = CubicTorus(**COMMON, columns=2.0, rows=2.0)
SWITCH = Switch(**COMMON, reduction_fraction=0.0, reduction_latency=0.0)
REDUCING = Switch(**COMMON, reduction_fraction=SHARE, reduction_latency=0.0)
TREE = SwitchTree(**COMMON, leaf=4.0, oversubscription=4.0)
EVERY = {
    "direct": DIRECT, "ring": RING, "torus": TORUS, "mesh": MESH, "cube": CUBE, "switch": SWITCH, "reducing": REDUCING,
    "tree": TREE,
}  # fmt: skip
COLLECTIVES = ("all_gather", "reduce_scatter", "all_to_all", "one_shot")


def ask(link: Any, collective: str, size: Any, parts: Any, of: Any = None) -> Any:
    if collective == "all_reduce":
        return link.all_reduce(size, size, parts, of)
    return getattr(link, collective)(size, parts, of)


# ---- every message, one by one ----------------------------------------------------------------------------------


class Wires:
    """Directed wires between numbered parts, each of some bytes a second; a round ends when its last message is in."""

    def __init__(self, rate: float) -> None:
        self.rate, self.seconds, self.moved = rate, 0.0, 0.0

    def play(self, messages: list[tuple[int, int, float]]) -> None:
        loads: dict[tuple[int, int], float] = defaultdict(float)
        for start, end, size in messages:
            loads[start, end] += size
        self.moved += sum(loads.values())
        self.seconds += LATENCY + max(loads.values()) / self.rate


def played_ring(parts: int, size: float) -> tuple[Wires, list[np.ndarray]]:
    """An all-reduce of real numbers around a ring, half of the data each way; the sums that every part ends with."""
    wires, rng = Wires(RATE / 2), np.random.default_rng(parts)
    held = [rng.random((2, parts)) for _ in range(parts)]  # [way, chunk]
    wanted = sum(held)
    for phase, turn in itertools.product((0, 1), range(parts - 1)):
        messages, arriving = [], []
        for part, way in itertools.product(range(parts), (0, 1)):
            step = 1 if way == 0 else -1
            chunk = (part - step * (turn - phase)) % parts
            peer = (part + step) % parts
            messages.append((part, peer + parts * way, size / 2 / parts))  # two parts have two wires between them
            arriving.append((peer, way, chunk, held[part][way, chunk]))
        wires.play(messages)
        for peer, way, chunk, value in arriving:
            held[peer][way, chunk] = value + (held[peer][way, chunk] if phase == 0 else 0.0)
    assert all(np.allclose(sums, wanted) for sums in held)
    return wires, held


@pytest.mark.parametrize("parts", [2, 3, 4, 7, 8])
def test_a_ring_takes_as_long_as_its_messages(parts: int) -> None:
    size = 1e6
    wires, _ = played_ring(parts, size)
    found = RING.two_phase(size, size, float(parts))
    assert float(found.time) == pytest.approx(wires.seconds, rel=ROUNDING)
    assert float(found.energy) == pytest.approx(wires.moved * ENERGY, rel=ROUNDING)


@pytest.mark.parametrize(("parts", "of"), [(2, 2), (4, 4), (3, 8), (8, 8)])
def test_direct_wires_take_as_long_as_their_messages(parts: int, of: int) -> None:
    """Everyone sends everyone its share of the sums, then its totals."""
    size, wires = 1e6, Wires(RATE / (of - 1))
    pairs = list(itertools.permutations(range(parts), 2))
    for _ in range(2):
        wires.play([(one, other, size / parts) for one, other in pairs])
    found = DIRECT.two_phase(size, size, float(parts), float(of))
    assert float(found.time) == pytest.approx(wires.seconds, rel=ROUNDING)
    assert float(found.energy) == pytest.approx(wires.moved * ENERGY, rel=ROUNDING)
    short = Wires(RATE / (of - 1))
    short.play([(one, other, 100.0) for one, other in pairs])
    assert float(DIRECT.all_reduce(100.0, 100.0, float(parts), float(of)).time) <= short.seconds * (1 + ROUNDING)


def played_torus(sides: tuple[int, ...], size: float) -> Wires:
    """A reduce-scatter over a torus of equal sides: one beginning at each dimension, on its share of the data."""
    wires, dims = Wires(RATE / len(sides) / 2), len(sides)
    places = list(itertools.product(*(range(side) for side in sides)))
    number = {place: i for i, place in enumerate(places)}
    for phase in range(dims):
        for _ in range(sides[0] - 1):
            messages = []
            for place, start, way in itertools.product(places, range(dims), (1, -1)):
                along, left = (start + phase) % dims, size / dims / 2 / math.prod(sides[:1] * phase)
                peer = tuple((x + way) % sides[along] if i == along else x for i, x in enumerate(place))
                lane = len(places) * (along * 2 + (way > 0))
                messages.append((number[place], number[peer] + lane, left / sides[along]))
            wires.play(messages)
    return wires


@pytest.mark.parametrize("sides", [(4, 4), (3, 3), (3, 3, 3), (2, 2, 2)])
def test_a_torus_takes_as_long_as_its_messages(sides: tuple[int, ...]) -> None:
    size, parts, side = 1e6, float(math.prod(sides)), float(sides[0])
    link = Torus(**COMMON, columns=side) if len(sides) == 2 else CubicTorus(**COMMON, columns=side, rows=side)
    wires, found = played_torus(sides, size), link.reduce_scatter(size, parts)
    assert float(found.time) == pytest.approx(wires.seconds, rel=ROUNDING)
    assert float(found.energy) == pytest.approx(wires.moved * ENERGY, rel=ROUNDING)
    assert float(link.gathering(parts).traffic) == pytest.approx((parts - 1) / parts, rel=ROUNDING)


def routes(link: Link, parts: int) -> tuple[float, float]:
    """The busiest wire, and bytes times hops, of an all-to-all of one byte a part, routed row, then column."""
    columns = 1 if isinstance(link, Ring) else 4
    sides, closed = (columns, parts // columns), not isinstance(link, Mesh)
    loads: dict[Any, float] = defaultdict(float)
    for one, other in itertools.permutations(itertools.product(*(range(side) for side in sides)), 2):
        for place, along, way, weight in walk(one, other, sides, closed):
            loads[place, along, way] += weight / parts
    return max(loads.values()), sum(loads.values())


def walk(one: tuple[int, ...], other: tuple[int, ...], sides: tuple[int, ...], closed: bool) -> list[Any]:
    """The wires from one place to another; a message to the opposite side of a ring goes half each way round."""
    found, here = [], list(one)
    for along, side in enumerate(sides):
        ahead = (other[along] - here[along]) % side
        ways = [(1, ahead), (-1, side - ahead)] if closed else [(1, other[along] - here[along])]
        ways = [(way if steps > 0 else -way, abs(steps)) for way, steps in ways] if ahead else []
        shortest = min((steps for _, steps in ways), default=0)
        ways = [(way, steps) for way, steps in ways if steps == shortest]
        for way, steps in ways:
            for step in range(steps):
                place = [*here[:along], (here[along] + way * step) % side, *here[along + 1 :]]
                found.append((tuple(place), along, way, 1 / len(ways)))
        here[along] = other[along]
    return found


@pytest.mark.parametrize(("link", "parts"), [(RING, 5), (RING, 8), (TORUS, 16), (TORUS, 32), (MESH, 16), (MESH, 24)])
def test_an_all_to_all_loads_its_busiest_wire(link: Link, parts: int) -> None:
    """Of both ends of the same routes: seconds of the busiest wire, joules of every hop."""
    busiest, hops = routes(link, parts)
    found = link.exchanging(float(parts))
    wires = 2 if isinstance(link, Ring) else 4  # of a part
    assert float(found.traffic) == pytest.approx(busiest * wires, rel=ROUNDING)
    assert float(found.moved) == pytest.approx(hops, rel=ROUNDING)


# ---- limits and identities --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*EVERY, *links()])
def test_one_part_has_nothing_to_exchange(name: str) -> None:
    link = EVERY.get(name) or links()[name]
    for collective, of in itertools.product((*COLLECTIVES, "all_reduce"), (None, 8.0)):
        assert tuple(map(float, ask(link, collective, 1e6, 1.0, of))) == (0.0, 0.0), collective
    assert float(link.bisection(1.0)) == 0.0


def test_a_chip_without_levels_has_nothing_to_exchange() -> None:
    """One chip by itself: nothing is sent, over no level at all."""
    alone = Network(()).group(1.0)
    moved = (alone.all_reduce(1e6, 1e6), alone.all_gather(1e6), alone.reduce_scatter(1e6), alone.all_to_all(1e6))
    assert [(float(one.time), float(one.energy)) for one in moved] == [(0.0, 0.0)] * len(moved)


@pytest.mark.parametrize("name", EVERY)
def test_with_endless_bandwidth_only_hops_are_left(name: str) -> None:
    endless = eqx.tree_at(lambda it: it.bandwidth, EVERY[name], 1e30)
    hops = float(endless.gathering(12.0).hops)
    assert float(endless.all_gather(1e9, 12.0).time) == pytest.approx(hops * LATENCY, rel=ROUNDING)
    assert float(endless.all_reduce(1e9, 1e9, 12.0).time) == pytest.approx(hops * LATENCY, rel=ROUNDING)
    assert hops == {"ring": 11, "torus": 3 + 2, "mesh": 3 + 2, "cube": 1 + 1 + 2, "tree": 2}.get(name, 1)


@pytest.mark.parametrize("parts", [2.0, 3.0, 8.0, 64.0])
def test_a_ring_is_as_wide_as_direct_wires(parts: float) -> None:
    ring, direct = (eqx.tree_at(lambda it: it.latency, link, 0.0).two_phase(1e6, 1e6, parts) for link in (RING, DIRECT))
    assert float(ring.time) == pytest.approx(float(direct.time), rel=ROUNDING)
    assert float(RING.two_phase(1e6, 1e6, parts).time - ring.time) == pytest.approx(2 * (parts - 1) * LATENCY)


@pytest.mark.parametrize("collective", [*COLLECTIVES, "all_reduce"])
@pytest.mark.parametrize(("parts", "of"), [(8.0, 8.0), (3.0, 8.0), (1.0, 8.0)])
def test_a_torus_of_one_dimension_is_a_ring_with_half_its_wires_idle(collective: str, parts: float, of: float) -> None:
    flat = Torus(**{**COMMON, "bandwidth": 2 * BANDWIDTH}, columns=1.0)
    wanted = ask(RING, collective, 1e6, parts, of)
    assert [float(x) for x in ask(flat, collective, 1e6, parts, of)] == pytest.approx([float(x) for x in wanted])


def test_a_flat_tree_is_a_switch_and_a_tree_of_ones_has_thin_ports() -> None:
    flat = SwitchTree(**COMMON, leaf=8.0, oversubscription=4.0)
    ones = SwitchTree(**COMMON, leaf=1.0, oversubscription=4.0)
    thin = eqx.tree_at(lambda it: it.bandwidth, SWITCH, BANDWIDTH / 4)
    for collective, size in itertools.product((*COLLECTIVES, "all_reduce"), (1e2, 1e8)):
        for one, other in ((flat, SWITCH), (ones, thin)):
            found, wanted = ask(one, collective, size, 8.0), ask(other, collective, size, 8.0)
            assert [float(x) for x in found] == pytest.approx([float(x) for x in wanted], rel=ROUNDING), collective


def test_uplinks_are_shared() -> None:
    """Two leaves of four parts share an uplink of one part's bandwidth: bytes over it, counted by hand."""
    size = 1e9
    across = 4 * 4 / 8 * size  # each of four parts sends half of its data to the other leaf
    assert float(TREE.all_to_all(size, 8.0).time) == pytest.approx(LATENCY + across / RATE, rel=ROUNDING)
    inside, over = 3 / 4 * size, 1 / 2 * size  # scattered in the leaf, the four parts together hold the data once
    assert float(TREE.all_gather(size, 8.0).time) == pytest.approx(2 * LATENCY + (inside + over) / RATE, rel=ROUNDING)
    assert float(TREE.bisection(8.0)) == BANDWIDTH
    assert float(TREE.bisection(4.0)) == 2 * BANDWIDTH


@pytest.mark.parametrize(
    ("link", "parts", "wires"),
    [
        (DIRECT, 8, 16 / 7), (SWITCH, 8, 4), (RING, 8, 1), (TORUS, 16, 2), (MESH, 16, 1), (MESH, 32, 1), (TORUS, 32, 2),
        (CubicTorus(**COMMON, columns=4.0, rows=4.0), 64, 16 * 2 / 6),
    ],
)  # fmt: skip
def test_bisections_are_the_cut_wires(link: Link, parts: int, wires: float) -> None:
    """In bandwidths of a part: wires over the cut, over the wires of a part."""
    assert float(link.bisection(float(parts))) == pytest.approx(wires * BANDWIDTH, rel=ROUNDING)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("parts", [2.0, 4.0, 8.0, 24.0])
def test_an_all_to_all_is_no_faster_than_the_cut(name: str, parts: float) -> None:
    """Half of the parts send half of their data over the cut."""
    size, link = 1e9, EVERY[name]
    least = parts / 2 * size / 2 / float(link.bisection(parts) * SHARE)
    assert float(link.all_to_all(size, parts).time) >= least * (1 - ROUNDING)


@FEW
@given(size=st.floats(1.0, 1e10), parts=st.integers(2, 64), name=st.sampled_from([n for n in EVERY if n != "reducing"]))
def test_all_reduces_keep_the_bound_of_bandwidth(size: float, parts: int, name: str) -> None:
    """Patarasuk and Yuan 2009: each part must pass 2 (n-1)/n of the bytes; only a switch that adds up saves some."""
    found = EVERY[name].all_reduce(size, size, float(parts))
    assert float(found.time) >= 2 * (parts - 1) / parts * size / RATE * (1 - ROUNDING)


@pytest.mark.parametrize(
    ("link", "size", "parts", "seconds"),
    [
        (SWITCH, 1e9, 4, 2 * (LATENCY + 3 / 4 * 1e9 / RATE)),  # in two phases: bandwidth counts
        (SWITCH, 1e2, 4, LATENCY + 3 * 1e2 / RATE),  # one-shot: latency counts
        (REDUCING, 1e9, 4, 2 * LATENCY + 5 / 4 * 1e9 / RATE),  # the switch adds up
        (REDUCING, 1e9, 2, 2 * (LATENCY + 1 / 2 * 1e9 / RATE) - LATENCY),  # two parts: one-shot is as wide
        (REDUCING, 1e2, 4, LATENCY + 3 * 1e2 / RATE),
        (RING, 1e9, 4, 2 * (3 * LATENCY + 3 / 4 * 1e9 / RATE)),
    ],
)
def test_all_reduce_takes_the_fastest_way(link: Any, size: float, parts: int, seconds: float) -> None:
    assert float(link.all_reduce(size, size, float(parts)).time) == pytest.approx(seconds, rel=ROUNDING)


@pytest.mark.parametrize("size", [1e2, 1e9])
def test_energy_is_that_of_the_winner(size: float) -> None:
    moved = 8 * 7 * size if size < 1e3 else 2 * 7 * size
    assert float(SWITCH.all_reduce(size, size, 8.0).energy) == pytest.approx(moved * ENERGY, rel=ROUNDING)
    in_switch = 9 * size if size > 1e3 else moved
    assert float(REDUCING.all_reduce(size, size, 8.0).energy) == pytest.approx(in_switch * ENERGY, rel=ROUNDING)


# ---- protocols --------------------------------------------------------------------------------------------------

SOFT = {"launch": 5e-6, "step": 1e-6, "sustained_fraction": 0.8, "own_share": 0.0}


def spoken(*protocols: Any) -> Any:
    """A switch with these protocols."""
    named = OrderedDict((str(i), protocol) for i, protocol in enumerate(protocols))
    return Switch(**COMMON, reduction_fraction=0.0, reduction_latency=0.0, protocols=named)


@pytest.mark.parametrize(
    ("protocol", "rounds"), [(AllAtOnce(**SOFT), 1), (PartByPart(**SOFT), 7), (Halving(**SOFT), 3), (None, 0)]
)
def test_software_adds_its_rounds(protocol: Any, rounds: int) -> None:
    link, size = spoken(*([protocol] if protocol else [])), 1e9
    software = (5e-6 + rounds * 1e-6) if protocol else 0.0
    rate = BANDWIDTH * (0.8 if protocol else SHARE)
    assert float(link.all_gather(size, 8.0).time) == pytest.approx(LATENCY + software + 7 / 8 * size / rate)


def test_the_fastest_protocol_is_taken() -> None:
    quick, bulk = PartByPart(**{**SOFT, "sustained_fraction": 0.1}), PartByPart(**{**SOFT, "launch": 50e-6})
    for size in (1e3, 1e6, 1e9):
        alone = [float(spoken(one).two_phase(size, size, 8.0).time) for one in (quick, bulk)]
        assert float(spoken(quick, bulk).two_phase(size, size, 8.0).time) == pytest.approx(min(alone), rel=ROUNDING)


def test_own_bytes_count_once() -> None:
    with_own = spoken(PartByPart(**{**SOFT, "own_share": 0.5}))
    for collective, least in (("all_gather", 1), ("two_phase", 1)):
        given = (1e9, 1e9, 8.0) if collective == "two_phase" else (1e9, 8.0)
        more = getattr(with_own, collective)(*given).time - getattr(spoken(PartByPart(**SOFT)), collective)(*given).time
        assert float(more) == pytest.approx(least * 0.5 / 8 * 1e9 / (BANDWIDTH * 0.8), rel=1e-6)


def test_a_kernel_for_short_all_reduces_does_nothing_else() -> None:
    kernel, library = OneShot(**{**SOFT, "launch": 1e-6, "step": 0.0}), PartByPart(**SOFT)
    both, alone = spoken(kernel, library), spoken(library)
    assert float(both.all_reduce(1e3, 1e3, 8.0).time) < float(alone.all_reduce(1e3, 1e3, 8.0).time)
    for collective in ("all_gather", "all_to_all"):
        assert float(ask(both, collective, 1e3, 8.0).time) == float(ask(alone, collective, 1e3, 8.0).time)


# ---- levels -----------------------------------------------------------------------------------------------------


def network(*fanouts: float) -> Network:
    return Network(tuple(Level(SWITCH, fanout, 0.0, 0.0) for fanout in fanouts))


def test_an_all_to_all_over_levels_sends_every_byte_once() -> None:
    """Four parts of two devices: of eight shares one stays, one goes to the neighbour, six leave the part."""
    size, found = 8e6, network(2.0, 4.0).group(8.0).all_to_all(8e6)
    assert float(found.time) == pytest.approx(LATENCY + 2 * 6 * 1e6 / RATE, rel=ROUNDING)
    assert float(found.energy) == pytest.approx((8 * 1 + 8 * 6) / 8 * size * ENERGY, rel=ROUNDING)
    flat = network(8.0).group(8.0).all_to_all(size)
    assert float(flat.time) == pytest.approx(LATENCY + 7 / 8 * size / RATE, rel=ROUNDING)
    assert float(flat.energy) == pytest.approx(float(found.energy), rel=ROUNDING)


def test_groups_beside_each_other_take_the_same_time_and_twice_the_energy() -> None:
    one, two = network(2.0, 4.0).group(4.0), network(2.0, 4.0).group(4.0, copies=2.0)
    for moved, twice in (
        (one.all_reduce(1e6, 1e6), two.all_reduce(1e6, 1e6)),
        (one.all_to_all(1e6), two.all_to_all(1e6)),
    ):
        assert (float(twice.time), float(twice.energy)) == (float(moved.time), 2 * float(moved.energy))


# ---- slopes -----------------------------------------------------------------------------------------------------

TRIED = {**EVERY, "soft": spoken(OneShot(**SOFT), PartByPart(**{**SOFT, "own_share": 0.4}), Halving(**SOFT))}
HELPS = {"bandwidth", "sustained_fraction", "reduction_fraction"}


def total(link: Any, size: Any, parts: Any) -> Any:
    """Seconds of every collective together."""
    return sum(ask(link, name, size, parts, 64.0).time for name in ("all_gather", "all_to_all", "all_reduce"))


@pytest.mark.parametrize("name", TRIED)
@settings(max_examples=8)
@given(size=st.floats(1.0, 1e10), parts=st.sampled_from([1, 2, 3, 4, 6, 8, 12, 64]))
def test_slopes_are_finite_and_have_the_right_sign(name: str, size: float, parts: int) -> None:
    slopes, per_byte = SLOPES[name](arrays(TRIED[name]), float(size), float(parts))
    named = jax.tree_util.tree_flatten_with_path(slopes)[0]
    assert float(per_byte) >= 0
    for path, slope in named:
        assert math.isfinite(slope), path
        field = str(getattr(path[-1], "name", ""))
        if field not in ("columns", "rows", "leaf"):  # wholes: their slope means nothing
            assert slope <= 0 if field in HELPS else slope >= 0, field


SLOPES = {name: jax.jit(jax.grad(total, argnums=(0, 1))) for name in TRIED}
