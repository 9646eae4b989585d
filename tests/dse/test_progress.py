"""Hypervolume and the average distance from a reference, against definitions written out, over evaluations and time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from questions import GOALS, Hills, everything
from running import run_here
from small import BATCH, SMALL

from dse.evaluation.goals import BEYOND
from dse.run.store import Trials
from dse.search import progress as module
from dse.search.progress import MOST_POINTS, Reference, in_words, progress


def columns(speed: list[float], energy: list[float]) -> dict[str, np.ndarray]:
    ones = np.ones(len(speed))
    return {
        "metrics.tokens_per_second_per_user": np.array(speed),
        "metrics.energy_per_token": np.array(energy),
        "headroom.memory": ones,
        "headroom.power": ones,
        "legal": ones,
    }


def reference(speed: list[float], energy: list[float]) -> Reference:
    found = Reference.of(GOALS, columns(speed, energy), "three designs")
    assert found is not None
    return found


def lower(speed: list[float], energy: list[float]) -> np.ndarray:
    return GOALS.lower_is_better(columns(speed, energy))


def kept(folder: Path, batches: list[int], seed: int = 0) -> tuple[Trials, dict[str, np.ndarray]]:
    """Some of all designs, in batches of these sizes, as a search keeps them."""
    question = Hills()
    trials = Trials(folder, [p.key for p in question.space.parameters])
    designs = np.random.default_rng(seed).permutation(everything(question))
    for part in np.split(designs[: sum(batches)], np.cumsum(batches)[:-1]):
        answers = question.evaluate(part)
        trials.append(part, answers, (0, len(part), int(GOALS.feasible(answers).sum())))
    return trials, trials.load()[1]


def test_the_distance_is_by_how_much_of_its_own_value_the_nearest_design_misses() -> None:
    """Front (10/s, 4 J), (5/s, 1 J). Found (8/s, 5 J): misses by max(20 %, 25 %), and by the 400 % of its energy."""
    held = reference([10, 5, 1], [4, 1, 9])
    assert len(held.front) == 2
    assert held.distance(lower([8], [5])) == pytest.approx((0.25 + 4) / 2)
    assert held.distance(lower([8, 5], [5, 1])) == pytest.approx(0.125)
    assert held.distance(held.front) == 0
    assert held.distance(lower([11], [1])) == 0, "what beats the reference misses nothing"
    assert held.distance(np.empty((0, 2))) is None


def test_the_box_is_the_references_at_all_times() -> None:
    """Best (10/s, 1 J), worst (1/s, 9 J); a corner at the best has it all, one at the worst a tenth of each side."""
    held = reference([10, 5, 1], [4, 1, 9])
    assert held.hypervolume(lower([10], [1])) == pytest.approx(1)
    assert held.hypervolume(lower([1], [9])) == pytest.approx((BEYOND - 1) ** 2 / BEYOND**2)
    assert held.hypervolume(lower([5.5], [5])) == pytest.approx((BEYOND - 0.5) ** 2 / BEYOND**2)


def test_large_fronts_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    held = reference(*random.uniform(1, 9, (2, 200)).tolist())
    front = lower(*random.uniform(1, 9, (2, 30)).tolist())
    whole = held.distance(front)
    monkeypatch.setattr(module, "AT_ONCE", 100)
    assert held.distance(front) == whole


def test_every_batch_is_a_point_and_none_is_worse_than_the_one_before(tmp_path: Path) -> None:
    trials, answers = kept(tmp_path, [40, 3, 200, 64])
    shown = progress(GOALS, trials, answers, Reference.of(GOALS, answers, "its own"))
    assert shown["reference"] == "its own"
    assert shown["evaluations"] == [40, 43, 243, 307]
    assert shown["seconds"] == sorted(shown["seconds"])
    assert shown["hypervolume"] == sorted(shown["hypervolume"])
    assert shown["adrs"] == sorted(shown["adrs"], reverse=True)
    assert shown["hypervolume"][-1] == pytest.approx(GOALS.hypervolume(answers))
    assert shown["adrs"][-1] == 0
    assert "after 307 designs in" in in_words(shown)


def test_many_batches_are_thinned_and_the_last_stays(tmp_path: Path) -> None:
    trials, answers = kept(tmp_path, [5] * (2 * MOST_POINTS + 7))
    shown = progress(GOALS, trials, answers, Reference.of(GOALS, answers, "its own"))
    assert len(shown["evaluations"]) == len(shown["adrs"]) == MOST_POINTS
    assert shown["evaluations"][-1] == 5 * (2 * MOST_POINTS + 7)
    assert shown["hypervolume"][-1] == pytest.approx(GOALS.hypervolume(answers))


def test_before_anything_feasible_there_is_nothing_to_say(tmp_path: Path) -> None:
    question = Hills()
    designs = everything(question)
    feasible = GOALS.feasible(question.evaluate(designs))
    trials = Trials(tmp_path, [p.key for p in question.space.parameters])
    for part in (designs[~feasible][:9], designs[feasible][:9]):
        trials.append(part, question.evaluate(part), (0, 9, 0))
    answers = trials.load()[1]
    shown = progress(GOALS, trials, answers, Reference.of(GOALS, answers, "its own"))
    assert shown["hypervolume"][0] is None
    assert shown["adrs"] == [None, 0]
    nothing = Reference.of(GOALS, {name: values[:9] for name, values in answers.items()}, "its own")
    assert nothing is None
    assert in_words(progress(GOALS, trials, answers, nothing)) == ""


def test_seconds_add_up_over_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("dse.run.store.time.perf_counter", lambda: now[0])
    question = Hills()
    keys, designs = [p.key for p in question.space.parameters], everything(question)
    trials = Trials(tmp_path, keys)
    now[0] = 102.5
    trials.append(designs[:4], question.evaluate(designs[:4]), (0, 4, 4))
    now[0] = 5000.0
    trials = Trials(tmp_path, keys)
    now[0] = 5001.25
    trials.append(designs[4:6], question.evaluate(designs[4:6]), (0, 2, 2))
    assert [(b.evaluated, b.seconds, b.rows) for b in trials.batches()] == [(4, 2.5, 4), (6, 3.75, 6)]


@pytest.fixture(scope="module")
def enumerated(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held")
    done = run_here(folder, "--config-dir", str(own), *SMALL, "search=enumerate", "hydra.run.dir=all")
    assert done.code == 0, done.err
    shown = json.loads((folder / "all" / "study.json").read_text())["progress"]
    assert shown["reference"] == "this run's own exact front"
    assert shown["adrs"][-1] == 0
    return folder


def test_a_search_is_held_against_the_exact_front_of_a_folder(own: Path, enumerated: Path) -> None:
    words = ("search.trials=16", "search.sampler.population_size=4", "hydra.run.dir=some")
    done = run_here(enumerated, "--config-dir", str(own), *SMALL, *words, "reference=all", "search.start=[{}]")
    assert done.code == 0, done.err
    shown = json.loads((enumerated / "some" / "study.json").read_text())["progress"]
    assert shown["reference"] == "the exact front of all"
    assert shown["evaluations"] == [BATCH, 2 * BATCH]
    assert shown["adrs"] == sorted(shown["adrs"], reverse=True)
    assert 0 < shown["hypervolume"][-1] <= 1
    assert "the exact front of all, after 16 designs in" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("reference=nowhere",), "reference: 'nowhere' holds no search; name the folder of an enumerated one"),
        (("reference=all", "hw.chip.engine.overhead=1 us"), "reference: all is of another question (hw.chip.engine"),
    ],
)
def test_a_reference_that_cannot_be_is_refused(own: Path, enumerated: Path, words: tuple[str, ...], told: str) -> None:
    done = run_here(enumerated, "--config-dir", str(own), *SMALL, *words, "hydra.run.dir=none")
    assert done.code != 0
    assert told in done.err
    assert not (enumerated / "none" / "trials").exists()
