"""A question over a mixed space that arithmetic answers at once: files, unordered numbers, intervals, and layers that
one of the two memories lacks."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from dse.evaluation.goals import Goals
from dse.problem.space import Files, Interval, Space, Values

GOALS = Goals({"tokens_per_second_per_user": "maximize", "cost_per_million_tokens": "minimize"}, ("memory",))
CORES = (512.0, 64.0, 256.0, 128.0, 1024.0, 32.0)
LAYERS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
FINITE = Space(
    (Files("memory", ("flat", "stacked")), Values("cores", CORES, ""), Values("layers", LAYERS, ""))
)  # 42 different designs of 72
MIXED = Space(
    (
        *FINITE.parameters,
        Interval("frequency", 0.5e9, 2e9, True, "Hz", False),
        Interval("users", 1.0, 40.0, False, "", True),
    )
)


class Arithmetic:
    """The question; `asked` counts evaluations of each design, `pause` is what a batch takes in seconds."""

    def __init__(self, space: Space, pause: float = 0.0) -> None:
        self.space, self.pause = space, pause
        self.asked: dict[tuple[float, ...], int] = {}

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        clean = designs.copy()
        clean[designs[:, 0] == 0, 2] = 0.0
        return clean

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        return tuple(parameter.key != "layers" or structure[0] == 1 for parameter in self.space.parameters)

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        time.sleep(self.pause)
        for design in map(tuple, designs.tolist()):
            self.asked[design] = self.asked.get(design, 0) + 1
        frequency, users = designs[:, 3:].T if designs.shape[1] > 3 else (1e9, 8.0)
        cores, layers = np.array(CORES)[designs[:, 1].astype(int)], np.array(LAYERS)[designs[:, 2].astype(int)]
        bandwidth = np.where(designs[:, 0] == 0, 4.0, 3.0 * layers)
        speed = np.minimum(cores * frequency / 1e10, bandwidth * 4) / users
        return {
            "metrics.tokens_per_second_per_user": np.where(cores == 32, np.nan, speed),
            "metrics.cost_per_million_tokens": (cores + 90 * layers**1.2 + 30 * frequency / 1e9) / speed / users,
            "headroom.memory": (np.where(designs[:, 0] == 0, 6.0, 2 * layers) - users / 10) * 1e9,
            "legal": ~((designs[:, 0] == 0) & (cores == 1024)),
        }
