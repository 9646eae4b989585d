"""How designs are bred: pymoo's loop over a question."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np
from pymoo.algorithms.base.genetic import GeneticAlgorithm
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.operators.selection.tournament import TournamentSelection

from dse.evaluation.goals import Columns, Goals
from dse.problem.archive import Question
from dse.problem.lines import Lines
from dse.search.start import begun_from
from dse.search.variation import Begin, Best, Canonical, Mix, Step, Unmet, winners

HUGE = 1e30  # told in place of an answer that is not a number
ENTRANTS = 8  # to a tournament, of which the best becomes a parent
TRIES = 20  # draws of many more designs than are wanted, once breeding finds nothing new


class Lattice(Problem):
    """What pymoo sees of a question: places on lines, and how many objectives and constraints there are."""

    def __init__(self, question: Question, goals: Goals) -> None:
        self.question, self.lines = question, Lines(question.space)
        low, high = self.lines.low, self.lines.high
        super().__init__(
            n_var=len(low), n_obj=len(goals.objectives), n_ieq_constr=len(goals.constraints) + 1, xl=low, xu=high
        )

    def designs(self, places: np.ndarray) -> np.ndarray:
        """Canonical designs nearest to places, both [designs, parameters]."""
        return self.question.canonical(self.lines.designs(places.astype(float)))


class Breeding:
    """One evolution: `ask` for designs that were not met, `tell` their answers."""

    def __init__(self, question: Question, goals: Goals, met: Container[bytes], search: Any, seed: int) -> None:
        self.lattice, self.goals, self.met = Lattice(question, goals), goals, met
        self.random = np.random.default_rng(seed)
        self.asked: Any = None
        unmet: Any = Unmet(self.lattice, met)
        self.algorithm: Any = GeneticAlgorithm(
            pop_size=search.population,
            n_offsprings=search.batch,
            sampling=Begin(begun_from(question, search.start)),
            selection=TournamentSelection(func_comp=winners, pressure=ENTRANTS),
            crossover=Mix(),
            mutation=Step(),
            survival=Best(),
            repair=Canonical(),
            eliminate_duplicates=unmet,
            advance_after_initial_infill=True,
            termination=NoTermination(),
            seed=seed,
        ).setup(self.lattice)

    def ask(self, most: int) -> np.ndarray:
        """Up to `most` designs that were not met; none where no more are found."""
        bred = self.algorithm.ask()
        bred = () if bred is None else bred[:most]
        self.asked = bred if len(bred) else self._drawn(min(most, self.algorithm.n_offsprings))
        return self.lattice.designs(self.asked.get("X")) if len(self.asked) else np.zeros((0, self.lattice.n_var))

    def tell(self, columns: Columns) -> None:
        """The answers about the designs that were asked for last."""
        objectives, shortfalls = self.goals.lower_is_better(columns), self.goals.shortfalls(columns)
        lost = ~np.isfinite(objectives).all(axis=1)
        shortfalls[lost, -1] = HUGE
        self.asked.set("F", np.nan_to_num(objectives, nan=HUGE, posinf=HUGE, neginf=-HUGE))
        self.asked.set("G", np.nan_to_num(shortfalls, nan=HUGE, posinf=HUGE, neginf=-HUGE))
        self.algorithm.tell(infills=self.asked)

    def _drawn(self, wanted: int) -> Any:
        """Designs that were not met, drawn uniformly."""
        for _ in range(TRIES):
            drawn = Canonical().do(
                self.lattice,
                Begin(np.zeros((0, self.lattice.n_var))).do(self.lattice, 16 * wanted, random_state=self.random),
            )
            fresh = Unmet(self.lattice, self.met).do(drawn)
            if len(fresh):
                return fresh[:wanted]
        return Population.empty()
