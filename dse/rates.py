"""The largest rate that a machine serves in time: the goodput that planning asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TOLERANCE = 0.02  # relative width of the bracket in which the search ends
MOST = 40  # simulations
LEAST = 1e-6  # requests/s, below which the search gives up


@dataclass(frozen=True)
class Largest:
    """The largest rate, requests/s, that keeps the share; 0 where none does. tried : (rate, attainment), rising."""

    rate: float
    attainment: float
    tried: list[tuple[float, float]]


def largest_rate(attained: Callable[[float], float], start: float, share: float, least: float | None = None) -> Largest:
    """The largest rate at which `attained(rate)` is at least `share`, to 2 %: doubled or halved, then bisected.

    Takes the attainment to fall with the rate, as it does but for chance. `start` : where to begin, requests/s; `least` :
    the attainment of a machine that is never busy, which no lower rate exceeds; below the share nothing is searched.
    """
    tried: dict[float, float] = {}

    def keeps(rate: float) -> bool:
        tried[rate] = attained(rate)
        return tried[rate] >= share

    if least is not None and least < share:
        return Largest(0.0, least, [])
    low, high = (start, start * 2) if keeps(start) else (start / 2, start)
    while low == start and high / start < 2**MOST and keeps(high):
        low, high = high, high * 2
        start = low
    while high == start and low > LEAST and not keeps(low):
        low, high = low / 2, low
        start = high
    if tried.get(low, 0.0) < share:
        return Largest(0.0, tried.get(low, 0.0), sorted(tried.items()))
    while high / low > 1 + TOLERANCE and len(tried) < MOST:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return Largest(low, tried[low], sorted(tried.items()))
