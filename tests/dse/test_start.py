"""Designs that a search begins with: named by keys, or machines of the configurations as near as the space goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from questions import WITH_INTERVALS, Hills
from small import SPACE, small_problem

from dse.problem.problem import Problem
from dse.search.start import begun_from, checked_start


@pytest.fixture(scope="module")
def problem() -> Problem:
    return small_problem()


def test_a_design_is_named_by_its_keys_and_the_rest_is_as_in_the_composed_machine(problem: Problem) -> None:
    """The card has 256 cores at 1.2 GHz; values are read with their units."""
    start = [
        {"hw/chip/memory": "stack_lpddr5x", "hw.chip.memory.stack.layers": 4},
        {"hw.chip.engine.frequency": "0.8 GHz"},
    ]
    designs = begun_from(problem, start)
    assert designs.tolist() == problem.canonical(np.array([[1, 1, 1, 2], [0, 1, 0, 0]], dtype=float)).tolist()


def test_a_named_machine_is_mapped_to_the_nearest_and_what_lies_outside_is_said(
    problem: Problem, capsys: pytest.CaptureFixture[str]
) -> None:
    (design,) = begun_from(problem, ["hw=raptor_card"])
    assert problem.space.files[0].text(design[0]) in SPACE["hw/chip/memory"]
    said = " ".join(capsys.readouterr().out.split())
    chosen = problem.template(problem.space.structures(design[None])[0])
    assert np.array_equal(problem.canonical(design[None])[0], design)
    assert chosen.candidate is not None
    assert said == "" or "is not in the space" in said


def test_of_numbers_the_nearest_is_taken_and_said(problem: Problem, capsys: pytest.CaptureFixture[str]) -> None:
    designs = begun_from(
        problem, ["hw.chip.engine.cores=300", ["hw.chip.engine.cores=512", "hw.chip.engine.frequency=2 GHz"]]
    )
    assert designs[:, 1].tolist() == [1, 2]
    assert designs[:, 2].tolist() == [1, 1]
    said = capsys.readouterr().out
    assert "hw.chip.engine.cores=300 is not in the space; 256 is taken" in said
    assert "hw.chip.engine.frequency=2 GHz is not in the space; 1.2 GHz is taken" in said


def test_an_interval_takes_what_lies_inside(capsys: pytest.CaptureFixture[str]) -> None:
    designs = begun_from(Hills(WITH_INTERVALS), [{"x2": 3.25, "x3": 4, "hw/memory": "far"}, {"x2": 99}])
    assert designs[:, 4:].tolist() == [[3.25, 4], [8, 1]]
    assert "x2=99 is not in the space; 8 is taken" in " ".join(capsys.readouterr().out.split())


WRONG: list[tuple[Any, str]] = [
    ("hw=raptor_card", "is no list"),
    ([3], "search.start: 3 is neither a design nor overrides"),
    (["raptor_card"], "'raptor_card' is neither a design nor overrides; write such as"),
    ([[]], "neither a design nor overrides"),
    ([{"hw.chip.engine.coers": 1}], "hw.chip.engine.coers: the space has no such parameter; did you mean"),
    (
        [{"hw/chip/memory": "sram_lpdr5"}],
        "hw/chip/memory: 'sram_lpdr5' is not in the space; did you mean 'sram_lpddr5'",
    ),
    ([{"hw.chip.engine.frequency": 4}], "hw.chip.engine.frequency: 4 has no unit"),
    ([{"hw.chip.engine.frequency": "4 TB"}], "hw.chip.engine.frequency: '4 TB'"),
]


@pytest.mark.parametrize(("start", "told"), WRONG)
def test_what_cannot_be_begun_from_is_refused(problem: Problem, start: Any, told: str) -> None:
    with pytest.raises(ValueError, match=r"search\.start: ") as error:
        begun_from(problem, start)
    assert told in str(error.value)


def test_a_question_without_machines_has_none_to_begin_from() -> None:
    with pytest.raises(ValueError, match=r"search\.start: 'hw=raptor_card': this search composes no machines"):
        begun_from(Hills(), ["hw=raptor_card"])
    assert checked_start(None) == []
