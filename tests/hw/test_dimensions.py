"""Answers must not depend on the units of the inside.

Metre, kilogram, second, kelvin, ampere and dollar are exchanged for others; then every quantity changes by its own
dimension, and so must every answer. Bytes, operations, clocks and tokens are counts and stay. An equation that adds
or compares unlike things, or hides a constant with a dimension, cannot pass.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import random
from typing import Any

import equinox as eqx
import jax
import pytest
from answers import Around, answers, every_component, questions
from machines import SYSTEMS, candidate, degrees, mapping, telling, units_of

from dse.evaluation.evaluate import Candidate, evaluate
from dse.evaluation.metrics import SECTIONS, units
from hw.units import registry

BASES = ("[length]", "[mass]", "[time]", "[temperature]", "[current]", "[currency]")
COUNTED = {"[operation]", "[clock]", "[token]", "[information]"}
# Rounding: a rescaled value differs by 1.1e-16 of itself, and no answer is a difference of numbers much larger than it.
ROUNDING = 1e-9
# Of a new unit in old ones; near 1, since leakage is held where it is 200 K from its reference, a number in kelvin.
FACTORS = (0.8, 1.25)

Bases = dict[str, float]


def bases(seed: int) -> Bases:
    draw = random.Random(seed)
    return {base: draw.uniform(*FACTORS) for base in BASES}


@functools.cache
def dimension(unit: str) -> dict[str, float]:
    """The powers of the base dimensions; decibels and shares have none."""
    return {} if unit in ("", "dB") else dict(registry().get_dimensionality(unit))


def scale(unit: str, chosen: Bases) -> float:
    """By what a number in this unit grows when the base units are exchanged."""
    return math.prod(chosen[base] ** power for base, power in dimension(unit).items() if base not in COUNTED)


def rescaled(tree: Any, chosen: Bases) -> Any:
    """The same component in other base units."""
    leaves, shape = jax.tree.flatten(tree)
    factors = [scale(unit, chosen) for unit in units_of(tree)]
    return jax.tree.unflatten(shape, [leaf * factor for leaf, factor in zip(leaves, factors, strict=True)])


def answer_scales(component: eqx.Module, found: dict[str, list[Any]], chosen: Bases) -> dict[str, list[float]]:
    """By what each leaf of each answer should grow."""
    scales = {}
    for question in questions(component):
        given, size = question.units, len(found[question.name])
        unit = (given,) * size if isinstance(given, str) else given
        assert len(unit) == size, f"{question.name} has {size} numbers, {len(unit)} units are told"
        scales[question.name] = [scale(u, chosen) for u in unit]
    return scales


def test_dimensions_are_told_apart() -> None:
    """The rescaling itself: newtons, joules and volts change as they should, counts do not."""
    chosen = {
        "[length]": 2.0,
        "[mass]": 3.0,
        "[time]": 5.0,
        "[temperature]": 7.0,
        "[current]": 11.0,
        "[currency]": 13.0,
    }
    energy = 3 * 2**2 / 5**2
    expected = {"J": energy, "W": energy / 5, "J/B": energy, "V": energy / 5 / 11, "K*m^2/W": 7 * 4 / (energy / 5)}
    expected |= {"B/s": 1 / 5, "op/clk": 1, "J/token": energy, "USD/J": 13 / energy, "1/m^2": 1 / 4, "dB": 1, "": 1}
    assert {unit: scale(unit, chosen) for unit in expected} == pytest.approx(expected, rel=1e-12)  # a few products


@pytest.mark.parametrize(("component", "machine"), every_component())
def test_every_answer_has_its_dimension(component: eqx.Module, machine: Candidate) -> None:
    chosen = bases(1)
    before = answers(component, Around.of(machine), lambda value, unit: value)
    other = Around.of(rescaled(machine, chosen))
    after = answers(rescaled(component, chosen), other, lambda value, unit: value * scale(unit, chosen))
    for name, scales in answer_scales(component, before, chosen).items():
        expected = [float(value) * factor for value, factor in zip(before[name], scales, strict=True)]
        assert [float(value) for value in after[name]] == pytest.approx(expected, rel=ROUNDING), name


@pytest.mark.parametrize("system", telling())
def test_every_metric_has_its_dimension(system: str) -> None:
    """Chat, so that prompts are filled as well; the cache in the last tier, so that both kinds of tier are asked."""
    seed = SYSTEMS.index(system)
    chosen, found = bases(seed), candidate(f"hw={system}", "serving=chat")
    tensor, pipeline = random.Random(seed).choice(degrees(found))
    laid = mapping(tensor, pipeline, batch=8, cache=len(found.hw.chip.tiers) - 1)
    before, after = evaluate(found, laid), evaluate(rescaled(found, chosen), laid)
    for section, kind in SECTIONS.items():
        for name, unit in units(kind).items():
            expected = float(getattr(getattr(before, section), name)) * scale(unit, chosen)
            answer = float(getattr(getattr(after, section), name))
            assert answer == pytest.approx(expected, rel=ROUNDING, abs=1e-15), f"{section}.{name}"  # some shares are 0
    assert bool(before.legal)
    assert bool(after.legal)


def test_every_base_matters() -> None:
    """Each base unit is in some quantity of a machine, so that none is exchanged for nothing."""
    found = candidate("hw=squadrack_fabrex", "serving=chat")
    used = {base for unit in units_of(found) for base in dimension(unit)}
    assert used - COUNTED == set(BASES)


def test_every_quantity_of_an_answer_declares_its_unit() -> None:
    for kind in SECTIONS.values():
        for field in dataclasses.fields(kind):
            assert field.metadata["means"]
            assert all(base in (*BASES, *COUNTED) for base in dimension(field.metadata["unit"])), field.name
