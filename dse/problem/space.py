"""The space: what may vary, as parameters and designs.

A design is a row of codes, one for each parameter: the index of a choice, or the value itself in an interval.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.configuration.schema import counted
from dse.run.near import nearest
from dse.run.numbers import amount
from hw.units import Rule

RANGE_KEYS = ("low", "high", "step", "count", "log")
MOST_VALUES = 1_000_000


@dataclass(frozen=True)
class Files:
    """A choice between files of a configuration group."""

    key: str
    options: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.options)

    @property
    def rest(self) -> float:
        """The code where nothing is chosen."""
        return 0.0

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Codes [count], uniform."""
        return random.integers(self.size, size=count).astype(float)

    def text(self, code: float) -> str:
        return self.options[int(code)]


@dataclass(frozen=True)
class Values:
    """A choice between numbers, in the unit of the field that the key leads to."""

    key: str
    numbers: tuple[float, ...]
    unit: str

    @property
    def size(self) -> int:
        return len(self.numbers)

    @property
    def rest(self) -> float:
        """The code where a structure has no such number."""
        return 0.0

    def ends(self) -> tuple[float, float]:
        """The least and the most."""
        return min(self.numbers), max(self.numbers)

    def number(self, code: float) -> float:
        return self.numbers[int(code)]

    def values(self, codes: np.ndarray) -> np.ndarray:
        return np.array(self.numbers)[codes.astype(int)]

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Codes [count], uniform."""
        return random.integers(self.size, size=count).astype(float)

    def text(self, code: float) -> str:
        return quantity_text(self.number(code), self.unit)


@dataclass(frozen=True)
class Interval:
    """Any number between two, evenly or by its logarithm; whole numbers where the field counts."""

    key: str
    low: float
    high: float
    log: bool
    unit: str
    whole: bool

    @property
    def size(self) -> float:
        return math.inf

    @property
    def rest(self) -> float:
        """The code where a structure has no such number."""
        return self.low

    def ends(self) -> tuple[float, float]:
        """The least and the most."""
        return self.low, self.high

    def number(self, code: float) -> float:
        return code

    def values(self, codes: np.ndarray) -> np.ndarray:
        return codes.astype(float)

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Codes [count], uniform, by the logarithm where that is how it varies."""
        low, high = (math.log(end) for end in self.ends()) if self.log else self.ends()
        drawn = random.uniform(low, high, count)
        drawn = np.clip(np.exp(drawn), self.low, self.high) if self.log else drawn
        return np.round(drawn) if self.whole else drawn

    def text(self, code: float) -> str:
        return quantity_text(self.number(code), self.unit)


Parameter = Files | Values | Interval


def quantity_text(number: float, unit: str) -> str:
    """A number as an override would write it: `1.2 GHz`, `256`."""
    return amount(number, unit, 12)


@dataclass(frozen=True)
class Space:
    """All parameters, files first."""

    parameters: tuple[Parameter, ...]

    @property
    def files(self) -> tuple[Files, ...]:
        return tuple(p for p in self.parameters if isinstance(p, Files))

    @property
    def numeric(self) -> tuple[Values | Interval, ...]:
        return tuple(p for p in self.parameters if not isinstance(p, Files))

    def numbered(self, column: int) -> Values | Interval:
        """The parameter of a column, which is no choice of files."""
        parameter = self.parameters[column]
        assert not isinstance(parameter, Files)
        return parameter

    @property
    def size(self) -> float:
        """How many designs there are, infinite with an interval; parameters that rest count once each value."""
        return math.prod(parameter.size for parameter in self.parameters)

    def designs(self, first: int, last: int) -> np.ndarray:
        """Designs number `first` to `last` - 1 of a finite space, [designs, parameters], the last parameter fastest."""
        if not self.parameters:
            return np.zeros((last - first, 0))
        shape = tuple(int(parameter.size) for parameter in self.parameters)
        return np.stack(np.unravel_index(np.arange(first, last), shape), axis=1).astype(float)

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Designs [count, parameters], uniform; with the codes of parameters that their structures lack."""
        columns = [parameter.drawn(random, count) for parameter in self.parameters]
        return np.stack(columns, axis=1) if columns else np.zeros((count, 0))

    def structures(self, designs: np.ndarray) -> np.ndarray:
        """The file codes of designs, [designs, files]."""
        return designs[:, : len(self.files)].astype(int)

    def every_structure(self) -> list[tuple[int, ...]]:
        """All combinations of file codes."""
        return list(itertools.product(*(range(choice.size) for choice in self.files)))

    def overrides(self, files: Sequence[int]) -> list[str]:
        """The overrides that pick these files."""
        return [f"{p.key}={p.text(code)}" for p, code in zip(self.files, files, strict=True)]


def read_space(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entries of a space by key, whether written as `hw.chip.x: …` or nested."""
    flat: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping) and not set(value) & set(RANGE_KEYS):
            flat |= {f"{key}.{inner}": entry for inner, entry in read_space(value).items()}
        elif value is not None:
            flat[str(key)] = value
    return flat


