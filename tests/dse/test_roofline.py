"""Operators against the roofs of their chip: on the roof of memory where nothing else takes time, near the peak where
much is asked at once, above neither anywhere; and what else a report says of a machine."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from machines import candidate as built
from machines import composed, mapping
from small import MACHINE

from dse.evaluation.evaluate import Candidate
from dse.evaluation.figures import figures
from dse.evaluation.metrics import Mapping as Laid
from dse.evaluation.schedule import passes
from dse.machine import curve, roofline_picture
from dse.machine.drawing_narrow import narrow_drawing
from dse.machine.roofline import DECODE, PROMPT, seen_of
from dse.machine.roofline_rows import passed
from dse.problem.template import Template
from dse.report import details
from dse.report.closer_look import PER, details_section, details_view, per
from dse.report.details_parts import OWN, Shown, machines, ordered, spread_out

CARD = (*MACHINE, "format=mxint8")


def ideal(one: Candidate) -> Candidate:
    """The candidate with tiers that answer at once, an engine that starts at once and vectors that take no time."""
    chip = one.hw.chip
    tiers = chip.memory.__class__((name, eqx.tree_at(lambda t: t.latency, t, 0.0)) for name, t in chip.memory.items())
    return eqx.tree_at(
        lambda c: (c.hw.chip.memory, c.hw.chip.engine.overhead, c.hw.chip.vector.rate, c.hw.runtime),
        one,
        (tiers, 0.0, 1e30, jax.tree.map(lambda _: 0.0, one.hw.runtime)),
    )


def looked(one: Candidate, laid: Laid) -> dict[str, dict[str, Any]]:
    """The passes of a candidate under a mapping, by name."""
    found = jax.device_get(
        seen_of(curve.stacked([one]), {"mapping": jax.tree.map(lambda n: jnp.array([n], float), laid)})
    )
    tiers = list(one.hw.chip.memory)
    return {name: passed(name, jax.tree.map(lambda leaf: float(leaf[0]), seen), tiers) for name, seen in found.items()}


@pytest.fixture(scope="module")
def card() -> Candidate:
    return built(*CARD)


@pytest.fixture(scope="module")
def alone(card: Candidate) -> dict[str, dict[str, Any]]:
    """One user on one chip, weights and cache in the slow tier."""
    return looked(ideal(card), mapping(weights=1, cache=1, batch=1, users=1))


@pytest.fixture(scope="module")
def crowded(card: Candidate) -> dict[str, dict[str, Any]]:
    """Very many users on one chip, everything in the fast tier."""
    return looked(ideal(card), mapping(weights=0, cache=0, batch=2**20, users=2**20))


def test_one_user_decodes_on_the_roof_of_memory(alone: dict[str, Any]) -> None:
    """Dense products with weights from a slow tier do nothing but wait for them: rate = bandwidth x intensity. To a
    millionth; attention writes what it adds to the cache beside its reading, and is left out."""
    tier = alone[DECODE]["tiers"][1]
    dense = [one for one in alone[DECODE]["operators"] if one["bound"] == "weights" and one["name"] != "projections in"]
    assert len(dense) >= 4
    for one in dense:
        assert one["rate"] == pytest.approx(tier["sustained"] * one["intensity"], rel=1e-6)
        assert one["intensity"] == pytest.approx(2.0, rel=0.05)  # two operations for a byte and a thirty-second


def test_a_crowd_comes_near_the_peak(crowded: dict[str, Any]) -> None:
    """A million users share each weight: within 5 % of the peak, which last tiles and first fills cost."""
    dense = [one for one in crowded[DECODE]["operators"] if one["bound"] == "compute" and one["share"] > 0.01]
    weights = [one for one in dense if "feed-forward" in one["name"]]
    assert len(weights) == 2
    for one in weights:
        assert 0.95 * max(crowded[DECODE]["peaks"]) <= one["rate"] <= max(crowded[DECODE]["peaks"]) * (1 + 1e-9)


def test_nothing_is_above_its_roof(card: Candidate, alone: dict[str, Any], crowded: dict[str, Any]) -> None:
    """Worked out here from what the tier and the peak are, not from the row's own roof."""
    real = looked(card, mapping(tensor=8, weights=1, cache=0, batch=64, users=64))
    for one in (alone, crowded, real):
        for seen in one.values():
            sustained = {tier["name"]: tier["sustained"] for tier in seen["tiers"]}
            for dot in seen["operators"]:
                memory = dot["operations"] / (dot["bytes"] / sustained[dot["tier"]])
                assert dot["rate"] <= min(memory, max(seen["peaks"])) * (1 + 1e-9), dot["name"]
                assert dot["rate"] == pytest.approx(dot["operations"] / dot["seconds"])


