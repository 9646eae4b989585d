"""Slopes against differences and against dimensions; what is moved against what theory says that it gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import pytest
from small import MACHINE

from dse.configuration.spreads import leaf_paths
from dse.evaluation.evaluate import Candidate
from dse.evaluation.metrics import Headroom, Metrics, units
from dse.evaluation.metrics import Mapping as Laid
from dse.machine.effects import best_moves, largest, move_words, sentence
from dse.problem.template import template
from dse.run.precision import arrays
from dse.uncertainty.elasticities import Moved, Moves, _answers, moves, rules_of, with_number
from hw.units import registry

NAMES = ("time_per_output_token", "tokens_per_second", "energy_per_token", "power", "cost_per_million_tokens")
NAMES += ("system_cost", "carbon_per_million_tokens", "silicon_area", "clock")
DEGREES = {"tensor": 8, "sequence": 1, "attention_data": 1, "expert": 1, "pipeline": 1, "stages_inside": 0, "data": 1}
LAID = {"mapping": Laid(**(DEGREES | {"batch": 60, "users": 60, "weights": 1, "cache": 1}))}  # type: ignore[arg-type]
CARD, PACKAGE = "hw.levels.card.link.bandwidth", "hw.levels.package.link.bandwidth"


@pytest.fixture(scope="module")
def card() -> Candidate:
    return template(MACHINE).candidate


@pytest.fixture(scope="module")
def found(card: Candidate) -> Moves:
    return moves(card, LAID, NAMES)


def test_slopes_are_what_a_small_change_does(card: Candidate, found: Moves) -> None:
    """Against central differences of 1e-4, whose own error is of the order of 1e-6 where nothing bends; numbers where
    a bound is passed within the step, or equals another, are those that bend, and few."""
    smooth = list(found.elasticities["power"])
    given, places = np.array(jax.tree.leaves(card), float), [leaf_paths(card).index(path) for path in smooth]
    rows, step, ends = 1 + len(smooth) + len(found.moved), 1e-4, []
    for sign in (1, -1):
        points = np.tile(given, (rows, 1))  # as many rows as `moves` has, so that nothing is compiled anew
        points[np.arange(1, len(smooth) + 1), places] *= 1 + sign * step
        structure = jax.tree.structure(card)
        ends.append(np.asarray(_answers(points, np.zeros_like(points), arrays(LAID), structure, NAMES)[0]))
    for n, name in enumerate(NAMES):
        differences = np.log(ends[0][1 : len(smooth) + 1, n] / ends[1][1 : len(smooth) + 1, n]) / (2 * step)
        slopes = np.array([found.elasticities[name][path] for path in smooth])
        assert (np.abs(differences - slopes) > 1e-4).sum() <= 2, name
        assert np.abs(slopes).max() > 0, name


@pytest.mark.parametrize("dimension", ["[time]", "[currency]", "[mass]", "[length]", "[current]"])
def test_answers_have_the_dimensions_of_their_units(card: Candidate, found: Moves, dimension: str) -> None:
    """In units of another size every answer is another number, by its own dimension (Euler): the sum over all numbers
    of elasticity times exponent is the answer's exponent. For time: what all rates give less what all times give."""
    powers = {path: exponent(rule.unit, dimension) for path, rule in rules_of(card).items()}
    for name in NAMES:
        total = sum(slope * powers[path] for path, slope in found.elasticities[name].items())
        assert total == pytest.approx(exponent(units(Metrics)[name], dimension), abs=1e-6), name


def exponent(unit: str, dimension: str) -> float:
    """The power of a dimension in a unit."""
    return float(registry().Unit(unit or "dimensionless").dimensionality.get(dimension, 0))


def test_a_token_made_of_one_exchange_goes_with_its_bandwidth(card: Candidate) -> None:
    """A byte a second between packages: time is bytes over bandwidth. A tenth more is a time of 1 / 1.1."""
    slow = moves(with_number(card, CARD, 1.0), LAID, NAMES)
    name = "time_per_output_token"
    assert slow.elasticities[name][CARD] == pytest.approx(-1, abs=1e-6)
    assert slow.elasticities["tokens_per_second"][CARD] == pytest.approx(1, abs=1e-6)
    assert abs(slow.elasticities[name][PACKAGE]) < 1e-6
    (more, less) = [one.metrics[name] / slow.metrics[name] for one in slow.moved if one.path == CARD]
    assert more == pytest.approx(1 / 1.1, rel=1e-6)
    assert less == pytest.approx(1 / 0.9, rel=1e-6)


def test_bandwidths_of_a_time_made_of_nothing_else_sum_to_one(card: Candidate) -> None:
    slow = moves(with_number(with_number(card, CARD, 1.0), PACKAGE, 3.0), LAID, NAMES)
    rates = [slow.elasticities["time_per_output_token"][path] for path in (CARD, PACKAGE)]
    assert sum(rates) == pytest.approx(-1, abs=1e-6)
    assert all(-0.99 < rate < -0.01 for rate in rates)