def is_file_key(key: str) -> bool:
    """A key with a slash or an at sign, or without a dot, names a configuration group."""
    return "/" in key or "@" in key or "." not in key


def files(key: str, given: Any) -> Files:
    """A choice of files, each once; whether they exist is Hydra's to say."""
    return Files(key, tuple(dict.fromkeys(str(option) for option in _listed(key, given))))


def numbers(key: str, given: Any, rule: Rule) -> Values | Interval:
    """A choice of numbers, a stepped range, or an interval, checked by the field's rule."""
    if isinstance(given, Mapping):
        return _range(key, given, rule)
    read = [_number(key, value, rule) for value in _listed(key, given)]
    return Values(key, tuple(dict.fromkeys(read)), rule.unit)


def _listed(key: str, given: Any) -> list[Any]:
    values = list(given) if isinstance(given, (list, tuple)) else [given]
    if not values:
        raise ValueError(f"space: {key}: the range is empty; name at least one value")
    return values


def _number(key: str, value: Any, rule: Rule) -> float:
    try:
        return rule.read(value)
    except ValueError as error:
        raise ValueError(f"space: {key}: {error}") from None


def _range(key: str, given: Mapping[str, Any], rule: Rule) -> Values | Interval:
    for name in given:
        if name not in RANGE_KEYS:
            raise ValueError(f"space: {key}: there is no {name!r} in a range; {nearest(str(name), RANGE_KEYS)}")
    if "low" not in given or "high" not in given:
        raise ValueError(f"space: {key}: a range needs low and high, such as {{low: 1, high: 8}}")
    low, high = _number(key, given["low"], rule), _number(key, given["high"], rule)
    log = bool(given.get("log", False))
    if low > high:
        raise ValueError(f"space: {key}: the range is empty: low {given['low']!r} is above high {given['high']!r}")
    if log and low <= 0:
        raise ValueError(f"space: {key}: low {given['low']!r} must be above 0 for a logarithmic range")
    if "count" in given:
        spaced = np.geomspace if log else np.linspace
        return _values(key, spaced(low, high, counted(f"space: {key}: count", given["count"])), rule)
    if "step" in given:
        return _values(key, _steps(key, low, high, _step(key, given["step"], rule)), rule)
    return Interval(key, low, high, log, rule.unit, rule.whole)


def _values(key: str, spaced: Any, rule: Rule) -> Values:
    """A set of numbers; those of a field that counts are rounded."""
    read = [float(round(v) if rule.whole else float(f"{v:.12g}")) for v in spaced]
    return Values(key, tuple(dict.fromkeys(read)), rule.unit)


def _step(key: str, given: Any, rule: Rule) -> float:
    step = _number(key, given, Rule(rule.unit))
    if step <= 0:
        raise ValueError(f"space: {key}: step {given!r} must be above 0")
    return step


def _steps(key: str, low: float, high: float, step: float) -> np.ndarray:
    steps = math.floor((high - low) / step * (1 + 1e-9))
    if steps > MOST_VALUES:
        raise ValueError(f"space: {key}: {steps} steps are too many to list; use a larger step, or none")
    return low + step * np.arange(steps + 1)