def test_operators_and_the_rest_are_the_whole_pass(card: Candidate) -> None:
    """Shares add up to the pass that the model times, exchanges by themselves."""
    laid = mapping(tensor=8, weights=1, cache=0, batch=64, users=64)
    for name, seen in looked(card, laid).items():
        told = sum(one["share"] for one in seen["operators"]) + sum(seen["rest"].values())
        assert told == pytest.approx(1.0, abs=1e-9), name
        assert seen["rest"]["exchanges"] > 0
    step = card.model.step(64.0, card.serving.mean_context)
    whole = passes(card.hw, card.hw.chip.settle(card.format), card.model, card.format, laid, [step])[0]
    assert looked(card, laid)[DECODE]["seconds"] == pytest.approx(float(whole.times.total), rel=1e-9)


def test_operations_are_those_of_the_model(alone: dict[str, Any], card: Candidate) -> None:
    """Two operations for each weight that a token meets, the table of tokens apart, and attention."""
    dense = sum(one["operations"] for one in alone[DECODE]["operators"] if "attention" not in one["name"])
    met = float(card.model.active_parameters()) - 128256 * 4096
    assert dense == pytest.approx(2 * met, rel=1e-3)  # norms are no products


@pytest.fixture(scope="module")
def loads(card: Candidate) -> dict[str, np.ndarray]:
    """The card under 1 to 64 users, each with its best mapping, straight from the curve's own program."""
    from dse.evaluation.grids import grids, own_fanouts
    from dse.evaluation.mapping import Wanted

    wanted = Wanted("time_per_output_token", tensor=8, pipeline=1)
    choices = grids([card], own_fanouts(card), wanted)
    found = curve.best_under(curve.stacked([card, card]), jnp.array([1.0, 8.0, 64.0]), choices, wanted, goodput=False)
    return {name: values[1] for name, values in curve.flat(jax.device_get(found)).items()}


def test_the_ends_of_a_curve(loads: dict[str, np.ndarray]) -> None:
    """One user gets all there is, 1 / time per token; and with more users each gets no more than before."""
    speed, rate = loads["metrics.tokens_per_second_per_user"], loads["metrics.tokens_per_second"]
    assert speed[0] == rate[0] == pytest.approx(1 / loads["metrics.time_per_output_token"][0], rel=1e-12)
    assert (np.diff(speed) <= 1e-9 * speed[:-1]).all()
    assert np.allclose(rate, speed * loads["mapping.users"])


def test_a_curve_never_grows_with_interactivity(loads: dict[str, np.ndarray]) -> None:
    """Of the loads that are best, faster for each user is less for all."""
    found = Template((), {}, built(*CARD))
    best = [row for row in curve.rows(loads, found) if row["best"]]
    best.sort(key=lambda row: row[curve.USER])
    assert len(best) >= 2
    assert all(one[curve.ALL] >= other[curve.ALL] for one, other in itertools.pairwise(best))


def test_what_throughput_is_held_against(loads: dict[str, np.ndarray]) -> None:
    """Per megawatt is a million over joules a token; per USD an hour times USD a million tokens is a million over the
    seconds of an hour."""
    row = curve.rows(loads, Template((), {}, built(*CARD)))[0]
    held = per(row, 8.0)
    assert set(held) == set(PER)
    assert held["megawatt"] == pytest.approx(1e6 / loads["metrics.energy_per_token"][0])
    assert held["hour"] * row["cost_per_million_tokens"] == pytest.approx(1e6 / 3600)
    assert held["chip"] * 8 == held["machine"] == row[curve.ALL]


@pytest.fixture(scope="module")
def drawn(card: Candidate) -> dict[str, Any]:
    found = Template(CARD, composed(*CARD), card)
    return machines([Shown("A", {}, found, card, {})])[0]


