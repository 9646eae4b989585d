"""Questions that compile nothing: their answers are formulas, so that a search over them takes a second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dse.evaluation.goals import Columns, Goals
from dse.problem.space import Files, Interval, Space, Values

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
SIZES = tuple(float(size) for size in np.geomspace(1.0, 64.0, 13))
GRID = Space((Files("part", ("a", "b")), *(Values(f"x.{name}", SIZES, "") for name in "pqr")))
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


class Bowl:
    """Rate p^0.5 q^0.3 r^0.2, energy p / q + q / p and cost p + q + r of two machines, one dear and fast: all sizes
    pay and cost, so that a front runs through the middle of the space. Memory is for machines with p q >= 8."""

    def __init__(self, space: Space) -> None:
        self.space, self.asked = space, 0

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        return designs.copy()

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        return (True,) * len(self.space.parameters)

    def distinct(self) -> int:
        return int(self.space.size)

    def numbers(self, designs: np.ndarray) -> tuple[np.ndarray, ...]:
        sizes = (self.space.parameters[i] for i in (1, 2, 3))
        p, q, r = (s.values(designs[:, i + 1]) for i, s in enumerate(sizes))  # type: ignore[union-attr]
        return 1.0 + designs[:, 0], p, q, r

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        self.asked += len(designs)
        fast, p, q, r = self.numbers(designs)
        plenty = np.full(len(designs), 1.0)
        return {
            "metrics.tokens_per_second_per_user": fast * p**0.5 * q**0.3 * r**0.2,
            "metrics.energy_per_token": p / q + q / p,
            "metrics.cost_per_million_tokens": fast * (p + q + r),
            "headroom.memory": (p * q - 8) * 1e9,
            "headroom.power": plenty,
            "headroom.heat": plenty,
            "legal": plenty,
        }

    def slopes(self, designs: np.ndarray, columns: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
        fast, p, q, r = self.numbers(designs)
        rate, none = columns["metrics.tokens_per_second_per_user"], np.zeros(len(designs))
        along = {
            "metrics.tokens_per_second_per_user": (rate / fast, 0.5 * rate, 0.3 * rate, 0.2 * rate),
            "metrics.energy_per_token": (none, p / q - q / p, q / p - p / q, none),
            "metrics.cost_per_million_tokens": (p + q + r, fast * p, fast * q, fast * r),
            "headroom.memory": (none, p * q * 1e9, p * q * 1e9, none),
        }
        found = {}
        for name in names:
            part, *sizes = along.get(name, (none,) * 4)
            options = [part * (option - designs[:, 0]) for option in (0, 1)]
            found[name] = np.stack([*options, *(slope * np.log(64.0) for slope in sizes)], axis=1)
        return found


def everything(question: Hills) -> np.ndarray:
    """All designs of a finite question that differ."""
    return np.unique(question.canonical(question.space.designs(0, int(question.space.size))), axis=0)
