"""A question of arithmetic that costs nothing to ask: 240 designs, written and different; who asked is written down."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dse.evaluation.goals import Goals
from dse.problem.space import Space, Values


def space(**numbers: Sequence[float]) -> Space:
    """A space of numbers by name."""
    return Space(tuple(Values(f"plain.{name}", tuple(map(float, values)), "") for name, values in numbers.items()))


SPACE = space(a=range(6), b=range(8), c=range(5))
FEW = space(a=range(4), b=range(3, 8), c=range(2))
SIZE = 240
GOALS = Goals({"power": "minimize", "energy_per_token": "minimize"}, ("memory",))


@dataclasses.dataclass(frozen=True)
class Plain:
    """Two goals in conflict and a limit; each asking is a line of `log`, and takes `pause` seconds."""

    log: Path | None = None
    pause: float = 0.0
    space: Space = SPACE

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        return designs

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        return (True,) * len(self.space.parameters)

    def distinct(self) -> int:
        return SIZE

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        if self.log:
            with self.log.open("a") as file:
                file.write("".join(f"{os.getpid()} {tuple(map(int, design))}\n" for design in designs))
        time.sleep(self.pause)
        a, b, c = designs.T
        return {
            "metrics.power": a + 0.3 * c + 1 / 3,
            "metrics.energy_per_token": (b - 7) ** 2 / (1 + a) + 0.1 * c,
            "headroom.memory": 9.0 - a - b + c,
            "legal": np.ones(len(designs)),
        }


def asked(log: Path) -> list[str]:
    """The designs that were asked for, once for each time."""
    return [line.split(" ", 1)[1] for line in log.read_text().splitlines()]


def askers(log: Path) -> set[int]:
    """The processes that answered."""
    return {int(line.split()[0]) for line in log.read_text().splitlines()}
