"""Constants of serving software: put in by name, and written where they are read from."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.configuration.compose import component, conf_folder, written
from dse.configuration.schema import build
from dse.validation import runtime_fit
from dse.validation.end_to_end import role
from dse.validation.end_to_end_plan import Library, Planned, plan
from dse.validation.end_to_end_rows import COLUMNS
from dse.validation.runtime_fit import Fit, main, put_constants, with_constants
from dse.validation.validate import FITTED
from hw.system import Runtime

ROW = dict.fromkeys(COLUMNS, "") | {
    "accelerator": "H100 SXM", "n_accel": "1", "model": "llama3_8b", "precision": "bf16", "input_len": "1024",
    "output_len": "256", "batch_or_concurrency": "16", "scenario": "static batch", "metric": "batch_latency",
    "value": "1500", "unit": "ms", "tp": "1", "engine": "Home-made 2",
}  # fmt: skip
FIT = Fit(np.array([1.234e-3, 1e-9, 0.25]), np.array([2e-5, np.nan, 0.012]), 40)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of one's own with a profile, written as the shipped ones are."""
    profile = tmp_path / "mine" / "hw" / "runtime" / "home_made.yaml"
    profile.parent.mkdir(parents=True)
    shipped = (conf_folder() / "hw" / "runtime" / "vllm.yaml").read_text()
    profile.write_text(f"# Made at home.\n{shipped.replace('aliases: [vLLM]', 'aliases: [Home-made]')}")
    return profile


def test_written_constants_are_read_again(mine: Path) -> None:
    before = mine.read_text()
    put_constants(mine, FIT)
    runtime = build(written(mine), "hw/runtime")
    assert float(runtime.step_time) == pytest.approx(1.234e-3, rel=0.005)  # three digits
    assert float(runtime.layer_time) == 0
    assert float(runtime.hidden_exchange) == pytest.approx(0.25)
    now = mine.read_text()
    assert [line for line in now.splitlines() if line.startswith(("#", "aliases", "_target_"))] == [
        line for line in before.splitlines() if line.startswith(("#", "aliases", "_target_"))
    ]
    sources = written(mine)["sources"]
    assert sources["step_time"].startswith(
        "derived: fitted on 40 published runs, python -m dse.validation.runtime_fit write;"
    )
    assert sources["step_time"].endswith("standard error 20 us")
    assert sources["layer_time"].endswith("at its lower limit")
    assert sources["hidden_exchange"].endswith("standard error 0.012")


def test_a_constant_at_its_upper_limit_says_so() -> None:
    found = runtime_fit.lines(Fit(np.array([0.06, 1e-5, 0.9]), np.array([np.nan, 1e-6, np.nan]), 20))
    assert found["step_time"] == ("60 ms", found["step_time"][1])
    assert found["hidden_exchange"][0] == "0.9"
    assert found["step_time"][1].endswith("at its upper limit")


def test_constants_go_in_by_name() -> None:
    (moved,) = with_constants([plan(Library(), ROW | {"engine": "vLLM"})], np.array([1e-3, 2e-6, 0.5]))
    runtime: Runtime = moved.question.runtime
    assert [float(getattr(runtime, name)) for name in runtime_fit.NAMES] == [1e-3, 2e-6, 0.5]


def test_the_command_writes_profiles_of_ones_own(mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """With a stub in the place of the fit: which rows it is given, and what becomes of its answer."""
    asked: list[Planned] = []
    library = Library()
    rows = [ROW | {"row_id": f"e{i:05}"} for i in range(60)]
    third = [row["row_id"] for row in rows if role(library.rules, row, "dgx_h100") == FITTED]

    def fitted(planned: list[Planned]) -> Fit:
        asked.extend(planned)
        return FIT

    monkeypatch.setattr(runtime_fit, "fitted", fitted)
    monkeypatch.setattr(runtime_fit, "logs_of", lambda planned: (list(planned), np.zeros(len(planned))))
    file = mine.parents[3] / "rows.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list[str](COLUMNS))
        writer.writeheader()
        writer.writerows(rows)
    before = mine.read_text()
    words = ["--config-dir", str(mine.parents[2]), str(file)]
    main(words)
    assert mine.read_text() == before
    assert "home_made:" in capsys.readouterr().out
    main([*words, "write"])
    assert [one.run.row["row_id"] for one in asked] == third * 2
    assert build(written(mine), "hw/runtime").step_time == pytest.approx(1.234e-3, rel=0.005)
    assert component("hw/runtime", "vllm")["step_time"]  # the search path is the shipped one again
