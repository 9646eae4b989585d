"""Clock, power and temperatures at full load: that they hold each other, and what happens at the ends."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import arrays, candidate, telling

from dse.evaluation.evaluate import Candidate
from hw.conditions import Heat
from hw.heat import SLOWEST, State, powers_at, temperatures
from hw.refresh import Refresh
from hw.stacked import StackedDram

ROUNDING = 1e-9
SETTLED = 0.1  # K: far below what any of these temperatures is known to
STACKED = "raptor_card"


@eqx.filter_jit
def settled(found: Candidate) -> State:
    return found.hw.chip.settle(found.format)


def changed(found: Candidate, **values: float) -> Candidate:
    """The candidate with other numbers in its cooling or its clock."""
    for name, value in values.items():
        place = (lambda it: it.hw.chip.engine.frequency) if name == "frequency" else cooling_field(name)
        found = eqx.tree_at(place, found, value)
    return found


def cooling_field(name: str) -> Any:
    return lambda it: getattr(it.hw.chip.cooling, name)


def stacked(found: Candidate, **values: float) -> Candidate:
    for name, value in values.items():
        found = eqx.tree_at(lambda it, n=name: getattr(it.hw.chip.memory["stack"], n), found, value)
    return found


def balance(found: Candidate, state: State) -> tuple[float, float]:
    """How far power and temperatures are from each other, in relative watts and in kelvin."""
    chip = found.hw.chip
    powers = powers_at(chip, found.format, state.logic, state.tiers)
    logic, tiers = temperatures(chip, powers)
    apart = [abs(float(logic - state.logic.temperature))]
    apart += [abs(float(t - there.temperature)) for t, there in zip(tiers, state.tiers, strict=True)]
    return abs(float(powers.total / state.powers.total - 1)), max(apart)


@pytest.mark.parametrize("system", telling())
@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5, 2.0, 2.2, 3.0, 4.0])
def test_power_and_temperature_hold_each_other(system: str, factor: float) -> None:
    """At rated and at far other clocks; the clock then falls until they do."""
    found = arrays(candidate(f"hw={system}"))
    found = changed(found, frequency=found.hw.chip.engine.frequency * factor)
    state = settled(found)
    watts, kelvin = balance(found, state)
    assert watts < 1e-6
    assert kelvin < SETTLED
    assert float(state.drift) < SETTLED
    if factor > 1:  # no runaway: a clock within the limit exists, since the rated one is; the limit may be warm
        assert float(state.logic.temperature) < float(found.hw.chip.cooling.temperature_limit) + 20
        assert float(state.powers.total) <= float(found.hw.chip.cooling.power_limit) * 1.001


@pytest.mark.parametrize("system", ["corsair_card", STACKED, "dgx_h100"])
@pytest.mark.parametrize("share", [0.95, 0.6, 0.3])
def test_the_clock_falls_to_the_power_limit(system: str, share: float) -> None:
    """Just to it: the settled power is the limit, or the clock is at its floor."""
    found = arrays(candidate(f"hw={system}"))
    free = settled(changed(found, power_limit=1e9))
    limit = share * float(free.powers.total)
    state = settled(changed(found, power_limit=limit))
    assert float(free.logic.derating) == 1.0
    assert SLOWEST <= float(state.logic.derating) < 1
    if float(state.logic.derating) > SLOWEST:
        assert float(state.powers.total) == pytest.approx(limit, rel=1e-6)  # Newton's error is squared every step
    assert float(state.logic.temperature) <= float(free.logic.temperature)


def by_bisection(found: Candidate) -> float:
    """The highest clock within the limit, by plain search: temperatures iterated long at each clock."""
    chip = found.hw.chip

    def watts(clock: float) -> float:
        slower = changed(found, frequency=chip.engine.frequency * clock, power_limit=1e9)
        return float(settled(slower).powers.total)

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if watts(middle) <= float(chip.cooling.power_limit) else (low, middle)
    return low


@pytest.mark.parametrize("system", ["corsair_card", STACKED, "dgx_h100"])
def test_the_derated_clock_is_that_of_a_plain_search(system: str) -> None:
    found = arrays(candidate(f"hw={system}"))
    limit = 0.7 * float(settled(changed(found, power_limit=1e9)).powers.total)
    found = changed(found, power_limit=limit)
    assert float(settled(found).logic.derating) == pytest.approx(by_bisection(found), rel=1e-5)


def test_without_resistance_everything_is_at_the_ambient() -> None:
    found = stacked(arrays(candidate(f"hw={STACKED}")), layer_resistance=0.0)
    state = settled(changed(found, thermal_resistance=0.0))
    for there in (state.logic, *state.tiers):
        assert float(there.temperature) == pytest.approx(float(found.hw.chip.cooling.ambient_temperature), rel=ROUNDING)


# ---- the way of the heat through a stack ------------------------------------------------------------------------


def chain(layers: int, resistance: float, through: float, each: float, surface: float, cooled_through: bool) -> Any:
    """Temperatures of logic and hottest layer by walking the layers; each has its resistance on the logic's side."""
    kelvin = surface
    if cooled_through:  # from the cooler inwards: a bond passes the logic and every layer beyond it
        for index in range(layers):
            beyond = through + each * (layers - 1 - index)
            hottest, kelvin = kelvin, kelvin + resistance * beyond
        return kelvin, hottest
    for index in range(layers):  # from the logic outwards: a bond passes its layer and those beyond
        kelvin = kelvin + resistance * each * (layers - index)
    return surface, kelvin


