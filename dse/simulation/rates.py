"""The largest rate that a machine serves in time: the goodput that planning asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TOLERANCE = 0.02  # relative width of the bracket in which the search ends
DOUBLINGS = 12  # of the first rate, up or down, until the search gives up


@dataclass(frozen=True)
class Largest:
    """The largest rate, requests/s, that keeps the share; 0 where none does.

    bounded : whether a larger rate was seen to fail. tried : (rate, attainment), rising.
    """

    rate: float
    attainment: float
    bounded: bool
    tried: list[tuple[float, float]]


def largest_rate(attained: Callable[[float], float], start: float, share: float, alone: float = 1.0) -> Largest:
    """The largest rate at which `attained(rate)` is at least `share`, to 2 %: doubled or halved, then bisected.

    Takes the attainment to fall with the rate, as it does but for chance. `start` : where to begin, requests/s;
    `alone` : the attainment of a machine that serves one request at a time, which no rate exceeds.
    """
    tried: dict[float, float] = {}

    def keeps(rate: float) -> bool:
        tried[rate] = attained(rate)
        return tried[rate] >= share

    if alone < share:
        return Largest(0.0, alone, True, [])
    low = high = start
    if keeps(start):
        while low == high and high < start * 2**DOUBLINGS:
            low, high = (high * 2, high * 2) if keeps(high * 2) else (low, high * 2)
    else:
        while low == high and low > start / 2**DOUBLINGS:
            low, high = (low / 2, low) if keeps(low / 2) else (low / 2, low / 2)
    if tried[low] < share:
        return Largest(0.0, tried[low], True, sorted(tried.items()))
    bounded = low < high
    while high / low > 1 + TOLERANCE:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return Largest(low, tried[low], bounded, sorted(tried.items()))
