"""Optuna's samplers over a problem, in batches: ask, evaluate, tell."""

from __future__ import annotations

import dataclasses
import time
import warnings
from typing import Any

import numpy as np

from dse.archive import Archive, Question
from dse.console import bar
from dse.goals import Columns, Goals
from dse.memory import Memory
from dse.samplers import Seen, make_sampler, manner, refuse_objectives
from dse.schema import counted
from dse.start import begun_from, checked_start
from dse.store import Trials
from dse.unseen import Unseen

HUGE = 1e30  # told of a design that misses a constraint to samplers that take none
TINY = 1e-12  # SI, far below what any objective is
FAR = 9.0  # typical sizes beyond which how much a constraint is missed no longer counts


@dataclasses.dataclass
class OptunaSearch:
    """`trials` different designs in batches of `batch`, chosen by `sampler`, an Optuna sampler.

    start : designs to evaluate first, see dse/start.py
    """

    trials: int
    batch: int
    sampler: dict[str, Any]
    start: list[Any] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.trials, self.batch = counted("search.trials", self.trials), counted("search.batch", self.batch)
        self.start = checked_start(self.start)
        make_sampler(self.sampler, 0)  # so that what is wrong with it is said at once

    def run(self, problem: Question, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`; what is there already is not evaluated again. Returns seconds by part."""
        return Asking(self, problem, goals, trials, seed).run()


class Asking:
    """One run: a study in memory, whose trials and random numbers are kept beside the run's own trials."""

    def __init__(self, search: OptunaSearch, problem: Question, goals: Goals, trials: Trials, seed: int) -> None:
        import optuna

        refuse_objectives(search.sampler, [*goals.objectives])
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.search, self.problem, self.goals, self.manner = search, problem, goals, manner(search.sampler)
        self.archive = Archive(problem, goals, trials)
        self.study = optuna.create_study(directions=[*goals.directions], sampler=make_sampler(search.sampler, seed))
        self.seen = Seen(problem.space, self.manner.categories)
        self.random = np.random.default_rng(seed)
        self.unseen = Unseen(problem, self._met, self.random)
        self.memory = Memory(trials.folder.parent, self.study, self.seen.distributions, self.random)
        self.first = begun_from(problem, search.start)
        self.asked: dict[bytes, tuple[np.ndarray, Any]] = {}  # of the batch under way
        self.worst = np.full(len(goals.objectives), -np.inf)  # told so far, lower is better
        self.sampling = 0.0  # seconds

    def run(self) -> dict[str, float]:
        goal = int(min(self.search.trials, self.problem.space.size))
        self._remember()
        with bar("searching", goal) as advance, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Optuna calls experimental
            advance(len(self.archive.met))
            while len(self.archive.met) < goal:
                self._ask(min(self.search.batch, goal - len(self.archive.met)))
                if not self.asked:
                    break
                advance(len(self.asked))
                self._tell()
        return {"evaluate": self.archive.seconds, "sampler": self.sampling}

    def _remember(self) -> None:
        """Go on from what is kept of the sampler; without it, all is asked again, and the answers are on disk."""
        told = self.memory.restore() if self.manner.carried else np.empty((0, 0))
        if len(told):
            self._note_worst(self._scaled(self.archive.evaluate(told)))

    def _ask(self, wanted: int) -> None:
        """Ask for designs that have not been met; fewer where there are no more."""
        from optuna.trial import TrialState

        start = time.perf_counter()
        for _ in range(wanted):
            trial = self.study.ask(self.seen.distributions)
            asked = self.problem.canonical(self.seen.design(trial.params)[None])[0]
            design = self._in_place_of(asked, trial.number)
            if design is None:
                self.study.tell(trial, state=TrialState.FAIL)
                break
            if design is not asked:
                self._set(trial, design)
            self.asked[design.tobytes()] = design, trial
        self.sampling += time.perf_counter() - start

    def _in_place_of(self, design: np.ndarray, number: int) -> np.ndarray | None:
        """The design of a trial: one to start from, the one asked for, or an unmet one near it."""
        first = self.first[number] if number < len(self.first) else design
        if not self._met(first):
            return first
        if not self._met(design):
            return design
        return self.unseen.near(design) if self.manner.learns else self.unseen.anywhere()

    def _met(self, design: np.ndarray) -> bool:
        return self.archive.has_met(design) or design.tobytes() in self.asked

    def _set(self, trial: Any, design: np.ndarray) -> None:
        """Make a trial that is under way one of another design."""
        for name, value in self.seen.params(design).items():
            distribution = self.seen.distributions[name]
            self.study._storage.set_trial_param(
                trial._trial_id, name, distribution.to_internal_repr(value), distribution
            )

    def _tell(self) -> None:
        designs = np.stack([design for design, _ in self.asked.values()])
        columns = self.archive.evaluate(designs)
        start = time.perf_counter()
        values, shortfalls = self._values(columns), self._shortfalls(columns)
        names = (*self.goals.constraints, "mapping") if self.manner.limits else ()
        for (_, trial), told, short in zip(self.asked.values(), values.tolist(), shortfalls.tolist(), strict=True):
            for name, missed in zip(names, short, strict=False):
                trial.set_constraint(name, missed)
            self.study.tell(trial, told)
        self.asked = {}
        if self.manner.carried:
            self.memory.keep(designs)
        self.sampling += time.perf_counter() - start

    def _shortfalls(self, columns: Columns) -> np.ndarray:
        """How much each constraint is missed, bounded, so that one that is missed beyond all measure leaves others
        their say."""
        return np.nan_to_num(self.goals.shortfalls(columns), nan=FAR).clip(-FAR, FAR)

    def _values(self, columns: Columns) -> np.ndarray:
        """What is told of the objectives; in place of what is no number, the worst that there was so far."""
        values = self._scaled(columns)
        self._note_worst(values)
        values = np.where(np.isfinite(values), values, np.where(np.isfinite(self.worst), self.worst, 0.0))
        if not self.manner.limits:
            missed = np.maximum(self._shortfalls(columns), 0).sum(axis=1, keepdims=True)
            values = np.where(missed > 0, HUGE * (1 + missed), values)
        return np.where(np.array(self.goals.directions) == "maximize", -1, 1) * values

    def _scaled(self, columns: Columns) -> np.ndarray:
        """Objectives, lower is better, by their logarithm, below `TINY` evenly: where they lie decades apart, most
        designs would look alike. Fronts are the same."""
        values = self.goals.lower_is_better(columns)
        return np.arcsinh(values / TINY) if self.manner.decades else values

    def _note_worst(self, values: np.ndarray) -> None:
        self.worst = np.maximum(self.worst, np.where(np.isfinite(values), values, -np.inf).max(axis=0))
