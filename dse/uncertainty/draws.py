"""Machines drawn from what is believed of their numbers, evenly, by a Latin hypercube."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from dse.uncertainty.beliefs import Input
from hw.gates import NINETY_PER_CENT
from hw.units import Rule

EDGE = 1e-9  # of the unit interval that is not drawn, so that no number is infinite


@dataclass(frozen=True)
class Draws:
    """Points of the unit cube [draws, places]: one column for each place that numbers come from.

    Designs that read a number from the same place share its draws, so that comparing them does not compare luck.
    """

    places: tuple[str, ...]
    points: np.ndarray

    @classmethod
    def of(cls, each: Iterable[Sequence[Input]], count: int, seed: int) -> Draws:
        """A place has the same draws beside whatever other places."""
        named = tuple(sorted({one.place for uncertain in each for one in uncertain}))
        return cls(named, even(count, named, seed))

    def values(self, uncertain: Sequence[Input]) -> dict[int, np.ndarray]:
        """Leaf -> what it is drawn to be, [draws]."""
        column = {name: i for i, name in enumerate(self.places)}
        return {one.leaf: drawn(one.value, one.width, one.rule, self.points[:, column[one.place]]) for one in uncertain}


def even(count: int, names: Sequence[str], seed: int) -> np.ndarray:
    """Points [count, names] of the unit cube, every column one point in each of `count` equal parts: a Latin hypercube.

    A name and a seed make a column, whatever the others are. With the 50 to 150 inputs of a machine, quantiles of sums
    come out as well as from a Sobol sequence, whose columns are correlated by up to 0.4 at 256 points and by 0.9 at 32;
    these are by no more than chance makes them. [McKay, Beckman, Conover, Technometrics 21, 1979]
    """
    columns = []
    for name in names:
        random = np.random.default_rng([seed, zlib.crc32(name.encode())])
        columns.append((random.permutation(count) + random.random(count)) / count)
    return np.clip(np.array(columns).T.reshape(count, len(names)), EDGE, 1 - EDGE)


def drawn(value: float, width: float, rule: Rule, points: np.ndarray) -> np.ndarray:
    """A number where its distribution reaches these shares, [points] within 0 and 1.

    Nine in ten of a positive number lie between x / (1 + w) and x (1 + w): normal in its logarithm, its median as
    written. Of a number between 0 and a largest value M, such as a fraction, the odds x / (M - x) are so: a small one
    moves like any number, and of one near M it is the rest that does, as a yield of 0.99 has a loss of 0.01. Others are
    normal with a deviation of w x / 1.645, cut off at their bounds. A count is not rounded.
    """
    scores = stats.norm.ppf(points)
    if rule.most is not None and 0 < value < rule.most:
        odds = value / (rule.most - value) * np.exp(scores * np.log1p(width) / NINETY_PER_CENT)
        return np.clip(rule.most * odds / (1 + odds), _least(rule), rule.most)
    if rule.most is None and value > 0:
        grown = value * np.exp(scores * np.log1p(width) / NINETY_PER_CENT)
        return np.clip(grown, _least(rule), None)
    deviation, least = abs(value) * width / NINETY_PER_CENT, _least(rule)
    most = np.inf if rule.most is None else rule.most
    low, high = stats.norm.cdf((least - value) / deviation), stats.norm.cdf((most - value) / deviation)
    moved = value + deviation * stats.norm.ppf(low + points * (high - low))
    return np.clip(moved, least, most)


def _least(rule: Rule) -> float:
    if rule.above is not None:
        return float(np.nextafter(rule.above, np.inf))
    return -np.inf if rule.least is None else rule.least
