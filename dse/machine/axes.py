"""Places of values along pixels, evenly or by their logarithm, and the round values between the ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

LOG_FROM = 20.0  # ratio of the ends from which an axis is logarithmic
STEPS = (1, 2, 5)
BESIDE, ABOVE = 40.0, 15.0  # pixels from one tick to the next, of numbers beside and above each other
FEW, MOST = 3, 6  # ticks of an axis: fewer are filled up evenly, more are not wanted of an even one


class Axis(NamedTuple):
    """Values from low to high between two places of a picture, pixels; across where the first is left of the last."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    @classmethod
    def of(
        cls, values: Sequence[float], first: float, last: float, room: float = 0.06, log: bool | None = None
    ) -> Axis:
        """An axis on which these values have a share of room on both sides; logarithmic where they are positive and
        spread enough, unless `log` says."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        log = low > 0 and high / low > LOG_FROM if log is None else log
        if log:
            pad = (high / low) ** room if high > low else 10.0**room
            return cls(low / pad, high * pad, first, last, True)
        pad = room * (high - low) or 0.1 * abs(high) or 1.0
        return cls(low - pad, high + pad, first, last)

    def at(self, value: float) -> float:
        """The place of a value, to a tenth of a pixel."""
        low, high, size = (math.log(one) if self.log else one for one in (self.low, self.high, value))
        return round(self.first + (size - low) / ((high - low) or 1.0) * (self.last - self.first), 1)

    def nearest(self, value: float) -> float:
        """The value of the axis that is nearest to a value."""
        return min(max(value, self.low), self.high)

    def ticks(self) -> list[float]:
        """Round values between the ends, as many as have room for their numbers."""
        if not self.log:
            return self.even()
        across = self.last > self.first
        decade = abs(self.last - self.first) / math.log10(self.high / self.low)
        steps = STEPS if decade * math.log10(2) >= (BESIDE if across else ABOVE) else STEPS[:1]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found = [n * 10.0**d for d in decades for n in steps if self.low <= n * 10.0**d <= self.high]
        return found if len(found) >= FEW else self.even()

    def even(self) -> list[float]:
        """Multiples of 1, 2 or 5 of a decade between the ends."""
        rough = (self.high - self.low) / MOST or 1.0
        decade = 10.0 ** math.floor(math.log10(rough))
        step = next(n * decade for n in (*STEPS, 10) if n * decade >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [float(f"{i * step:.12g}") for i in range(first, last + 1)]
