"""The problem: designs stand for machines, whatever batch they are evaluated in."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from small import DIFFERENT, MACHINE, SPACE, WANTED, WRITTEN, rows, same, small_problem

from dse.evaluation.mapping import Wanted
from dse.evaluation.metrics import SECTIONS, units
from dse.evaluation.results import point
from dse.machine.single import answer
from dse.problem.commands import design_overrides
from dse.problem.problem import Problem
from dse.problem.template import leaf_index, template

SRAM, STACK = 0.0, 1.0


@pytest.fixture(scope="module")
def designs(problem: Problem) -> np.ndarray:
    return problem.space.designs(0, WRITTEN)


@pytest.fixture(scope="module")
def columns(problem: Problem, designs: np.ndarray) -> dict[str, np.ndarray]:
    return problem.evaluate(designs)


def test_parameters_that_a_structure_lacks_rest_at_their_first_choice(problem: Problem, designs: np.ndarray) -> None:
    clean = problem.canonical(designs)
    layers = [p.key for p in problem.space.parameters].index("hw.chip.memory.stack.layers")
    with_sram = designs[:, 0] == SRAM
    assert (clean[with_sram, layers] == 0).all()
    assert np.array_equal(clean[~with_sram], designs[~with_sram])
    assert np.array_equal(np.delete(clean, layers, axis=1), np.delete(designs, layers, axis=1))
    assert len(set(rows(clean))) == DIFFERENT
    assert np.array_equal(problem.canonical(clean), clean)


def test_an_interval_that_a_structure_lacks_rests_at_its_low_end() -> None:
    space = SPACE | {"hw.chip.memory.stack.layers": {"low": 2, "high": 4}}
    found = small_problem(space=space).canonical(np.array([[SRAM, 1, 1, 3.0], [STACK, 1, 1, 3.0]]))
    assert rows(found) == [(SRAM, 1, 1, 2), (STACK, 1, 1, 3)]


def test_designs_that_differ_only_in_what_they_lack_have_the_same_answers(
    problem: Problem, designs: np.ndarray, columns: dict[str, np.ndarray]
) -> None:
    clean = problem.canonical(designs)
    index = [rows(designs).index(row) for row in rows(clean)]
    assert same(columns, {name: values[index] for name, values in columns.items()})


def test_answers_do_not_know_the_batch_or_the_order(
    problem: Problem, designs: np.ndarray, columns: dict[str, np.ndarray]
) -> None:
    order = np.random.default_rng(1).permutation(len(designs))
    shuffled = problem.evaluate(designs[order])
    assert same({name: values[order] for name, values in columns.items()}, shuffled)
    alone = problem.evaluate(designs[7:8])
    assert same({name: values[7:8] for name, values in columns.items()}, alone)


def test_every_answer_is_a_number_for_every_design(columns: dict[str, np.ndarray]) -> None:
    names = {f"{section}.{name}" for section, kind in SECTIONS.items() for name in units(kind)}
    assert names < set(columns)
    assert all(np.isfinite(columns[name]).all() and len(columns[name]) == WRITTEN for name in names)


@pytest.mark.parametrize("row", [0, 8, 20, 35])
def test_a_design_is_the_machine_of_its_overrides(
    problem: Problem, designs: np.ndarray, columns: dict[str, np.ndarray], row: int
) -> None:
    """To seven digits, which is what answers of a search are rounded to."""
    words = design_overrides(problem, designs[row])
    found = template([*MACHINE, *words])
    expected = answer(found, WANTED)
    assert ("hw.chip.memory.stack.layers" in " ".join(words)) == (designs[row, 0] == STACK)
    given = point(columns, row, found.tiers)
    assert given["mapping"] == expected["mapping"]
    for section in SECTIONS:
        assert given[section] == pytest.approx(expected[section], rel=6e-7, abs=1e-12)


def test_mappings_are_tried_for_every_machine_of_a_varied_fanout() -> None:
    """The larger machine is worth nothing to a grid that knows only the smaller one's degrees."""
    space = {"hw.levels.package.fanout": [1, 8]}
    columns = Problem(MACHINE, space, Wanted("time_per_output_token"), 2).evaluate(np.array([[0.0], [1.0]]))
    chips = columns["mapping.tensor"] * columns["mapping.pipeline"] * columns["mapping.data"]
    assert chips[0] <= 2
    assert chips[1] > 2
    assert columns["mapping.tensor"][1] * columns["mapping.pipeline"][1] > 2


def test_a_key_leads_to_its_own_leaf() -> None:
    found = template(MACHINE).candidate
    changed = template([*MACHINE, "hw.levels.card.fanout=3"]).candidate
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(changed), strict=True)
    assert [i for i, (a, b) in enumerate(pairs) if a != b] == [leaf_index(found, "hw.levels.card.fanout")]
    with pytest.raises(KeyError):
        leaf_index(found, "hw.levels.card")


def test_too_many_combinations_of_files_are_refused() -> None:
    many = [f"another_{i}" for i in range(70)]
    space = {"hw/chip/memory": ["sram_lpddr5", *many], "format": ["mxint8", *many]}
    with pytest.raises(ValueError, match="space: more than 4096 combinations of files"):
        Problem(MACHINE, space, WANTED, 8).structures()
