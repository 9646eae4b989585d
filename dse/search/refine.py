"""Multi-start projected gradients through the relaxed model; every step is rounded and evaluated exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np

from dse.configuration.schema import counted
from dse.evaluation.goals import Columns, Goals
from dse.problem.archive import Question
from dse.run.store import Trials


class Sloped(Question, Protocol):
    """A question that has slopes too."""

    def slopes(self, designs: np.ndarray, columns: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Slopes of the named answers along the coordinates of the space (`dse/problem/coordinates.py`), [designs,
        coordinates]; columns : the answers about these designs."""
        ...


@dataclasses.dataclass
class Refinement:
    """Rounds of `batch` starts: each takes `steps` steps down its slopes, then `tries` designs beside its best one are
    evaluated, those of which the slopes promise the most.

    evaluations : the budget, designs evaluated and slopes taken, each counted as one; stride : the first step along a
    coordinate, of its whole length.
    """

    evaluations: int
    batch: int
    steps: int
    tries: int
    stride: float

    def __post_init__(self) -> None:
        for name in ("evaluations", "batch", "steps", "tries"):
            setattr(self, name, counted(f"search.{name}", getattr(self, name)))
        if isinstance(self.stride, (bool, str)) or not 0 < self.stride <= 1:
            raise ValueError(f"search.stride: {self.stride!r} must be above 0 and at most 1; write 0.35")

    def run(self, problem: Question, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`. Returns seconds by part.

        It is deterministic: a resumed run takes the same steps again and finds the answers on disk.
        """
        from dse.search.refining import Refining

        if not problem.space.numeric:
            raise ValueError(
                "search=refine: nothing in the space is a number, so there is no slope to follow; "
                "let a number vary, such as hw.chip.engine.cores, or use search=enumerate"
            )
        if not callable(getattr(problem, "slopes", None)):
            raise ValueError(
                "search=refine: what is asked has answers but no slopes, as with robust=…; write robust=null, or use "
                "search=evolve"
            )
        return Refining(self, cast(Sloped, problem), goals, trials, seed).run()