@given(
    layers=st.integers(1, 16), resistance=st.floats(1e-7, 3e-5), through=st.floats(0, 1e6), each=st.floats(0, 1e5),
    cooled=st.booleans(),
)  # fmt: skip
def test_a_stack_is_a_chain_of_resistances(
    layers: int, resistance: float, through: float, each: float, cooled: bool
) -> None:
    stack = candidate(f"hw={STACKED}").hw.chip.memory["stack"]
    stack = eqx.tree_at(
        lambda it: (it.layers, it.layer_resistance, it.cooled_through),
        stack,
        (float(layers), resistance, float(cooled)),
    )
    heat = Heat(300.0, 330.0, through, layers * each)
    logic = 330.0 + float(stack.barrier(heat))
    hottest = float(stack.temperature(heat._replace(logic=logic)))
    assert (logic, hottest) == pytest.approx(chain(layers, resistance, through, each, 330.0, cooled), rel=ROUNDING)


def test_cooling_through_the_stack_is_hotter() -> None:
    """All of the logic's heat then passes the bond."""
    found = arrays(candidate(f"hw={STACKED}"))
    beside, through = (settled(stacked(found, cooled_through=share)) for share in (0.0, 1.0))
    assert float(through.logic.temperature) > float(beside.logic.temperature)


@pytest.mark.parametrize("layers", [1, 2, 4, 8, 16])
def test_more_layers_are_hotter_and_refresh_more(layers: int) -> None:
    found = arrays(candidate(f"hw={STACKED}"))
    fewer, more = (settled(stacked(found, layers=float(n), bank_width=1e3)) for n in (layers, 2 * layers))
    assert float(more.tiers[0].temperature) > float(fewer.tiers[0].temperature)
    assert float(more.idle) > float(fewer.idle)


# ---- refresh ----------------------------------------------------------------------------------------------------

REFRESH = Refresh(share=0.02, power=0.1e-9, threshold=358.15, step=10.0)


@pytest.mark.parametrize(("celsius", "times"), [(25, 1), (80, 1), (90, 2), (100, 4), (110, 8), (120, 16), (300, 16)])
def test_refresh_doubles_at_every_step(celsius: float, times: float) -> None:
    """Half a step from each threshold the blur is below 1e-4."""
    assert float(REFRESH.scale(celsius + 273.15)) == pytest.approx(times, rel=2e-4)


