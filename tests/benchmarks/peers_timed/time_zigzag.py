"""ZigZag: a product of a 70B model's feed-forward on the accelerator `tpu_like` of its package."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import yaml
import zigzag
from timing import finish, row
from zigzag.mapping.temporal_mapping import TemporalMappingType
from zigzag.stages.evaluation.cost_model_evaluation import CostModelStage
from zigzag.stages.main import MainStage
from zigzag.stages.mapping.spatial_mapping_generation import SpatialMappingGeneratorStage
from zigzag.stages.mapping.temporal_mapping_generator_stage import TemporalMappingGeneratorStage
from zigzag.stages.parser.accelerator_parser import AcceleratorParserStage
from zigzag.stages.parser.workload_parser import WorkloadParserStage
from zigzag.stages.results.reduce_stages import MinimalLatencyStage
from zigzag.stages.workload_iterator import WorkloadStage

ROWS, OUT, IN = 64, 28672, 8192  # tokens, and the widths of the product
SIDE = 32  # of the accelerator's array
LAYER = {
    "id": 0,
    "name": "feed_forward",
    "operator_type": "Gemm",
    "equation": "O[b][k]+=W[k][c]*I[b][c]",
    "loop_dims": ["B", "K", "C"],
    "loop_sizes": [ROWS, OUT, IN],
    "operand_precision": {"W": 8, "I": 8, "O": 16, "O_final": 8},
    "operand_source": {"W": 0, "I": 0},
}
ACROSS = {
    "name": "default",
    "spatial_mapping": {"D1": [f"K, {SIDE}"], "D2": [f"C, {SIDE}"]},
    "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
}
ORDER = {"temporal_ordering": [["B", ROWS], ["C", IN // SIDE], ["K", OUT // SIDE]]}  # the innermost loop first
STAGES = [
    WorkloadParserStage,
    AcceleratorParserStage,
    WorkloadStage,
    MinimalLatencyStage,
    SpatialMappingGeneratorStage,
    MinimalLatencyStage,
    TemporalMappingGeneratorStage,
]


class Counted(CostModelStage):
    """The cost model, and how often it was asked."""

    asked = 0

    def run(self) -> Any:
        Counted.asked += 1
        yield from super().run()


def written(name: str, mapping: dict[str, Any]) -> str:
    Path(name).write_text(yaml.safe_dump([mapping]), encoding="utf-8")
    return name


def evaluate(mapping: str) -> int:
    """Mappings tried; the stages of the package's own call, less those that draw and save."""
    Counted.asked = 0
    accelerator = Path(zigzag.__file__).parent / "inputs" / "hardware" / "tpu_like.yaml"
    MainStage(
        [*STAGES, Counted],
        accelerator=str(accelerator),
        workload=[LAYER],
        mapping=mapping,
        loma_lpf_limit=6,
        loma_show_progress_bar=False,
        nb_mappings_generated=3,
        enable_mix_spatial_mapping_generation=False,
        access_same_data_considered_as_no_access=True,
        temporal_mapping_type=TemporalMappingType.UNEVEN,
    ).run()
    return Counted.asked


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    searched, ordered = written("searched.yaml", ACROSS), written("ordered.yaml", ACROSS | ORDER)
    tried, one = evaluate(searched), evaluate(ordered)
    if one != 1:
        raise ValueError(f"ordered.yaml: {one} mappings were tried, one was given")
    finish(
        [
            row("one layer, one of the mappings of its search", evaluate, [searched] * 9, each=tried),
            row("one layer, a mapping given, files read anew", evaluate, [ordered] * 100),
            row(f"one layer, the best of {tried} mappings", evaluate, [searched] * 3),
        ],
        ["zigzag-dse"],
    )
