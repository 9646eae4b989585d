"""What is kept on disk comes back as it was, whenever the process is killed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small import same

from dse.run import store
from dse.run.store import Trials, write_json, write_whole

KEYS = ["hw/fabric", "hw.chip.engine.cores"]


def batch(seed: int, size: int = 5) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    designs = random.integers(0, 9, (size, len(KEYS))).astype(float)
    awkward = np.array([1 / 3, np.nan, np.inf, -0.0, 5e-324])[:size]
    return designs, {"metrics.power": random.random(size), "awkward": awkward, "legal": random.random(size) > 0.5}


def test_batches_come_back_in_the_order_of_writing_to_the_last_bit(tmp_path: Path) -> None:
    batches = [batch(seed) for seed in range(12)]
    for designs, columns in batches:
        Trials(tmp_path, KEYS).append(designs, columns, (0, 5, 3))
    designs, columns = Trials(tmp_path, KEYS).load()
    assert np.array_equal(designs, np.concatenate([d for d, _ in batches]))
    assert same(columns, {name: np.concatenate([c[name] for _, c in batches]) for name in columns})
    assert columns["legal"].dtype == bool


def test_nothing_written_is_nothing_loaded(tmp_path: Path) -> None:
    designs, columns = Trials(tmp_path, KEYS).load()
    assert designs.shape == (0, len(KEYS))
    assert columns == {}
    assert Trials(tmp_path, KEYS).covered() == 0
    assert Trials(tmp_path, KEYS).totals() == (0, 0)


def test_covered_is_how_far_an_enumeration_came(tmp_path: Path) -> None:
    trials = Trials(tmp_path, KEYS)
    for first in (0, 8, 16):
        trials.append(*batch(first), (first + 8, 5, 2))
    assert trials.covered() == 24
    assert trials.totals() == (15, 6)
    trials.parts()[-1].unlink()
    assert Trials(tmp_path, KEYS).covered() == 16
    assert Trials(tmp_path, KEYS).totals() == (10, 4)


def test_a_batch_without_designs_counts_as_covered(tmp_path: Path) -> None:
    trials = Trials(tmp_path, KEYS)
    trials.append(*batch(1), (5, 5, 5))
    trials.append(np.zeros((0, len(KEYS))), {}, (9, 0, 0))
    designs, columns = trials.load()
    assert trials.covered() == 9
    assert len(designs) == 5
    assert columns["legal"].dtype == bool


def test_a_half_written_batch_is_not_there(tmp_path: Path) -> None:
    trials = Trials(tmp_path, KEYS)
    trials.append(*batch(1), (0, 5, 5))
    (trials.folder / "000001-0-5-5.tmp").write_bytes(trials.parts()[0].read_bytes()[:100])
    assert len(trials.load()[0]) == 5
    trials.append(*batch(2), (0, 5, 5))
    assert len(trials.load()[0]) == 10


def test_a_file_is_the_old_one_until_it_is_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "study.json"
    write_whole(path, "old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert path.read_text() == "old"


def test_json_has_null_where_there_is_no_number(tmp_path: Path) -> None:
    content = {"a": np.float64("nan"), "b": [np.inf, np.int64(3), np.bool_(True)], "c": np.array([0.1, -np.inf])}
    write_json(tmp_path / "x.json", content)
    read = json.loads((tmp_path / "x.json").read_text(), parse_constant=pytest.fail)
    assert read == {"a": None, "b": [None, 3, True], "c": [0.1, None]}
