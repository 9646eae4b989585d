"""The project's own questions whose exact fronts are known, by enumeration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SEEDS = 20  # of each search and of random sampling
# One card of stacked DRAM, its clock, its cooler and its make-up: 1,078,272 designs, of which some thousands matter.
CARD: dict[str, Any] = {
    "format": ["mxint8", "mxint4_weights", "mxint4", "mxint6"],
    "hw.chip.engine.cores": [64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 768, 896],
    "hw.chip.engine.frequency": {"low": "0.8 GHz", "high": "2 GHz", "step": "0.1 GHz"},
    "hw.chip.memory.stack.layers": [1, 2, 3, 4, 5, 6, 8, 12],
    "hw.chip.memory.stack.cooled_through": [0, 1],
    "hw.chip.memory.stack.pitch": ["25 um", "36 um"],
    "hw.chip.cooling.thermal_resistance": [f"{size} K*mm2/W" for size in (60, 90, 120, 150, 200, 250)],
    "hw.levels.package.fanout": [1, 2, 4],
    "hw.levels.card.fanout": [1, 2, 4],
}


@dataclass(frozen=True)
class Asked:
    """An experiment's overrides, a space where it is not the experiment's own, and how many designs a search gets."""

    overrides: tuple[str, ...]
    space: dict[str, Any] | None
    budget: int


SPACES = {
    "rack": Asked(("experiment=sram_or_3d_dram",), None, 500),
    "layers": Asked(("experiment=how_many_layers",), None, 200),
    "card": Asked(("experiment=how_many_layers", "mapping.pipeline=1"), CARD, 1000),
}
