"""Tables and pictures of who wins, from trials that are made up; exchanges by size, by hand."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dse.problem.template import template
from dse.report.exchange_sizes import crossings, message, seconds
from dse.report.winners import Trials, main

CHOICES, USERS = ("one", "other"), (1.0, 8.0, 64.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of two memories and three loads, each with a cheap late design that is not feasible and two that are."""
    rows = [
        {"hw/memory": memory, "serving.users": users, "cores": cores, "metrics.power": power, "metrics.goodput": users,
         "headroom.heat": heat, "legal": 1.0}
        for memory, base in zip(CHOICES, (100.0, 300.0), strict=True)
        for users in USERS
        for cores, power, heat in ((1.0, 1.0, -1.0), (2.0, base + users, 0.0), (4.0, base + 2 * users, 1.0))
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(tmp_path / "trials.parquet")
    shown = {name: {"unit": "", "factor": 1.0} for name in ("serving.users", "cores", "hw/memory")}
    study = {"title": "t", "objectives": [{"name": "power"}], "constraints": ["heat"], "counts": {"evaluated": 18}}
    (tmp_path / "study.json").write_text(json.dumps(study | {"columns": {"parameters": shown}}))
    return tmp_path


def test_the_best_feasible_design_of_each_condition(folder: Path) -> None:
    cells = Trials(folder).cells("power", "hw/memory", "serving.users", "")
    assert cells == {("", u, m): b + u for m, b in zip(CHOICES, (100, 300), strict=True) for u in USERS}
    assert Trials(folder).cells("goodput", "hw/memory", "serving.users", "")["", 8.0, "one"] == 8


def test_rules_keep_what_they_say(folder: Path) -> None:
    assert set(Trials(folder, ["cores=4"]).frame["cores"]) == {4}
    assert set(Trials(folder, ["hw/memory=other"]).frame["hw/memory"]) == {"other"}
    assert set(Trials(folder, ["cores*serving.users=16"]).frame["cores"]) == {2}
    assert Trials(folder, ["metrics.power<=110"]).frame["metrics.power"].max() <= 110
    with pytest.raises(ValueError, match="no column 'core'"):
        Trials(folder, ["core=4"])
    with pytest.raises(ValueError, match="no rule"):
        Trials(folder, ["cores"])


def test_an_incomplete_table_of_trials_is_refused(folder: Path) -> None:
    study = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(study | {"counts": {"evaluated": 19}}))
    with pytest.raises(ValueError, match=r"search\.keep"):
        Trials(folder)


def test_the_command_prints_and_draws(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = folder / "picture.svg"
    main([str(folder), "lines=hw/memory", "across=serving.users", f"picture={picture}"])
    printed = capsys.readouterr().out
    assert "| 8 | **108** | 308 |" in printed
    lines = ElementTree.fromstring(picture.read_text()).iter("{http://www.w3.org/2000/svg}polyline")
    assert len(list(lines)) == len(CHOICES)
    main([str(folder), "lines=cores", "across=hw/memory", "panels=serving.users", f"picture={picture}"])
    assert "serving.users 64" in picture.read_text()


def test_exchanges_by_hand() -> None:
    """Two latencies and (n - 1) / n of the bytes out and in, over the outermost switch; longer over all levels."""
    found = template(["hw=squadrack_fabrex", "model=llama3_70b", "format=mxint8"])
    assert message(found) == 8192 * 2
    tokens = np.array([64.0, 256.0])
    whole, alone = seconds(found, tokens)
    by_hand = 2 * 850e-9 + 7 / 8 * tokens * 8192 * (2 + 8.25 / 8) / (32e9 * 0.85)
    assert alone == pytest.approx(by_hand, rel=1e-6)
    assert (whole > alone).all()


def test_crossings_are_found() -> None:
    """A quick narrow link and a slow wide one: x + 1 and x / 4 + 4 meet at x = 4."""
    from dse.report.exchange_sizes import FINE

    words = list(crossings(FINE + 1, FINE / 4 + 4, 1.0))
    assert words[1].startswith("first / second = 1: 4")
    assert words[2].startswith("first / second = 2: 14")  # x + 1 = x / 2 + 8
