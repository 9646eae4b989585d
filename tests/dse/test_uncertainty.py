"""Drawn machines answer as the same machines do one by one; what is robust is what the draws keep."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from running import run_here
from small import GOALS, MACHINE, SMALL, WANTED

from dse.configuration.compose import conf_folder, written
from dse.machine.sensitivity import value_of_knowing
from dse.machine.single import answer
from dse.problem.problem import Problem
from dse.problem.template import template
from dse.run.store import Trials
from dse.search.enumerate import Enumeration
from dse.uncertainty.beliefs import Beliefs, inputs
from dse.uncertainty.draws import Draws
from dse.uncertainty.robust import Robust, at_least_as_good
from dse.uncertainty.uncertainty import Widener, bounds, chances, structures_of, widened

SPACE = {"hw.chip.engine.cores": [128, 512], "hw.chip.engine.frequency": ["0.8 GHz", "1.2 GHz"]}
BELIEFS = Beliefs.read(written(conf_folder() / "spreads" / "default.yaml"))
DESIGNS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
COUNT, ASKED = 32, 4


@pytest.fixture(scope="module")
def question() -> Problem:
    return Problem(MACHINE, SPACE, WANTED, len(DESIGNS))


@pytest.fixture(scope="module")
def robust(question: Problem) -> Robust:
    return Robust(question, GOALS, BELIEFS, 0.9, 1)


@pytest.fixture(scope="module")
def columns(question: Problem) -> dict[str, np.ndarray]:
    return question.evaluate(DESIGNS)


@pytest.fixture(scope="module")
def drawn(robust: Robust, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return robust.widener.push(DESIGNS, columns, robust.drawn)


def test_what_is_searched_or_counted_is_exact(question: Problem) -> None:
    uncertain = Widener(question, BELIEFS, 1).inputs(())
    paths = {one.path for one in uncertain}
    assert not paths & set(SPACE)
    assert "hw.levels.card.fanout" not in paths
    assert "hw.chip.cooling.ambient_temperature" not in paths
    widths = {one.path: (one.width, one.confidence) for one in uncertain}
    assert widths["hw.ownership.tariff"] == (0.3, "stated")
    assert widths["hw.levels.card.link.bandwidth"] == (0.02, "published")
    assert widths["hw.chip.engine.overhead"] == (0.3, "assumed")
    assert widths["hw.ownership.volume"] == (0.6, "stated")


def test_what_the_command_line_sets_is_exact_unless_it_states_a_spread() -> None:
    key = "hw.chip.vector.rate"
    exact = inputs(template([*MACHINE, f"{key}=8 Top/s"]), BELIEFS)
    stated = inputs(template([*MACHINE, f"{key}=8 Top/s +/- 7 %"]), BELIEFS)
    assert key not in {one.path for one in exact}
    assert [one.width for one in stated if one.path == key] == [0.07]


def test_one_place_is_one_number() -> None:
    """Two fabrics are two numbers, the servers on them the same; one link file in two levels is off in both alike."""
    pair = [inputs(template([f"hw=squadrack_{name}", *MACHINE[1:]]), BELIEFS) for name in ("fabrex", "ethernet")]
    draws = Draws.of(pair, 16, 1)
    values = [draws.values(one) for one in pair]
    leaves = [{one.path: one.leaf for one in uncertain} for uncertain in pair]

    def of(which: int, path: str) -> np.ndarray:
        factor = values[which][leaves[which][path]]
        return factor / np.exp(np.mean(np.log(factor)))

    shared = "hw.chip.engine.overhead"
    assert np.array_equal(of(0, shared), of(1, shared))
    fabric = "hw.levels.rack.link.latency"
    assert np.abs(np.corrcoef(of(0, fabric), of(1, fabric))[0, 1]) < 0.9


def test_designs_without_draws_are_the_designs(
    robust: Robust, question: Problem, columns: dict[str, np.ndarray]
) -> None:
    """No spreads, no width; to seven digits, which is what answers are rounded to."""
    nothing = Draws(robust.drawn.places, np.full((1, len(robust.drawn.places)), 0.5))
    exact = Widener(question, BELIEFS, 1)
    exact._inputs[()] = []
    found = exact.push(DESIGNS, columns, nothing)
    for name, values in columns.items():
        assert found[name][:, 0] == pytest.approx(values, rel=3e-6, abs=1e-9), name


def test_drawn_machines_answer_as_they_do_one_by_one(robust: Robust, drawn: dict[str, np.ndarray]) -> None:
    """Each of some draws composed anew from overrides, its mapping the one that was chosen as written."""
    uncertain = robust.widener.inputs(())
    values = robust.drawn.values(uncertain)
    shape = ["hw.chip.engine.cores=512", "hw.chip.engine.frequency=1.2 GHz"]
    for draw in range(ASKED):
        words = []
        for one in uncertain:
            value = float(values[one.leaf][draw])  # a count is drawn between whole numbers, and written as one
            words.append(
                f"{one.path}='{round(value) if one.rule.whole else value!r} {one.rule.unit}'".replace(" '", "'")
            )
        expected = answer(template([*MACHINE, *shape, *words]), WANTED)
        for name, value in expected["metrics"].items():
            assert drawn[f"metrics.{name}"][3, draw] == pytest.approx(value, rel=1e-5), name


def test_bounds_hold_the_middle_and_narrow_with_the_spreads(
    robust: Robust, question: Problem, columns: dict[str, np.ndarray], drawn: dict[str, np.ndarray]
) -> None:
    wide = bounds({name: values[0] for name, values in drawn.items()})["metrics"]["cost_per_million_tokens"]
    assert wide["p5"] < wide["p50"] < wide["p95"]
    told = written(conf_folder() / "spreads" / "default.yaml")
    less = Beliefs.read(told | {"classes": told["classes"] | {"assumed": "15 %"}})
    widener = Widener(question, less, 1)
    found = widener.push(DESIGNS[:1], {name: values[:1] for name, values in columns.items()}, robust.drawn)
    narrow = bounds({name: values[0] for name, values in found.items()})["metrics"]["cost_per_million_tokens"]
    assert narrow["p95"] - narrow["p5"] < wide["p95"] - wide["p5"]


def test_a_robust_answer_is_kept_by_its_share_of_the_draws(
    robust: Robust, columns: dict[str, np.ndarray], drawn: dict[str, np.ndarray]
) -> None:
    found = robust.evaluate(DESIGNS)
    energy, speed = "metrics.energy_per_token", "metrics.tokens_per_second_per_user"
    assert ((drawn[energy] <= found[energy][:, None]).mean(axis=1) >= 0.9).all()
    assert ((drawn[speed] >= found[speed][:, None]).mean(axis=1) >= 0.9).all()
    assert np.array_equal(found["headroom.power"], at_least_as_good(drawn["headroom.power"], 0.9, True))
    assert np.array_equal(found["as_written.energy_per_token"], columns[energy])
    assert np.array_equal(found["mapping.tensor"], columns["mapping.tensor"])


def test_a_search_asks_what_is_robust(robust: Robust, tmp_path: Path) -> None:
    """Enumeration of the robust question has the front of its answers, found by themselves."""
    trials = Trials(tmp_path, list(SPACE))
    Enumeration(chunk=3, batch=4, keep=100, most=100).run(robust, GOALS, trials, 1)  # type: ignore[arg-type]
    designs, kept = trials.load()
    assert np.array_equal(designs, DESIGNS)
    alone = robust.evaluate(DESIGNS)
    assert GOALS.front(kept).tolist() == GOALS.front(alone).tolist()


def test_chances_are_shares_of_draws(drawn: dict[str, np.ndarray]) -> None:
    works, best = chances(drawn, GOALS)
    assert (best <= works).all()
    assert (best * COUNT == np.round(best * COUNT)).all()
    alone = chances({name: values[:1] for name, values in drawn.items()}, GOALS)
    assert alone[0] == alone[1]


def test_of_a_machine_the_doubt_is_named_and_narrowed() -> None:
    """The largest part comes first; knowing it narrows the bounds, and all parts are about the whole. 128 draws leave
    errors of some 10 % of each index."""
    found = template([*MACHINE, "hw.chip.engine.cores=512", "hw.chip.engine.frequency=1.2 GHz"])
    beliefs = replace(BELIEFS, value_draws=128, value_inputs=4)
    known = value_of_knowing(found, answer(found, WANTED), GOALS, beliefs, WANTED, 1)
    for name, told in known["value"].items():
        totals = [one["total"] for one in told]
        assert totals == sorted(totals, reverse=True)
        assert len(told) == beliefs.value_inputs + 1
        assert sum(totals) > 0.8
        wide, narrow = (np.ptp(told[0][which]) for which in ("now", "known"))
        assert narrow < wide
        assert any(name in words for words in known["words"])


def test_nothing_uncertain_has_no_worth() -> None:
    found = template(MACHINE)
    exact = replace(BELIEFS, classes=dict.fromkeys(BELIEFS.classes, 0.0))
    stated = inputs(found, exact)
    assert {one.confidence for one in stated} == {"stated"}
    bare = replace(found, config={**found.config, "hw": {}})
    with pytest.raises(ValueError, match="no number of this machine is uncertain"):
        value_of_knowing(bare, {}, GOALS, exact, WANTED, 1)


def test_a_machine_of_its_own_has_the_bounds_of_its_design(
    robust: Robust, drawn: dict[str, np.ndarray], columns: dict[str, np.ndarray]
) -> None:
    """What the command line sets is as exact as what a space sets."""
    found = template([*MACHINE, "hw.chip.engine.cores=512", "hw.chip.engine.frequency=1.2 GHz"])
    alone = widened(found, answer(found, WANTED), replace(BELIEFS, draws=COUNT), WANTED, 1)["bounds"]
    beside = bounds({name: values[3] for name, values in drawn.items()})
    for name, told in beside["metrics"].items():
        assert alone["metrics"][name] == pytest.approx(told, rel=2e-6, abs=1e-12), name


@pytest.mark.slow
def test_mapping_again_is_no_worse_by_what_it_maps_for(
    robust: Robust, question: Problem, columns: dict[str, np.ndarray], drawn: dict[str, np.ndarray]
) -> None:
    widener = Widener(question, replace(BELIEFS, mapping="best"), 1)
    again = widener.push(DESIGNS, columns, robust.drawn)
    fits = (drawn["headroom.memory"] >= 0) & (drawn["headroom.latency"] >= 0)
    name = "metrics.time_per_output_token"
    assert fits.any()
    assert (again[name][fits] <= drawn[name][fits] * (1 + 1e-6)).all()


def test_structures_are_codes_of_files(question: Problem) -> None:
    assert structures_of(question, DESIGNS) == [()] * len(DESIGNS)


@pytest.mark.slow
def test_a_study_says_how_sure_its_points_are(own: Path, tmp_path: Path) -> None:
    words = (*SMALL[:-1], "spreads.draws=8", "search=enumerate", "hydra.run.dir=study")
    done = run_here(tmp_path, "--config-dir", str(own), *words)
    assert done.code == 0, done.err
    study = json.loads((tmp_path / "study" / "study.json").read_text())
    for point in study["front"]:
        assert 0 <= point["chance"]["front"] <= 1
        told = point["bounds"]["metrics"]["cost_per_million_tokens"]
        assert 0 < told["p5"] <= told["p50"] <= told["p95"]
    assert "in nine of ten of 8 draws" in " ".join(done.out.split())