def test_figures_keep_their_order_and_values(drawn: dict[str, Any], card: Candidate) -> None:
    """What is worked out together is what each machine says alone; tiers and levels in their order."""
    alone = figures(card.hw, card.format, {OWN: (card.format.weights, card.format.activations)})
    assert list(drawn["levels"]) == list(card.hw.levels)
    assert list(drawn["chip"]["tiers"]) == list(card.hw.chip.memory)
    assert drawn["system"]["price"]["value"] == pytest.approx(float(alone["system"]["price"].value), rel=1e-9)
    assert drawn["chip"]["power"]["unit"] == alone["chip"]["power"].unit
    assert list(ordered({"b": {"d": 1, "c": 2}, "a": 3})) == ["b", "a"]


def test_a_narrow_drawing_stays_within_its_width(drawn: dict[str, Any]) -> None:
    import xml.etree.ElementTree as ElementTree

    root = ElementTree.fromstring(narrow_drawing("A", OWN, drawn))
    for shape in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert 0 <= float(shape.get("x", 0)) <= float(shape.get("x", 0)) + float(shape.get("width", 0)) <= 390.1
    assert root.find("{http://www.w3.org/2000/svg}title") is not None


def study_of(drawn: Mapping[str, Any], passes: Mapping[str, Any], loads: dict[str, np.ndarray]) -> dict[str, Any]:
    """A study with one point that was looked at, and one that was not."""
    row = curve.rows(loads, Template((), {}, built(*CARD)))
    metrics = {name.removeprefix("metrics."): float(v[0]) for name, v in loads.items() if name.startswith("metrics.")}
    point = {"name": "<F1>", "metrics": metrics, "mapping": {"users": 1}, "headroom": {"latency": 0.5}}
    one = {
        "machine": drawn,
        "chips": 8.0,
        "curve": row,
        "roofline": [passes[DECODE], passes[PROMPT]],
        "absent": {"sources": "<no>"},
    }
    one["mappings"] = {
        "chosen": {"tensor": 8, "weights": "sram"},
        "runners_up": [{"tensor": 4, "weights": "sram", "loses": "worse"}],
    }
    return {"front": [point, point | {"name": "F2"}], "baselines": [], "details": {"<F1>": one}}


def test_the_sections_say_what_is_there_and_what_is_not(
    drawn: dict[str, Any], alone: dict[str, Any], loads: dict[str, np.ndarray]
) -> None:
    study = study_of(drawn, alone, loads)
    section = str(details_section(study))
    assert "Of 1 of 2 points" in section
    assert "could not be worked out: &lt;no&gt;" in section
    assert "<F1>" not in section
    assert section.count("<svg") == 2
    assert "<style>" not in section
    for one in alone[DECODE]["operators"]:
        assert one["name"] in section
    view = json.loads(json.dumps(details_view(study)))
    assert view["machines"]["<F1>"]["work"]["user"] == pytest.approx(
        loads["metrics.tokens_per_second_per_user"][0], rel=1e-4
    )
    assert "No machine" in str(details_section(study | {"details": {}}))
    assert "<svg" in roofline_picture.picture("A", [alone[DECODE]])


def test_a_part_that_fails_is_absent_and_the_others_stay(capsys: pytest.CaptureFixture[str], card: Candidate) -> None:
    found: dict[str, dict[str, Any]] = {"A": {"absent": {}}}
    shown = [Shown("A", {}, Template(CARD, {}, card), card, {})]

    def broken(_: Any) -> list[Any]:
        raise RuntimeError("no power")

    details.told(found, shown, "curve", broken)
    details.told(found, shown, "machine", lambda many: [1])
    assert found == {"A": {"absent": {"curve": "no power"}, "machine": 1}}


def test_points_are_spread_over_the_front() -> None:
    assert spread_out(5, 12, [1]) == [0, 1, 2, 3, 4]
    assert spread_out(100, 4, [50]) == sorted({50, *spread_out(100, 4, [50])})
    assert len(spread_out(100, 12, [3, 50])) == 12
    assert {3, 50} <= set(spread_out(100, 12, [3, 50]))
    assert Path(details.__file__ or "").exists()
