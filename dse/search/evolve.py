"""An evolution of designs in generations: ask, evaluate, tell."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from dse.configuration.schema import counted
from dse.evaluation.goals import Goals
from dse.problem.archive import Archive, Question
from dse.run.bars import bar
from dse.run.store import Trials
from dse.search.start import checked_start


@dataclasses.dataclass
class Evolve:
    """`evaluations` different designs in generations of `batch`, bred from the best that are known.

    population : designs of the first generation, and the least number of parents;
    start : designs to begin with, see dse/search/start.py
    """

    evaluations: int
    population: int
    batch: int
    start: list[Any] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("evaluations", "population", "batch"):
            setattr(self, name, counted(f"search.{name}", getattr(self, name)))
        self.start = checked_start(self.start)

    def run(self, problem: Question, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`. Returns seconds by part.

        The evolution is deterministic: a resumed run breeds the same designs again and finds their answers on disk.
        """
        from dse.search.breeding import Breeding

        archive = Archive(problem, goals, trials)
        start = time.perf_counter()
        breeding = Breeding(problem, goals, archive.met, self, seed)
        most = int(min(self.evaluations, problem.space.size))
        with bar("evolving", most) as advance:
            while len(archive.met) < most:
                designs = breeding.ask(most - len(archive.met))
                if not len(designs):
                    break
                breeding.tell(archive.evaluate(designs))
                advance(len(designs))
        return {"evaluate": archive.seconds, "sampler": time.perf_counter() - start - archive.seconds}
