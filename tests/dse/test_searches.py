"""What every shipped search keeps, whatever it does: its budget, its seed, no design twice, and what was done."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from machines import CONF, composed
from questions import GRID, Bowl
from small import GOALS, rows

from dse.report.study import make
from dse.run.store import Trials

SEARCHES = sorted(path.stem for path in (CONF / "search").glob("*.yaml"))
BUDGETS = ("evaluations", "trials")
BUDGET = 96
EXACT = ("enumerate",)  # its budget is the space
SLOPES = 7  # coordinates of the space: what slopes of a design cost, at most, beside the design


def configured(name: str) -> Any:
    """A search as it ships, with a small budget in small batches."""
    config = composed(f"search={name}")["search"]
    small = {"batch": 8, "chunk": 512} | dict.fromkeys(BUDGETS, BUDGET)
    return make({**config, **{key: value for key, value in small.items() if key in config}})


def searched(folder: Path, name: str, seed: int = 3) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    trials = Trials(folder, [parameter.key for parameter in GRID.parameters])
    seconds = configured(name).run(Bowl(GRID), GOALS, trials, seed)
    assert {"evaluate", "sampler"} <= seconds.keys()
    return trials.load()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What each search left, made once."""
    made: dict[str, Any] = {}

    def of(name: str) -> tuple[Path, np.ndarray, dict[str, np.ndarray]]:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            made[name] = folder, *searched(folder, name)
        return made[name]

    return of


@pytest.mark.parametrize("name", SEARCHES)
def test_no_design_is_kept_twice_and_the_budget_is_met(found: Any, name: str) -> None:
    _, designs, columns = found(name)
    assert len(set(rows(designs))) == len(designs) == len(columns["legal"])
    if name in EXACT:
        assert len(designs) == GRID.size
    else:
        assert BUDGET / (1 + SLOPES) <= len(designs) <= BUDGET


@pytest.mark.parametrize("name", SEARCHES)
def test_what_is_kept_is_what_the_question_answers(found: Any, name: str) -> None:
    _, designs, columns = found(name)
    again = Bowl(GRID).evaluate(designs)
    assert all(np.array_equal(columns[key], values) for key, values in again.items())


@pytest.mark.parametrize("name", [name for name in SEARCHES if name not in EXACT])
def test_a_seed_is_one_search_and_another_is_another(found: Any, name: str, tmp_path: Path) -> None:
    _, designs, _ = found(name)
    assert rows(searched(tmp_path / "same", name)[0]) == rows(designs)
    assert rows(searched(tmp_path / "other", name, seed=4)[0]) != rows(designs)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_that_lost_its_last_batches_goes_on(found: Any, name: str, tmp_path: Path) -> None:
    folder, designs, _ = found(name)
    shutil.copytree(folder, tmp_path / "run")
    batches = sorted((tmp_path / "run" / "trials").iterdir())
    for batch in batches[len(batches) // 2 :]:
        batch.unlink()
    assert sorted(rows(searched(tmp_path / "run", name)[0])) == sorted(rows(designs))
