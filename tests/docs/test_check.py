"""task=check: a sound machine keeps all rules, and each rule that is broken is named with its place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from running import run_here

from dse.configuration.compose import beside
from dse.documents import check
from dse.documents.check import cool, idle, later, sound, written
from dse.problem.template import parts

MINE = """\
defaults:
  - corsair_chiplet
  - _self_
chip:
  memory:
    lpddr:
      bandwidth: 100 GB/s
"""
SOURCED = MINE + '      sources: {bandwidth: "assumed: two such channels"}\n'
VAGUE = MINE + '      sources: {bandwidth: "assumed: so"}\n'
QUICK = ("task=check", "model=llama3_2_1b", "tracking=none", "hydra.run.dir=run")


def mine(folder: Path, text: str) -> Path:
    """A folder of one's own with one machine."""
    (folder / "mine/hw").mkdir(parents=True)
    (folder / "mine/hw/own.yaml").write_text(text)
    return folder / "mine"


def broken(folder: Path, text: str) -> dict[str, list[str]]:
    """The rules about what is written that a machine breaks, with the places."""
    with beside([mine(folder, text)]):
        return {row.rule: row.broken for row in written(parts(["hw=own"])) if row.broken}


@pytest.mark.slow
def test_a_machine_of_ones_own_is_checked(tmp_path: Path) -> None:
    mine(tmp_path, SOURCED)
    done = run_here(tmp_path, "--config-dir", "mine", "hw=own", *QUICK)
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "run/check.json").read_text())["rules"]
    assert {row["verdict"] for row in rows} == {"kept"}
    assert {"slopes are finite", "a better part never makes a token come later"} <= {row["rule"] for row in rows}


def test_a_number_without_a_source_is_named(tmp_path: Path) -> None:
    assert broken(tmp_path, MINE) == {"every number has a source": ["hw.chip.memory.lpddr.bandwidth"]}


def test_a_broken_rule_is_one_object_of_json_and_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "moved", lambda *_: [])  # slopes take their time
    mine(tmp_path, MINE)
    done = run_here(tmp_path, "--json", "--config-dir", "mine", "hw=own", *QUICK)
    assert done.code == 1
    found = json.loads(done.out)
    assert (found["task"], found["exit"], found["files"]) == ("check", 1, [str(tmp_path / "run/check.json")])
    assert f"dse: {found['error']}" in done.err.splitlines()
    rows = {row["rule"]: row["verdict"] for row in found["rules"]}
    assert [rule for rule, verdict in rows.items() if verdict == "broken"] == ["every number has a source"]
    kept = run_here(tmp_path, "--json", "hw=corsair_chiplet", *QUICK)
    assert (kept.code, set(json.loads(kept.out)) & {"error", "exit"}) == (0, set())


def test_a_reason_must_say_something(tmp_path: Path) -> None:
    assert list(broken(tmp_path, VAGUE).values()) == [["hw.chip.memory.lpddr.bandwidth"]]


def test_a_missing_unit_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    mine(tmp_path, SOURCED.replace("100 GB/s", "100"))
    done = run_here(tmp_path, "--config-dir", "mine", "hw=own", *QUICK)
    assert done.code == 1
    assert "own.yaml: chip.memory.lpddr.bandwidth: 100 has no unit" in done.err


def test_sources_of_nothing_are_found() -> None:
    node = {"capacity": "1 B", "sources": {"capacity": "x"}, "inner": {"sources": {"width": "x"}}}
    assert list(idle(node, "hw")) == ["hw.inner.width"]


@pytest.mark.parametrize(("source", "wanted"), [("viks", True), ("derived: 2 times 3", True), ("someone", False)])
def test_sources_are_keys_or_reasons(source: str, wanted: bool) -> None:
    assert sound(source) == wanted


def test_slopes_of_the_wrong_sign_are_named() -> None:
    """A bandwidth that slows, a latency that hastens; what stands in the rounding of the time counts for nothing."""
    names = ["hw.a.bandwidth", "hw.b.bandwidth", "hw.a.latency", "hw.b.latency", "hw.c.latency", "model.latency"]
    slopes = np.array([-1.0, 1.0, 1.0, -1.0, -1e-12, -1.0])
    assert later(names, np.ones(6), 1.0, slopes) == ["hw.b.bandwidth", "hw.b.latency"]


def test_limits_of_heat_are_lifted() -> None:
    leaves = cool(["hw.chip.cooling.power_limit", "hw.chip.cooling.thermal_resistance", "hw.x"], np.array([1.0, 2, 3]))
    assert leaves.tolist() == [1e12, 0.0, 3.0]
