"""The project's own questions whose exact fronts are known, by enumeration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SEEDS = 20  # of each search and of random sampling
# conf/space/imc_memory_and_fabric.yaml in finer steps: 1,044,480 designs that differ.
FINE: dict[str, Any] = {
    "hw/chip/memory": ["sram_lpddr5", "stack_lpddr5x"],
    "hw/fabric": ["fabrex", "ethernet"],
    "format": ["mxint8", "mxint4_weights"],
    "hw.chip.engine.cores": [64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768],
    "hw.chip.engine.frequency": {"low": "0.8 GHz", "high": "1.6 GHz", "step": "0.05 GHz"},
    "hw.chip.memory.sram.capacity": [f"{size} MB" for size in (64, 128, 192, 256, 320, 384, 448, 512)],
    "hw.chip.memory.stack.layers": [1, 2, 3, 4, 5, 6, 7, 8],
    "hw.levels.package.fanout": [1, 2, 4, 8],
    "hw.levels.server.fanout": [1, 2, 4, 8],
    "hw.levels.rack.fanout": [1, 2, 4, 6, 8],
}


@dataclass(frozen=True)
class Asked:
    """An experiment's overrides, a space where it is not the experiment's own, how many designs a search gets, and
    whether slopes are tabulated too, which takes a millisecond for each design."""

    overrides: tuple[str, ...]
    space: dict[str, Any] | None
    budget: int
    sloped: bool


SPACES = {
    "rack": Asked(("experiment=sram_or_3d_dram",), None, 500, True),
    "layers": Asked(("experiment=how_many_layers",), None, 200, True),
    "fine": Asked(("experiment=sram_or_3d_dram",), FINE, 500, False),
}
OWN = tuple(SPACES)
SLOPED = tuple(name for name, asked in SPACES.items() if asked.sloped)
# The same spaces with the cost alone as what is wanted, for searches that take one objective.
COSTS = ("rack-cost", "fine-cost")
COST = "cost_per_million_tokens"
