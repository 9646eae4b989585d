"""A picture of trials shows what was evaluated, in the report's units, and says what it cannot draw."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from dse.report import trials_picture

ROWS = [  # machine, users, seconds a token, headroom, legal
    ("one", 1.0, 0.010, 1.0, 1.0),
    ("one", 2.0, 0.020, -1.0, 1.0),
    ("other", 1.0, 0.040, 1.0, 1.0),
    ("other", 1.0, 0.005, -1.0, 1.0),
    ("other", 1.0, 0.030, 1.0, 1.0),
    ("none", 1.0, 0.001, 1.0, 0.0),
]
ACROSS, UP, LINES = "serving.users", "metrics.time_per_output_token", "hw"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    columns = dict(zip((LINES, ACROSS, UP, "headroom.memory", "legal"), zip(*ROWS, strict=True), strict=True))
    pyarrow.parquet.write_table(pa.table({k: list(v) for k, v in columns.items()}), tmp_path / "trials.parquet")
    shown = {"metrics": {"time_per_output_token": {"unit": "ms", "factor": 1e3}}, "parameters": {}}
    config = {"objectives": {"constraints": ["memory"]}}
    (tmp_path / "study.json").write_text(json.dumps({"title": "Question", "columns": shown, "config": config}))
    return tmp_path


def texts(path: Path) -> list[str]:
    return [node.text or "" for node in ET.parse(path).iter() if node.tag.endswith("text")]


def test_dots_are_the_best_legal_designs_of_each_line(folder: Path) -> None:
    trials_picture.main([str(folder), ACROSS, UP, LINES, str(folder / "out.svg")])
    found = (folder / "out.svg").read_text()
    assert found.count('r="5" class') == 2 + 2, "two dots that keep every constraint, two of the legend"
    assert found.count('r="3.5" class="page edge"') == 1, "one that does not"
    said = texts(folder / "out.svg")
    assert {"one", "other"} <= set(said)
    assert "none" not in said
    assert "Question: time per output token, ms" in said


def test_of_equal_places_the_best_feasible_row_is_drawn(folder: Path) -> None:
    study = json.loads((folder / "study.json").read_text())
    rows = trials_picture.kept(trials_picture.trials(folder, study), ["hw=other", "serving.users=1"])
    assert [row[UP] for row in trials_picture.best(rows, ACROSS, UP)] == [pytest.approx(30.0)]


@pytest.mark.parametrize(("words", "message"), [(["hw=nothing"], "no such design"), ([], "no column")])
def test_what_cannot_be_drawn_is_said(folder: Path, words: list[str], message: str) -> None:
    column = LINES if words else "hardware"
    with pytest.raises(SystemExit, match=message):
        trials_picture.main([str(folder), ACROSS, UP, column, str(folder / "out.svg"), *words])
