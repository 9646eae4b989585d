"""The numbers of a machine that may be moved: how far, in which steps, and texts that are read as such numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dse.problem.space import Interval, Values, quantity_text
from dse.uncertainty.elasticities import SECTIONS
from hw.units import Rule, readable

TICKS = 200  # positions of a slider between its ends
MOST_LISTED = 64  # whole numbers that a slider steps through one by one
AROUND = 8.0  # a slider goes from an eighth to eight times what is given
KELVIN = 30.0  # and from so much below a temperature to so much above
MOST_KNOBS = 18  # that are shown without being asked for
TELLING = (
    "cores", "frequency", "rows", "columns", "capacity", "bandwidth", "layers", "fanout", "power_limit", "users",
    "prompt", "output", "machines",
)  # fmt: skip
TYPED = re.compile(
    r"\s*[-+]?(\d{1,15}\.?\d{0,15}|\.\d{1,15})(e[-+]?\d{1,3})?\s*([A-Za-z%0-9*/^]{0,24})\s*", re.IGNORECASE
)


@dataclass(frozen=True)
class Knob:
    """A number that may be moved, in the unit of its field; `steps`: the only values, where a space lists them."""

    key: str
    rule: Rule
    low: float
    high: float
    log: bool = False
    steps: tuple[float, ...] = ()

    @property
    def ticks(self) -> int:
        """The last position of the slider; 0 where there is none."""
        if self.steps:
            return len(self.steps) - 1
        if self.rule.whole and self.high - self.low <= MOST_LISTED:
            return round(self.high - self.low)
        return TICKS if self.high > self.low else 0

    @property
    def shown(self) -> tuple[float, str]:
        """Factor and unit of the number beside the slider."""
        return readable(self.rule.unit, self.high)

    def at(self, position: float) -> float:
        """The number at a position, to three digits."""
        if self.steps:
            return self.steps[round(min(max(position, 0), self.ticks))]
        share = min(max(position / self.ticks, 0.0), 1.0) if self.ticks else 0.0
        ends = self.low, self.high
        raw = ends[0] * (ends[1] / ends[0]) ** share if self.log else ends[0] + share * (ends[1] - ends[0])
        if self.rule.whole:
            return float(round(raw))
        short = float(f"{raw:.3g}")
        return short if self.low <= short <= self.high else raw

    def position(self, value: float) -> int:
        """The position nearest to a number."""
        if self.steps:
            return min(range(len(self.steps)), key=lambda i: abs(self.steps[i] - value))
        inside = min(max(value, self.low), self.high)
        if not self.ticks:
            return 0
        if self.log:
            return round(self.ticks * math.log(inside / self.low) / math.log(self.high / self.low))
        return round(self.ticks * (inside - self.low) / (self.high - self.low))

    def read(self, given: str) -> str:
        """What was typed as an override would write it; ValueError in words. A number alone is in the unit shown."""
        found = TYPED.fullmatch(given[:64])
        if not found or "**" in given:
            raise ValueError(f"{self.key}: {given[:64]!r} is not a {self.rule.noun}; {self.rule.example}")
        unit = found[3] or self.shown[1]
        try:
            return written(self.rule, self.rule.read(f"{found[0].strip()[: -len(found[3]) or None]} {unit}".strip()))
        except ValueError as error:
            raise ValueError(f"{self.key}: {error}") from None


def written(rule: Rule, value: float) -> str:
    """A number as an override would write it, once it is known to lie within its rule."""
    return quantity_text(rule.check(value, quantity_text(value, rule.unit)), rule.unit)


def around(key: str, rule: Rule, given: float) -> Knob:
    """A knob about a given number: an eighth to eight times as much, a share from end to end, a temperature by so many
    kelvin; without a slider where the number is 0 and nothing says how large it may be."""
    if rule.unit == "K" and not rule.difference:
        return Knob(key, rule, max(given - KELVIN, 0.0), given + KELVIN)
    if rule.most is not None and not rule.whole:
        least = rule.least if rule.least is not None else rule.most / 100
        return Knob(key, rule, min(least, given), rule.most)
    if given <= 0:
        return Knob(key, rule, given, given)
    low, high = given / AROUND, given * AROUND
    if rule.whole:
        low = max(math.ceil(low), rule.least or 0.0)
        high = min(high, rule.most if rule.most is not None else math.inf)
        low = 1.0 if key.endswith("fanout") else low
    if rule.above is not None and low <= rule.above:
        low = rule.above + (given - rule.above) / 100
    low = max(low, rule.least or 0.0)
    log = low > 0 and not (rule.whole and high - low <= MOST_LISTED)
    return Knob(key, rule, low, high, log)


def of_space(parameter: Values | Interval, rule: Rule) -> Knob:
    """A knob that goes where a space goes."""
    low, high = parameter.ends()
    if isinstance(parameter, Values):
        return Knob(parameter.key, rule, low, high, steps=tuple(sorted(parameter.numbers)))
    return Knob(parameter.key, rule, low, high, parameter.log)


def movable(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Of all numbers of a candidate those that may be moved: of machines and of traffic, in the order of the files."""
    return {key: rule for key, rule in rules.items() if key.split(".")[0] in SECTIONS}


def telling(keys: Iterable[str]) -> list[str]:
    """The numbers that say most about a machine, by what kind of quantity they are; the machine's order is kept."""
    chosen = [key for key in keys if key.rpartition(".")[2] in TELLING]
    ranked = sorted(chosen, key=lambda key: (key.count(".link.") > 0, TELLING.index(key.rpartition(".")[2])))
    kept = set(ranked[:MOST_KNOBS])
    return [key for key in chosen if key in kept]