def test_what_is_counted_has_no_slope_but_a_step(card: Candidate, found: Moves) -> None:
    """Cores are doubled, as a slope through whole tiles would be 0; fan-outs belong to the mapping."""
    counted = {path for path, rule in rules_of(card).items() if rule.whole}
    assert {"hw.chip.engine.cores", "hw.levels.card.fanout"} <= counted
    assert not counted & set(found.elasticities["power"])
    cores = next(one for one in found.moved if one.path == "hw.chip.engine.cores")
    assert (cores.value, cores.counted) == (2 * cores.given, True)
    assert cores.metrics["silicon_area"] > found.metrics["silicon_area"]
    assert not [one for one in found.moved if one.path.endswith("fanout")]


def test_nothing_is_moved_beyond_its_rule(card: Candidate, found: Moves) -> None:
    """Nine tenths of a rate may become a tenth less, not a tenth more; temperatures are not moved by tenths."""
    rules = rules_of(card)
    for one in found.moved:
        assert rules[one.path].check(one.value, one.value) == one.value
        assert rules[one.path].unit != "K" or rules[one.path].difference
        assert all(map(math.isfinite, one.metrics.values()))
    shares = [one for one in found.moved if one.path == "hw.levels.package.link.sustained_fraction"]
    assert [round(one.change, 6) for one in shares] == [0.1, -0.1], "0.9 to 0.99"
    assert all(rules[one.path].whole == one.counted for one in found.moved)


# Words.


def made(path: str, change: float, effect: float, counted: bool = False, power: float = 1.0) -> Moved:
    """A number moved, and what a time of 1 is then."""
    left = dict.fromkeys(units(Headroom), 1.0) | {"power": power}
    return Moved(path, "", 1.0, 1 + change, counted, {"time_per_output_token": 1 + effect}, left)


LINK = "hw.levels.card.link"
CONFIG: Mapping[str, Any] = {"hw": {"levels": {"card": {"link": {"aliases": ["The Bridge", "other"]}}}}}


def told(*moved: Moved, slopes: Mapping[str, float] | None = None) -> str:
    every = Moves(
        {"time_per_output_token": 1.0}, dict.fromkeys(units(Headroom), 1.0), {"x": dict(slopes or {})}, [*moved]
    )
    point = {"shares": {"exchange": 0.71, "compute": 0.29}}
    return sentence(
        "time_per_output_token", point, best_moves(every, "time_per_output_token", "minimize", ["power"]), CONFIG
    )


def test_a_sentence_says_what_it_is_made_of_and_what_more_gives() -> None:
    assert told(made(f"{LINK}.bandwidth", 0.1, -0.042), made(f"{LINK}.bandwidth", -0.1, 0.05)) == (
        "time_per_output_token is 71 % exchange: "
        "10 % more The Bridge bandwidth (hw.levels.card.link.bandwidth) gives 4.2 % less."
    )


def test_the_move_that_betters_is_said_the_largest_first_and_twins_once() -> None:
    moved = [made(f"{LINK}.latency", -0.1, -0.01), made(f"{LINK}.latency", 0.1, 0.01), made("hw.a.b", 0.1, -0.03)]
    moved += [made(f"{LINK}.sustained_fraction", 0.1, -0.042), made(f"{LINK}.bandwidth", 0.1, -0.042)]
    words = told(*moved, made("hw.c.cores", 1.0, -0.2, counted=True), made("hw.c.rows", 1.0, 0.2, counted=True)).split(
        "; "
    )
    assert f"({LINK}.bandwidth) gives 4.2 % less" in words[0]
    assert words[1:] == [
        "10 % more hw.a.b gives 3 % less",
        "10 % less The Bridge latency (hw.levels.card.link.latency) gives 1 % less",
        "twice as many hw.c.cores, 1 → 2, gives 20 % less.",
    ]


def test_a_limit_that_the_move_breaks_is_said() -> None:
    words = told(made("hw.a.frequency", 0.1, -0.05, power=-12.0))
    assert words.endswith("10 % more hw.a.frequency gives 5 % less (but power is then short by 12 W).")


def test_what_hardly_moves_is_not_said() -> None:
    assert best_moves(
        Moves({"power": 1.0}, dict.fromkeys(units(Headroom), 1.0), {}, []), "power", "minimize", []
    ) == []  # fmt: skip
    row = {"path": "hw.x", "counted": False, "change": -0.1, "effect": 0.5, "breaks": {}}
    assert move_words(row, {}) == "10 % less hw.x gives 50 % more"


def test_the_largest_slopes_are_kept_without_zeros_and_twins() -> None:
    slopes = {"hw.a.sustained_fraction": -0.5, "hw.a.bandwidth": -0.5, "hw.b.bandwidth": -0.5, "hw.c": 0.0, "hw.d": 0.7}
    assert largest(slopes) == {"hw.d": 0.7, "hw.a.bandwidth": -0.5, "hw.b.bandwidth": -0.5}
