"""Quantities: units at the edge, plain floats in the declared unit inside.

A component declares `bandwidth: Array = quantity("B/s", above=0)`; a configuration writes `18.75 TB/s`.
The declaration is plain metadata on the field, so that classes which know nothing of pint (the AI models)
can declare quantities as well, and so that messages, tables and checks read the same words.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Mapping
from typing import Any

NUMBER = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")
POWER = re.compile(r"\b([munck]?m)([23])\b")
SPREAD = "+/-"


@functools.cache
def registry() -> Any:
    """The unit registry: pint's own, plus what a machine is counted in.

    Information gets a dimension of its own, or `1.2 GHz` would pass for a bandwidth.
    """
    import logging

    import pint

    logging.getLogger("pint.util").setLevel(logging.ERROR)  # it announces that bit is defined again
    units = pint.UnitRegistry()
    for name in ("bit = [information]", "USD = [currency]", "op = [operation]", "token = [token]", "clk = [clock]"):
        units.define(name)
    units._build_cache()  # or MB, TB, ... would keep the dimensions they were first given
    return units


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a field accepts: its unit, its bounds, whether it counts whole things, whether it is a difference (of
    temperatures, where 30 degC and 30 K are then the same)."""

    unit: str = ""
    above: float | None = None
    least: float | None = None
    most: float | None = None
    whole: bool = False
    difference: bool = False

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Rule | None:
        """The rule in a field's metadata; none where the field is no quantity."""
        if "unit" not in metadata:
            return None
        return cls(**{f.name: metadata[f.name] for f in dataclasses.fields(cls) if f.name in metadata})

    def metadata(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def read(self, given: Any) -> float:
        """The number in the declared unit of a text such as `4 TB/s` or `150 TB/s +/- 5 %`.

        Raises ValueError, in words that end a sentence begun with the place.
        """
        if isinstance(given, bool) or not isinstance(given, (str, int, float)):
            raise ValueError(f"{given!r} is not a {self.noun}; {self.example}")
        if isinstance(given, str):
            value = self._parse(given)
        elif self.unit:
            raise ValueError(f"{given!r} has no unit; {self.example}")
        else:
            value = float(given)
        return self.check(value, given)

    def check(self, value: float, given: Any) -> float:
        """The value itself, once it is known to lie within the bounds."""
        if not math.isfinite(value):
            raise ValueError(f"{given!r} is not finite; {self.example}")
        for broken, words in self._bounds(value):
            if broken:
                raise ValueError(f"{given!r} must be {words}{' ' + self.unit if self.unit else ''}")
        return value

    def _bounds(self, value: float) -> list[tuple[bool, str]]:
        return [
            (
                self.above is not None and value <= (self.above or 0),
                f"above {self.above:g}" if self.above is not None else "",
            ),
            (
                self.least is not None and value < (self.least or 0),
                f"at least {self.least:g}" if self.least is not None else "",
            ),
            (
                self.most is not None and value > (self.most or 0),
                f"at most {self.most:g}" if self.most is not None else "",
            ),
            (self.whole and value != round(value), "a whole number"),
        ]

    def _parse(self, text: str) -> float:
        found = NUMBER.match(text.partition(SPREAD)[0])
        if not found:
            raise ValueError(f"{text!r} is not a {self.noun}; {self.example}")
        spread(text)
        number, unit = float(found[1]), found[2]
        if not unit and self.unit:
            raise ValueError(f"{text!r} has no unit; {self.example}")
        return self._convert(number, unit, text)

    def _convert(self, number: float, unit: str, text: str) -> float:
        units = registry()
        try:
            return float(
                units.Quantity(number, _difference(unit) if self.difference else _named(unit))
                .to(_named(self.unit))
                .magnitude
            )
        except Exception as error:
            raise ValueError(f"{text!r} is not a {self.noun}; {self.example}") from error

    @property
    def noun(self) -> str:
        if self.unit:
            return f"quantity in {self.unit}"
        return "whole number" if self.whole else "number"

    @property
    def example(self) -> str:
        samples = {
            "B/s": "4 TB/s", "B": "256 MB", "s": "115 ns", "Hz": "1.2 GHz", "J/B": "0.3 pJ/bit", "W": "600 W",
            "W/m^2": "0.3 W/mm2", "K*m^2/W": "200 K*mm2/W",
            "m^2": "400 mm2", "K": "105 degC", "USD/B": "10 USD/GB", "op/s": "300 Top/s", "J/op": "0.1 pJ/op",
            "B/clk": "64 B/clk", "USD": "1000 USD", "USD/J": "0.0929 USD/kWh", "m": "36 um", "V": "0.75 V",
            "kg/J": "0.39 kg/kWh", "kg/B": "0.05 kg/GB", "": "8" if self.whole else "0.8",
        }  # fmt: skip
        return f"write it like {samples.get(self.unit, '1 ' + self.unit)!r}"


def spread(text: Any) -> float:
    """The relative half-width that a text states, `150 TB/s +/- 5 %` -> 0.05; 0 where it states none."""
    if not isinstance(text, str) or SPREAD not in text:
        return 0.0
    about, _, width = text.partition(SPREAD)
    found, value = NUMBER.match(width), NUMBER.match(about)
    if not found or not value:
        raise ValueError(f"{text!r} has no readable spread; write it like '150 TB/s +/- 5 %'")
    if found[1].startswith("-"):
        raise ValueError(f"{text!r} has a negative spread; write it like '150 TB/s +/- 5 %'")
    if found[2] == "%":
        return float(found[1]) / 100
    return _relative(float(found[1]), found[2] or value[2], float(value[1]), value[2], text)


def _relative(width: float, width_unit: str, value: float, unit: str, text: str) -> float:
    """A width over the value that it belongs to, both with their units; a width in degC is a difference."""
    units = registry()
    try:
        size = units.Quantity(value, _named(unit)).to_base_units()
        difference = units.Quantity(width, _difference(width_unit))
        return float(difference.to(size.units).magnitude) / abs(float(size.magnitude))
    except Exception as error:
        raise ValueError(f"{text!r} has no readable spread; write it like '150 TB/s +/- 5 %'") from error


def _named(unit: str) -> str:
    """A unit as the registry knows it; mm2 is mm^2, as shells and override grammars dislike the caret."""
    unit = POWER.sub(r"\1^\2", unit)
    return unit.replace("%", "percent").replace("\u00b0C", "degC") or "dimensionless"


def _difference(unit: str) -> str:
    """A unit of temperature read as a difference."""
    return _named(unit).replace("degC", "delta_degC").replace("delta_delta", "delta")


def quantity(
    unit: str,
    *,
    above: float | None = None,
    least: float | None = 0,
    most: float | None = None,
    default: Any = dataclasses.MISSING,
    difference: bool = False,
) -> Any:
    """A field that holds a float in `unit`; by default it may be zero but not negative. `default` stands where a
    configuration says nothing: only for what most parts do not have."""
    rule = Rule(unit, above=above, least=None if above is not None else least, most=most, difference=difference)
    given = {} if default is dataclasses.MISSING else {"default": default}
    return _field(rule, given)


def count(least: float = 1, most: float | None = None, default: Any = dataclasses.MISSING) -> Any:
    """A field that counts whole things."""
    rule = Rule("", least=least, most=most, whole=True)
    given = {} if default is dataclasses.MISSING else {"default": default}
    return _field(rule, given)


def fraction(above: float | None = None, default: Any = dataclasses.MISSING) -> Any:
    """A field between 0 and 1."""
    return quantity("", above=above, most=1, default=default)


def _field(rule: Rule, given: Mapping[str, Any]) -> Any:
    import equinox as eqx  # here, so that rules can be read without waiting for it

    return eqx.field(converter=_converter(rule), metadata=rule.metadata(), **given)


def _converter(rule: Rule) -> Any:
    """Text is parsed; numbers are taken to be in the declared unit; arrays and tracers pass."""

    def convert(given: Any) -> Any:
        if isinstance(given, str):
            return rule.read(given)
        return rule.check(float(given), given) if isinstance(given, (int, float)) else given

    return convert


PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"),
            (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))  # fmt: skip
AREAS = {"m^2": (1e6, "mm2"), "W/m^2": (1e-6, "W/mm2"), "K*m^2/W": (1e6, "K*mm2/W")}
PLAIN = {"", "USD", "K", "kg", "token/s", "op/B", "dB", "B/clk"}


def readable(unit: str, size: float) -> tuple[float, str]:
    """A factor and a unit that print a value of about this size with few digits: (1e-9, 'GHz')."""
    if unit in AREAS:
        return AREAS[unit]
    if unit in PLAIN or unit.startswith(("1/", "kg")) or size == 0 or not math.isfinite(size):
        return 1.0, unit
    scale, prefix = next(((s, p) for s, p in PREFIXES if abs(size) >= s * 0.9999), PREFIXES[-1])
    return 1 / scale, prefix + unit
