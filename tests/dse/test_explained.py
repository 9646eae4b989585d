"""What a run says: what moves its objectives, and that the mapping held is the one that was found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pools import DRAFT, ONE_WAY, SAME
from pools import SMALL as SMALL_MACHINE
from running import run_here
from small import MACHINE, SMALL, WANTED, write_own

from dse.evaluation.fixed import mappings_of
from dse.evaluation.mapping import Wanted
from dse.machine.single import answer
from dse.problem.template import template
from dse.uncertainty.elasticities import moves

METRICS = ("time_per_output_token", "time_to_first_token", "tokens_per_second", "energy_per_token", "system_cost")


@pytest.mark.slow
def test_an_evaluation_says_what_moves_its_objectives(tmp_path: Path) -> None:
    words = ("task=evaluate", *MACHINE, "tracking=none", "mapping.tensor=8", "mapping.pipeline=1")
    done = run_here(tmp_path, *words, "elasticities=true", "hydra.run.dir=run")
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    section, name = found["sensitivity"], "time_per_output_token"
    cause, share = max(found["shares"].items(), key=lambda item: item[1])
    out = " ".join(done.out.split())
    assert f"{name} is {share * 100:.0f} % {cause}: 10 % " in out
    assert "10 % more hw.chip.memory.lpddr.bandwidth gives" in section["words"][0], "weights and cache lie there"
    assert set(section["elasticities"]) >= {name, "energy_per_token", "cost_per_million_tokens"}
    for one in section["effects"][name]:
        assert one["effect"] < 0, "each makes a token faster"
        assert one["counted"] or one["effect"] > -0.1 / 0.9 - 1e-9, "no time falls faster than a rate rises"


def test_what_is_neither_true_nor_false_is_refused(tmp_path: Path) -> None:
    done = run_here(tmp_path, "task=evaluate", *MACHINE, "tracking=none", "elasticities=maybe", "hydra.run.dir=run")
    assert done.code == 1
    assert "elasticities: 'maybe' is neither true nor false" in done.err


MACHINES = [
    pytest.param(MACHINE, WANTED, id="one machine"),
    pytest.param((*SMALL_MACHINE, *SAME), ONE_WAY, id="a pool that fills prompts"),
    pytest.param((*SMALL_MACHINE, *DRAFT), ONE_WAY, id="a draft"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("machine", "wanted"), MACHINES)
def test_the_mapping_that_is_held_gives_the_answers_that_were_found(machine: tuple[str, ...], wanted: Wanted) -> None:
    found = template(machine)
    best = answer(found, wanted)
    held = moves(found.candidate, mappings_of(best, found.candidate), METRICS)
    assert held.metrics == pytest.approx({name: best["metrics"][name] for name in METRICS}, rel=1e-9)
    assert held.headroom == pytest.approx(best["headroom"], rel=1e-9, abs=1e-9)


@pytest.mark.slow
def test_points_of_a_front_say_what_moves_them(tmp_path: Path) -> None:
    write_own(tmp_path / "mine")
    words = (*SMALL, "search=enumerate", "elasticities=true", "baselines=null", "hydra.run.dir=study")
    done = run_here(tmp_path, "--config-dir", "mine", *words)
    assert done.code == 0, done.err
    study = json.loads((tmp_path / "study" / "study.json").read_text())
    explained = [one for one in study["front"] if "sensitivity" in one]
    assert explained
    goals = [one["name"] for one in study["objectives"]]
    assert all(set(one["sensitivity"]["elasticities"]) == set(goals) for one in explained)
    for name in goals:
        assert any(f": {name} " in words for words in study["finding"])
