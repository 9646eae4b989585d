"""Spaces as they are written, and the designs that they hold."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import DIFFERENT, MACHINE, SPACE, WRITTEN, component_units

from dse.problem.problem import read_parameters
from dse.problem.space import Files, Interval, Space, Values, files, is_file_key, numbers, quantity_text, read_space
from dse.problem.template import Template, template
from hw.units import Rule

FREQUENCY = "hw.chip.engine.frequency"
HERTZ = Rule("Hz", above=0)
COUNT = Rule(least=1, whole=True)
RATE = Rule("B/s", above=0)


def read(given: Any, rule: Rule = HERTZ) -> Any:
    return numbers(FREQUENCY, given, rule)


@pytest.fixture(scope="module")
def first() -> Template:
    """A composed machine with SRAM."""
    return template(MACHINE)


def test_a_list_is_read_in_the_field_unit_in_the_order_written() -> None:
    assert read(["1.2 GHz", "800 MHz", "1 GHz"]) == Values(FREQUENCY, (1.2e9, 0.8e9, 1e9), "Hz")


def test_equal_values_are_one_choice() -> None:
    assert read(["1 GHz", "1000 MHz", "1e6 kHz"]).numbers == (1e9,)


def test_one_value_is_a_list_of_one() -> None:
    assert read("1 GHz").numbers == (1e9,)


def test_a_stepped_range_holds_both_ends() -> None:
    found = read({"low": "0.8 GHz", "high": "1.6 GHz", "step": "0.1 GHz"}).numbers
    np.testing.assert_allclose(found, np.arange(8, 17) * 1e8, rtol=1e-12)


def test_a_step_that_misses_the_high_end_stops_below_it() -> None:
    assert read({"low": 1, "high": 10, "step": 4}, COUNT).numbers == (1, 5, 9)


def test_a_counted_range_is_even_or_even_in_its_logarithm() -> None:
    ends = {"low": "1 TB/s", "high": "8 TB/s", "count": 4}
    np.testing.assert_allclose(read(ends | {"log": True}, RATE).numbers, [1e12, 2e12, 4e12, 8e12], rtol=1e-11)
    np.testing.assert_allclose(read(ends, RATE).numbers, np.array([3, 10, 17, 24]) / 3 * 1e12, rtol=1e-11)


def test_a_counted_range_of_whole_things_is_rounded_and_holds_each_once() -> None:
    assert read({"low": 1, "high": 4, "count": 9}, COUNT).numbers == (1, 2, 3, 4)


def test_a_range_without_steps_is_an_interval() -> None:
    found = read({"low": "1 TB/s", "high": "8 TB/s", "log": True}, RATE)
    assert found == Interval(FREQUENCY, 1e12, 8e12, True, "B/s", False)
    assert found.size == float("inf")
    assert read({"low": 1, "high": 8}, COUNT).whole


def test_a_range_of_one_point_holds_it() -> None:
    assert read({"low": "1 GHz", "high": "1 GHz", "step": "0.1 GHz"}).numbers == (1e9,)


@pytest.mark.parametrize(
    ("given", "rule", "words"),
    [
        ([], HERTZ, "the range is empty"),
        ({"low": "2 GHz", "high": "1 GHz"}, HERTZ, "low '2 GHz' is above high '1 GHz'"),
        (["4 TB"], HERTZ, "'4 TB' is not a quantity in Hz; write it like '1.2 GHz'"),
        ([1.2], HERTZ, "1.2 has no unit; write it like '1.2 GHz'"),
        (["-1 GHz"], HERTZ, "'-1 GHz' must be above 0 Hz"),
        ([1.5], COUNT, "1.5 must be a whole number"),
        ([0], COUNT, "0 must be at least 1"),
        ({"low": "1 GHz", "high": "2 GHz", "stp": "1 GHz"}, HERTZ, "did you mean 'step'?"),
        ({"low": "1 GHz"}, HERTZ, "a range needs low and high"),
        ({"low": "1 GHz", "high": "2 GHz", "step": "0 GHz"}, HERTZ, "step '0 GHz' must be above 0"),
        ({"low": "1 GHz", "high": "2 GHz", "step": "-1 GHz"}, HERTZ, "must be above 0"),
        ({"low": "1 GHz", "high": "2 GHz", "step": "1 Hz"}, HERTZ, "too many"),
        ({"low": 0, "high": 2, "log": True}, Rule(least=0), "low 0 must be above 0"),
        ({"low": 1, "high": 2, "count": 0}, COUNT, "count"),
        ({"low": 1, "high": 2, "count": "many"}, COUNT, "count"),
    ],
)
def test_a_wrong_range_says_where_and_what_is_wrong(given: Any, rule: Rule, words: str) -> None:
    with pytest.raises(ValueError) as error:
        read(given, rule)
    assert str(error.value).startswith(f"space: {FREQUENCY}: ")
    assert words in str(error.value)


def test_nested_and_dotted_keys_say_the_same() -> None:
    dotted = {"hw.chip.engine.cores": [1, 2], "hw.chip.engine.frequency": {"low": 1, "high": 2}, "format": ["a"]}
    nested = {"hw": {"chip": {"engine": {"cores": [1, 2], "frequency": {"low": 1, "high": 2}}}}, "format": ["a"]}
    assert read_space(nested) == dotted == read_space(dotted)


def test_an_entry_of_null_is_left_out() -> None:
    assert read_space({"format": None, "hw": {"chip": {"engine": {"cores": None}}}}) == {}


def test_keys_of_files_have_slashes_or_neither_slash_nor_dot() -> None:
    keys = ("hw/chip/memory", "format", "hw.chip.engine.cores")
    assert [is_file_key(key) for key in keys] == [True, True, False]


def test_an_empty_choice_of_files_is_refused() -> None:
    with pytest.raises(ValueError, match="space: hw/fabric: the range is empty"):
        files("hw/fabric", [])


def test_files_come_first_wherever_they_are_written(first: Template) -> None:
    found = read_parameters(dict(reversed(SPACE.items())), first)
    assert [type(p) for p in found.parameters] == [Files, Values, Values, Values]
    assert found.size == WRITTEN > DIFFERENT


def test_an_unknown_path_names_the_nearest(first: Template) -> None:
    with pytest.raises(ValueError, match=r"space: hw\.chip\.engine\.coers: .* did you mean 'hw\.chip\.engine\.cores'"):
        read_parameters({"hw.chip.engine.coers": [1, 2]}, first)


def test_a_component_is_no_quantity(first: Template) -> None:
    with pytest.raises(ValueError, match=r"space: hw\.chip\.engine: there is no such quantity"):
        read_parameters({"hw.chip.engine": [1, 2]}, first)


def test_a_quantity_of_another_choice_of_files_is_known(first: Template) -> None:
    layers = {"hw.chip.memory.stack.layers": [1, 2]}
    with pytest.raises(ValueError, match="no such quantity"):
        read_parameters(layers, first)
    found = read_parameters({"hw/chip/memory": SPACE["hw/chip/memory"]} | layers, first)
    assert found.numeric[0].key == "hw.chip.memory.stack.layers"


sizes = st.lists(st.integers(1, 4), min_size=1, max_size=5)


@given(sizes=sizes, cuts=st.lists(st.integers(0, 1024), max_size=4))
def test_designs_are_numbered_as_a_product_the_last_parameter_fastest(sizes: list[int], cuts: list[int]) -> None:
    space = Space(tuple(Values(f"a.{i}", tuple(range(n)), "") for i, n in enumerate(sizes)))
    ends = sorted({0, space.size, *(cut for cut in cuts if cut < space.size)})
    chunks = [space.designs(first, last) for first, last in itertools.pairwise(ends)]
    assert np.concatenate(chunks).tolist() == [list(map(float, row)) for row in itertools.product(*map(range, sizes))]


def test_designs_say_which_files_they_have() -> None:
    space = Space((Files("hw/fabric", ("a", "b")), Files("format", ("x", "y", "z")), Values("s.n", (5.0, 7.0), "")))
    designs = space.designs(0, 12)
    assert space.structures(designs).tolist() == [[i, j] for i in range(2) for j in range(3) for _ in range(2)]
    assert space.overrides([1, 2]) == ["hw/fabric=b", "format=z"]


@pytest.mark.parametrize("unit", sorted(component_units()), ids=lambda unit: unit or "plain")
def test_a_number_written_as_an_override_is_read_back(unit: str) -> None:
    """To the 12 digits that are written: this is what makes a point of the front a command line that rebuilds it."""
    for size in (0.0, 3.3e-12, 2.58e-8, 1.5e-3, 0.999, 7.25, 1234.5, 1.23456789e9, 3.7e13, 2e19):
        read_back = Rule(unit, least=None).read(quantity_text(size, unit))
        assert read_back == pytest.approx(size, rel=1e-11)