def test_refresh_takes_bandwidth() -> None:
    assert float(REFRESH.relative_bandwidth(300.0)) == pytest.approx(1.0)
    assert float(REFRESH.relative_bandwidth(373.15)) == pytest.approx((1 - 4 * 0.02) / (1 - 0.02), rel=1e-4)


# ---- the ends ---------------------------------------------------------------------------------------------------

FEW = settings(max_examples=60, deadline=None)


@FEW
@given(
    layers=st.integers(1, 64), clock=st.floats(0.05, 20.0), resistance=st.floats(0.0, 50.0),
    bond=st.floats(0.0, 20.0), leak=st.floats(0.0, 1e3), limit=st.floats(0.01, 1e3), cooled=st.floats(0.0, 1.0),
)  # fmt: skip
def test_nothing_is_ever_undefined(
    layers: int, clock: float, resistance: float, bond: float, leak: float, limit: float, cooled: float
) -> None:
    """However hot, the answer and its slopes are numbers; factors are of the shipped values."""
    state, slopes = extreme(*(jnp.asarray(float(v)) for v in (layers, clock, resistance, bond, leak, limit, cooled)))
    for leaf in jax.tree.leaves((state, slopes)):
        assert math.isfinite(float(leaf))
    assert SLOWEST * (1 - ROUNDING) <= float(state.logic.derating) <= 1


@jax.jit
def extreme(layers: Any, clock: Any, resistance: Any, bond: Any, leak: Any, limit: Any, cooled: Any) -> Any:
    """A stacked chip far from the shipped one, and the slope of what it answers along each of these."""
    base = candidate(f"hw={STACKED}")

    def state(values: Any) -> State:
        layers, clock, resistance, bond, leak, limit, cooled = values
        chip = base.hw.chip
        found = stacked(base, layers=layers, layer_resistance=1.5e-5 * bond, cooled_through=cooled)
        found = changed(
            found,
            frequency=chip.engine.frequency * clock,
            thermal_resistance=chip.cooling.thermal_resistance * resistance,
            power_limit=chip.cooling.power_limit * limit,
        )
        found = eqx.tree_at(lambda it: it.hw.chip.fixed_static_power, found, leak)
        return found.hw.chip.settle(found.format)

    values = (layers, clock, resistance, bond, leak, limit, cooled)
    slopes = jax.grad(lambda v: (lambda s: s.powers.total + s.logic.temperature + s.logic.frequency / 1e9)(state(v)))
    return state(values), slopes(values)


def test_a_runaway_is_far_below_zero_headroom() -> None:
    """Leakage that doubles faster than the cooler can follow ends where its law is cut, finite and infeasible."""
    found = arrays(candidate(f"hw={STACKED}"))
    hot = eqx.tree_at(lambda it: it.hw.chip.fixed_static_power, found, 40.0)
    state = settled(changed(hot, thermal_resistance=4 * float(found.hw.chip.cooling.thermal_resistance)))
    headroom = float(found.hw.chip.heat_headroom(state))
    assert headroom < -80
    assert np.isfinite(headroom)


def test_a_stack_raises_its_own_answer() -> None:
    """How many layers over how hot a die: with the cooler's help more layers give more, until heat eats the gain."""
    found = arrays(candidate(f"hw={STACKED}"))
    assert isinstance(found.hw.chip.memory["stack"], StackedDram)
    gained = []
    for layers in (1, 2, 4, 8, 12, 16):
        many = stacked(found, layers=float(layers), signal_share=0.9, pad_rate=16e9, layer_resistance=2e-5)
        state = settled(many)
        gained.append(float(many.hw.chip.tiers[0].peak_bandwidth(state.tiers[0]) * state.logic.derating))
    best = int(np.argmax(gained))
    assert 0 < best < len(gained) - 1
