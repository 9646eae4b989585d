"""A small question whose answers are known by number: 36 designs written, 24 different ones."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import hw
from dse.evaluation.goals import Goals
from dse.evaluation.mapping import Wanted
from dse.problem.problem import Problem
from dse.run.store import Trials
from hw.units import Rule

MACHINE = ("hw=corsair_card", "model=llama3_8b", "serving=interactive")
SPACE = {
    "hw/chip/memory": ["sram_lpddr5", "stack_lpddr5x"],
    "hw.chip.engine.cores": [128, 256, 512],
    "hw.chip.engine.frequency": ["0.8 GHz", "1.2 GHz"],
    "hw.chip.memory.stack.layers": [1, 2, 4],
}
WRITTEN, DIFFERENT = 36, 24  # SRAM has no layers: 6 designs of it, and 18 of the stack
WANTED = Wanted("time_per_output_token", tensor=8, pipeline=1)
BATCH = 8
GOALS = Goals(
    {
        "tokens_per_second_per_user": "maximize",
        "energy_per_token": "minimize",
        "cost_per_million_tokens": "minimize",
    },
    ("memory", "power", "heat"),
)
EXPERIMENT = """\
# @package _global_
defaults:
  - override /hw: corsair_card
  - override /model: llama3_8b
  - override /serving: interactive
  - override /space: small
title: A small question
question: Which of these?
mapping: {tensor: 8, pipeline: 1}
"""
SMALL = ("experiment=small", f"search.batch={BATCH}", "tracking=none", "spreads.draws=0", "details=0")


def small_problem(batch: int = BATCH, space: dict[str, Any] | None = None) -> Problem:
    """The small question as a problem."""
    return Problem(MACHINE, SPACE if space is None else space, WANTED, batch)


def write_own(folder: Path) -> Path:
    """The small question as YAMLs of one's own, for `--config-dir`."""
    (folder / "experiment").mkdir(parents=True)
    (folder / "space").mkdir()
    (folder / "experiment" / "small.yaml").write_text(EXPERIMENT)
    lines = [f"{key}: [{', '.join(map(str, values))}]" for key, values in SPACE.items()]
    (folder / "space" / "small.yaml").write_text("\n".join(lines))
    return folder


def rows(designs: np.ndarray) -> list[tuple[float, ...]]:
    """Designs as tuples, in their order."""
    return [tuple(design) for design in designs.tolist()]


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """True where all columns are equal to the last bit."""
    return set(one) == set(other) and all(np.array_equal(one[k], other[k], equal_nan=True) for k in one)


def counts(trials: Trials) -> list[list[str]]:
    """What the names of the files say that trials are kept in, seconds apart."""
    return [part.stem.split("-")[:4] for part in trials.parts()]


def beaten(points: np.ndarray, by: Iterable[np.ndarray]) -> np.ndarray:
    """True for the points, lower is better, that some other is nowhere worse and somewhere better than."""
    lost = np.zeros(len(points), dtype=bool)
    for other in by:
        lost |= (other <= points).all(axis=1) & (other < points).any(axis=1)
    return lost


def component_units() -> set[str]:
    """All units that fields of components are declared in."""
    modules = [importlib.import_module(f"hw.{part.name}") for part in pkgutil.iter_modules(hw.__path__)]
    classes = [cls for module in modules for cls in vars(module).values() if inspect.isclass(cls)]
    fields = [field for cls in classes if dataclasses.is_dataclass(cls) for field in dataclasses.fields(cls)]
    return {rule.unit for field in fields if (rule := Rule.of(field.metadata))}
