"""What would open an empty space: the constraint that, given least, lets a design in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dse.evaluation.goals import Columns, Goals, typical


@dataclass(frozen=True)
class Least:
    """The design that misses exactly these constraints by the least, in sum of typical sizes.

    amounts : of each constraint in its unit; design : its codes; row : the answers about it as columns [1].
    """

    size: float
    amounts: dict[str, float]
    design: tuple[float, ...]
    row: dict[str, np.ndarray] = field(compare=False)


def opening_rows(goals: Goals, columns: Columns, designs: np.ndarray) -> list[int]:
    """Of each set of missed constraints the row that misses it by the least, of equal ones that of the lowest codes.

    A search that keeps only part of what it evaluates keeps these, and the fold over what is kept is that over all.
    """
    short = goals.shortfalls(columns)
    missed = np.maximum(short[:, :-1], 0.0)
    sets, sizes = (missed > 0) @ (1 << np.arange(missed.shape[1])), missed.sum(axis=1)
    known = np.isfinite(short).all(axis=1) & np.isfinite(goals.values(columns)).all(axis=1) & (short[:, -1] <= 0)
    chosen = []
    for missing in np.unique(sets[known & (sets > 0)]):
        rows = np.flatnonzero(known & (sets == missing))
        rows = rows[sizes[rows] == sizes[rows].min()]
        chosen.append(int(rows[np.lexsort(designs[rows].T[::-1])[0]]) if designs.shape[1] else int(rows[0]))
    return chosen


@dataclass
class Opening:
    """A fold over evaluated designs: for each set of missed constraints the design that misses it by the least.

    Chunks may come in any order and be merged in any way: of equal ones the design with the lower codes stays. A design
    is let in exactly when all it misses is given, so the least of a set is the least that this set, relaxed by itself,
    must give for its own sake. Designs without a legal mapping, and those whose answers are no numbers, are opened
    by nothing.
    """

    goals: Goals
    feasible: int = 0  # designs
    illegal: int = 0
    best: dict[tuple[str, ...], Least] = field(default_factory=dict)

    def add(self, columns: Columns, designs: np.ndarray) -> None:
        """Take in answers about designs [designs, parameters]."""
        if not len(designs):
            return
        short = self.goals.shortfalls(columns)
        self.illegal += int((short[:, -1] > 0).sum())
        self.feasible += int(self.goals.feasible(columns).sum())
        missed = np.maximum(short[:, :-1], 0.0)
        for row in opening_rows(self.goals, columns, designs):
            self._keep(self._least(columns, designs, missed, row))

    def merge(self, other: Opening) -> None:
        """Take in what another fold has found."""
        self.feasible, self.illegal = self.feasible + other.feasible, self.illegal + other.illegal
        for least in other.best.values():
            self._keep(least)

    def _least(self, columns: Columns, designs: np.ndarray, missed: np.ndarray, row: int) -> Least:
        pairs = zip(self.goals.constraints, missed[row], strict=True)
        amounts = {name: float(size * typical(name)) for name, size in pairs if size > 0}
        kept = {name: values[row : row + 1] for name, values in columns.items()}
        return Least(float(missed[row].sum()), amounts, tuple(map(float, designs[row])), kept)

    def _keep(self, least: Least) -> None:
        key = tuple(least.amounts)
        known = self.best.get(key)
        if known is None or (least.size, least.design) < (known.size, known.design):
            self.best[key] = least

    def least(self) -> list[Least]:
        """The least to give: of each constraint that opens by itself, the cheapest first; where none does, of the
        cheapest combination. Empty where a design is feasible, or nothing can be opened."""
        if self.feasible or not self.best:
            return []
        single = [least for key, least in self.best.items() if len(key) == 1]
        order: Callable[[Least], tuple[float, tuple[float, ...]]] = lambda one: (one.size, one.design)  # noqa: E731
        if single:
            return sorted(single, key=order)
        return [min(self.best.values(), key=order)]
