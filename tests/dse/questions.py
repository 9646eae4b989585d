"""Questions that compile nothing: their answers are formulas, so that a search over them takes a second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dse.goals import Goals
from dse.space import Files, Interval, Space, Values

GOALS = Goals({"tokens_per_second_per_user": "maximize", "energy_per_token": "minimize"}, ("memory", "power"))
ONE_GOAL = Goals({"energy_per_token": "minimize"}, ("memory", "power"))
STEPS = tuple(float(i) for i in (3, 1, 2, 5, 4, 8, 6, 7))  # not in their order
LISTED = Space(
    (
        Files("hw/memory", ("near", "far")),
        Files("format", ("a", "b", "c")),
        *(Values(f"x{i}", STEPS, "") for i in range(4)),
    )
)
WITH_INTERVALS = Space(
    (*LISTED.parameters[:4], Interval("x2", 1, 8, False, "", False), Interval("x3", 1, 8, True, "", True))
)


class Hills:
    """Two goals pull apart along x0 and x1, the others have their best places, and x3 is only with far memory.

    Some designs have no room, and some no legal mapping: of those nothing is a number.
    """

    def __init__(self, space: Space = LISTED) -> None:
        self.space = space
        self.asked: list[bytes] = []

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        return (True,) * 5 + (int(structure[0]) == 1,)

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        clean = designs.copy()
        clean[clean[:, 0] == 0, 5] = self.space.parameters[5].rest
        return clean

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        self.asked += [design.tobytes() for design in designs]
        far, form = designs[:, 0], designs[:, 1]
        x0, x1, x2, x3 = (p.values(designs[:, 2 + i]) for i, p in enumerate(self.space.numeric))
        off = 0.3 * (x2 - 6) ** 2 + far * 0.2 * (x3 - 3) ** 2 + 2 * (form != 1) + (1 - far)
        legal = (x0 + x1 < 15).astype(float)
        numbers = {
            "metrics.tokens_per_second_per_user": x0 * x1 / (1 + 0.1 * off),
            "metrics.energy_per_token": (x0 + 0.5 * x1) * (1 + 0.1 * off),
            "headroom.memory": (14 - x0 - x2) * 1e9,
            "headroom.power": np.full(len(designs), 5.0),
        }
        return {name: np.where(legal > 0, values, np.nan) for name, values in numbers.items()} | {"legal": legal}


def everything(question: Hills) -> np.ndarray:
    """All designs of a finite question that differ."""
    return np.unique(question.canonical(question.space.designs(0, int(question.space.size))), axis=0)
