"""What points and baselines are held against each other by."""

from __future__ import annotations

import pytest
from machines import candidate
from small import MACHINE, small_problem

from dse.problem.template import parts
from dse.report.counterparts import AREAS, area_columns, area_shares, areas, counterparts
from dse.report.study import parameter_units
from hw.chip import DieArea


@pytest.mark.parametrize("system", ["corsair_server", "raptor_server", "dgx_h100"])
def test_areas_sum_to_all_compute_dies(system: str) -> None:
    found = candidate(f"hw={system}")
    assert sum(areas(found)) == pytest.approx(float(found.hw.silicon_area()), rel=1e-12)
    assert sum(area_shares(found).values()) == pytest.approx(1)
    assert min(area_shares(found).values()) >= 0


def test_a_pool_that_fills_prompts_counts_with_its_dies() -> None:
    found = parts(["hw=corsair_server", "prefill=dgx_h100"]).candidate
    assert found.prefill is not None
    alone = sum(areas(candidate("hw=corsair_server")))
    beside = float(found.prefill.machines * found.prefill.hw.silicon_area())
    assert sum(areas(found)) == pytest.approx(alone + beside, rel=1e-12)


def test_every_part_of_a_die_is_explained() -> None:
    assert tuple(AREAS) == DieArea._fields == tuple(area_columns())


def test_counterparts_are_the_other_machines_own() -> None:
    problem = small_problem()
    shown = parameter_units(problem)
    same = counterparts(problem, parts(MACHINE), shown)
    assert same["hw/chip/memory"] == "sram_lpddr5"
    assert same["hw.chip.engine.cores"] == 256
    assert same["hw.chip.engine.frequency"] == pytest.approx(1.144)  # GHz, as the space is shown
    assert same["hw.chip.memory.stack.layers"] is None
    other = counterparts(problem, parts(["hw=dgx_h100", "model=llama3_8b"]), shown)
    assert other["hw/chip/memory"] not in (None, "sram_lpddr5", "stack_lpddr5x")
    assert other["hw.chip.engine.cores"] == 132
