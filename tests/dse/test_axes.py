"""Axes of pictures: places rise with values, ticks are round and lie between the ends."""

from __future__ import annotations

import pytest

from dse.machine.axes import LOG_FROM, Axis


@pytest.mark.parametrize("values", [(1.0, 3.0), (2e-6, 5e4), (-4.0, 7.0), (5.0, 5.0), (0.0, 0.0), (1e9, 1.5e9)])
@pytest.mark.parametrize("ends", [(0.0, 300.0), (240.0, 10.0)])
def test_ticks_are_round_and_between_the_ends(values: tuple[float, float], ends: tuple[float, float]) -> None:
    axis = Axis.of(values, *ends)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 20
    assert all(axis.low <= tick <= axis.high for tick in ticks)
    places = [axis.at(tick) for tick in ticks]
    assert places == sorted(places, reverse=ends[0] > ends[1])
    digits = [f"{abs(tick):.11e}".split("e")[0].rstrip("0") for tick in ticks if tick]
    assert max(map(len, digits), default=0) <= 5  # as 1.25


def test_an_axis_is_logarithmic_where_values_are_far_apart() -> None:
    assert Axis.of([1.0, 1.01 * LOG_FROM], 0, 1).log
    assert not Axis.of([1.0, 0.99 * LOG_FROM], 0, 1).log
    assert not Axis.of([-1.0, 1e9], 0, 1).log
    decades = Axis(1.0, 100.0, 0.0, 200.0, log=True)
    assert decades.at(10.0) == pytest.approx(100.0)
    assert decades.ticks() == [1, 10, 100]  # no room for 2 and 5


def test_values_beyond_the_ends_are_held_at_them() -> None:
    axis = Axis(1.0, 10.0, 0.0, 90.0)
    assert (axis.nearest(0.5), axis.nearest(4.0), axis.nearest(99.0)) == (1.0, 4.0, 10.0)
