"""Baselines are evaluated as their own command lines say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dse.report.baselines
from dse.evaluation.goals import Goals
from dse.evaluation.mapping import Wanted
from dse.problem.session import Session
from dse.report.baselines import baselines


def test_a_baseline_has_the_mapping_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own overrides of the mapping hold; degrees of the searched machine do not; the objective is everyone's."""
    asked: list[Wanted] = []

    def answered(found: Any, wanted: Wanted) -> dict[str, Any]:
        asked.append(wanted)
        return {"legal": True, "headroom": {"memory": 1.0}, "mapping": {}}

    monkeypatch.setattr(dse.report.baselines, "answer", answered)
    given = ["hw=corsair_card", "mapping.tensor=4", "mapping.objective=power"]
    config = {
        "details": 0,
        "baselines": {"plain": ["hw=corsair_card"], "slow tier": ["hw=corsair_card", "mapping.weights=lpddr"]},
    }
    session = Session(config, given, Path(), [], {"experiment": ""})
    points, machines = baselines(session, Goals({"power": "minimize"}, ("memory",)))
    assert [one.weights for one in asked] == [None, "lpddr"]
    assert [(one.tensor, one.objective) for one in asked] == [(0, "power")] * 2
    assert [point["name"] for point in points] == list(machines) == ["plain", "slow tier"]
    assert "mapping.weights=lpddr" in points[1]["command"]
