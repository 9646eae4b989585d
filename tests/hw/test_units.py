"""Quantities at the edge: what is read, what is refused and in which words, and what is printed can be read again."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import candidate, units_of, unlike

from dse.problem.space import quantity_text
from hw.units import PREFIXES, Rule, count, fraction, quantity, readable, registry, spread

ROUNDING = 1e-12  # relative: a handful of products of doubles, each exact to 1.1e-16
UNITS = sorted({unit for system in unlike() for unit in units_of(candidate(f"hw={system}")) if unit})
PREFIXED = ("B/s", "B", "s", "Hz", "J/B", "J/op", "op/s", "op/clk", "bit/s", "W", "V", "USD", "m", "J", "USD/B")
LARGEST = 1e15  # of the numbers drawn; with the largest prefix still far from overflow

magnitudes = st.floats(min_value=1e-6, max_value=LARGEST, allow_nan=False)


@pytest.mark.parametrize(
    ("unit", "text", "value"),
    [
        ("B/s", "18.75 TB/s", 18.75e12),
        ("B/s", "800 Gbit/s", 100e9),
        ("B/s", "  4TB/s ", 4e12),
        ("J/B", "0.3 pJ/bit", 0.3e-12 * 8),
        ("B", "256 MB", 256e6),
        ("B", "1 MiB", 2**20),
        ("K", "105 degC", 378.15),
        ("K", "105 °C", 378.15),
        ("K", "300 K", 300.0),
        ("K", "30 delta_degC", 30.0),
        ("B/s", "150 TB/s +/- 5 %", 150e12),
        ("USD/J", "0.0929 USD/kWh", 0.0929 / 3.6e6),
        ("USD/B", "10 USD/GB", 10e-9),
        ("Hz", "1.2 GHz", 1.2e9),
        ("op/s", "16 Top/s", 16e12),
        ("op/clk", "4096 op/clk", 4096.0),
        ("B/clk", "64 B/clk", 64.0),
        ("m^2", "0.027 um^2", 0.027e-12),
        ("1/m^2", "0.09 1/cm^2", 900.0),
        ("s", "4 year", 4 * 365.25 * 86400),
        ("", "12.5 %", 0.125),
        ("", "1e3", 1e3),
        ("", 3, 3.0),
    ],
)
def test_reads(unit: str, text: str | float, value: float) -> None:
    assert Rule(unit).read(text) == pytest.approx(value, rel=ROUNDING)


@pytest.mark.parametrize(
    ("unit", "given", "problem"),
    [
        ("B/s", "4 TB", "not a quantity in B/s"),
        ("B/s", "4 op/s", "not a quantity in B/s"),
        ("J/op", "0.3 pJ", "not a quantity in J/op"),
        ("J/B", "2 J/op", "not a quantity in J/B"),
        ("B/clk", "64 /clk", "not a quantity in B/clk"),
        ("op/s", "300 THz", "not a quantity in op/s"),
        ("K", "5 W", "not a quantity in K"),
        ("B/s", "4 TBps", "not a quantity in B/s"),
        ("B/s", "1,000 GB/s", "not a quantity in B/s"),
        ("B/s", "4 3 TB/s", "not a quantity in B/s"),
        ("B/s", "TB/s", "not a quantity in B/s"),
        ("B/s", "", "not a quantity in B/s"),
        ("B/s", None, "not a quantity in B/s"),
        ("B/s", True, "not a quantity in B/s"),
        ("B/s", [4], "not a quantity in B/s"),
        ("", "many", "not a number"),
        ("", "8 x", "not a number"),
        ("B/s", "4", "has no unit"),
        ("B/s", 4e12, "has no unit"),
        ("B/s", "nan TB/s", "not a quantity in B/s"),
        ("B/s", "inf TB/s", "not a quantity in B/s"),
        ("B/s", "1e400 TB/s", "not finite"),
        ("", math.inf, "not finite"),
        ("", math.nan, "not finite"),
    ],
)
def test_refuses_and_says_what_to_write(unit: str, given: object, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        Rule(unit).read(given)
    message = str(caught.value)
    assert repr(given) in message
    assert problem in message
    assert "write it like" in message


@pytest.mark.parametrize(
    ("rule", "given", "words"),
    [
        (Rule("B/s", above=0), "-4 TB/s", "must be above 0 B/s"),
        (Rule("B/s", above=0), "0 TB/s", "must be above 0 B/s"),
        (Rule("W", least=0), "-1 W", "must be at least 0 W"),
        (Rule("", least=0, most=1), "120 %", "must be at most 1"),
        (Rule("", least=0, most=1), -0.1, "must be at least 0"),
        (Rule("", least=1, whole=True), 0, "must be at least 1"),
        (Rule("", least=1, whole=True), 2.5, "must be a whole number"),
    ],
)
def test_refuses_what_lies_outside_the_bounds(rule: Rule, given: object, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        rule.read(given)
    assert repr(given) in str(caught.value)
    assert words in str(caught.value)


class Sample(eqx.Module):
    """One field of each kind."""

    rate: Any = quantity("B/s", above=0)
    power: Any = quantity("W")
    parts: Any = count()
    share: Any = fraction()


LAWFUL = {"rate": "4 TB/s", "power": 0.0, "parts": 2, "share": "50 %"}


@pytest.mark.parametrize(
    "broken", [{"rate": 0.0}, {"rate": "4 W"}, {"power": -1}, {"parts": 1.5}, {"parts": 0}, {"share": 1.01}]
)
def test_fields_hold_components_built_by_hand_to_their_rules(broken: dict[str, Any]) -> None:
    built = Sample(**LAWFUL)
    assert (built.rate, built.power, built.parts, built.share) == (4e12, 0.0, 2.0, 0.5)
    with pytest.raises(ValueError):
        Sample(**(LAWFUL | broken))


@pytest.mark.parametrize(
    ("unit", "text"),
    [("B/s", "1.2 GHz"), ("B", "50 %"), ("B", "3 rad"), ("J/B", "0.3 pJ"), ("bit/s", "0.7 GHz"), ("", "0.5 B")],
)
def test_refuses_a_unit_without_or_with_bytes_too_many(unit: str, text: str) -> None:
    with pytest.raises(ValueError):
        Rule(unit).read(text)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("150 TB/s +/- 5 %", 0.05),
        ("150 TB/s +/- 15 TB/s", 0.1),
        ("150 TB/s +/- 1500 GB/s", 0.01),
        ("150 TB/s +/- 15", 0.1),
        ("8 +/- 2", 0.25),
        ("150 TB/s", 0.0),
        (150.0, 0.0),
    ],
)
def test_reads_spreads(text: str | float, width: float) -> None:
    assert spread(text) == pytest.approx(width, rel=ROUNDING)


@pytest.mark.parametrize("text", ["45 degC +/- 5 K", "45 degC +/- 5 degC", "45 degC +/- 5 delta_degC"])
def test_reads_spreads_of_temperatures(text: str) -> None:
    assert spread(text) == pytest.approx(5 / 318.15, rel=ROUNDING)


@pytest.mark.parametrize("text", ["150 TB/s +/- much", "150 TB/s +/- 5 s", "150 TB/s +/- 5 % +/- 3 %"])
def test_refuses_spreads_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError):
        Rule("B/s").read(text)


@given(magnitudes, st.sampled_from(PREFIXES), st.sampled_from(PREFIXED))
def test_prefixes_scale(number: float, prefix: tuple[float, str], unit: str) -> None:
    scale, name = prefix
    assert Rule(unit).read(f"{number!r} {name}{unit}") == pytest.approx(number * scale, rel=ROUNDING)


@given(magnitudes)
def test_a_byte_is_eight_bits(number: float) -> None:
    assert Rule("B/s").read(f"{number!r} bit/s") * 8 == pytest.approx(number, rel=ROUNDING)
    assert Rule("J/B").read(f"{number!r} J/bit") == pytest.approx(number * 8, rel=ROUNDING)


@pytest.mark.parametrize("unit", UNITS)
@given(size=st.floats(min_value=1e-15, max_value=1e21))
def test_what_is_written_reads_back(unit: str, size: float) -> None:
    """A value of the search space is written into an override; it has twelve digits there."""
    assert Rule(unit).read(quantity_text(size, unit)) == pytest.approx(size, rel=1e-11)


@pytest.mark.parametrize("unit", ["B/s", "s", "W", "J/B"])
@given(size=st.floats(min_value=1e-11, max_value=9e20))
def test_readable_numbers_are_short(unit: str, size: float) -> None:
    factor, _ = readable(unit, size)
    assert 0.999 <= size * factor < 1000 * (1 + 1e-3)  # 999.95 may go either way: the prefix turns at 0.9999 of itself


@pytest.mark.parametrize("unit", UNITS)
def test_every_declared_unit_is_known_and_has_an_example(unit: str) -> None:
    assert registry().Quantity(1.0, unit).magnitude == 1.0
    sample = Rule(unit).example.split("'")[1]
    assert Rule(unit).read(sample) > 0
