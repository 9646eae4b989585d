"""Optuna's samplers over a problem, in batches: ask, evaluate, tell."""

from __future__ import annotations

import dataclasses
import os
import time
import warnings
from collections.abc import Container
from typing import Any

import numpy as np

from dse.archive import Archive, Question
from dse.console import bar
from dse.goals import Columns, Goals
from dse.memory import Memory
from dse.samplers import Seen, make_sampler, manner, refuse_objectives
from dse.schema import counted
from dse.start import begun_from
from dse.store import Trials
from dse.unseen import Unseen


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
        make_sampler(self.sampler, 0)

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
        self.first = self._first(int(os.environ.get('LHS','0')), seed)
        self.asked: dict[bytes, tuple[np.ndarray, Any]] = {}  # of the batch under way
        self.worst = np.full(len(goals.objectives), np.nan)  # told so far, lower is better
        self.sampling = 0.0  # seconds

    def run(self) -> dict[str, float]:
        goal = int(min(self.search.trials, self.problem.space.size))
        with bar("searching", goal) as advance, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Optuna calls experimental
            while len(self.archive.met) < goal:
                self._ask(min(self.search.batch, goal - len(self.archive.met)))
                if not self.asked:
                    break
                advance(len(self.asked))
                self._tell()
        return {"evaluate": self.archive.seconds, "sampler": self.sampling}

    def _first(self, many, seed):
        random = np.random.default_rng(seed)
        if not many: return []
        u = np.stack([(random.permutation(many)+random.random(many))/many for _ in self.problem.space.parameters],axis=1)
        cols=[np.floor(u[:,i]*p.size) for i,p in enumerate(self.problem.space.parameters)]
        return list(self.problem.canonical(np.stack(cols,axis=1)))

    def _ask(self, wanted: int) -> None:
        start = time.perf_counter()
        for _ in range(wanted):
            trial = self.study.ask(self.seen.distributions)
            design = self.problem.canonical(self.seen.design(trial.params)[None])[0]
            if trial.number < len(self.first) and not self._met(self.first[trial.number]):
                design = self.first[trial.number]
                self._set(trial, design)
            elif self._met(design):
                design = self.unseen.near(design) if self.manner.learns else self.unseen.anywhere()
                if design is None:
                    break
                self._set(trial, design)
            self.asked[design.tobytes()] = design, trial
        self.sampling += time.perf_counter() - start

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
        values, shortfalls = self._told(columns)
        for i, (_, trial) in enumerate(self.asked.values()):
            if self.manner.limits:
                for name, short in zip((*self.goals.constraints, "mapping"), shortfalls[i], strict=True):
                    trial.set_constraint(name, float(short))
            self.study.tell(trial, [float(value) for value in values[i]])
        self.asked = {}
        self.sampling += time.perf_counter() - start

    def _told(self, columns: Columns):
        values = self.goals.lower_is_better(columns)
        ok = np.isfinite(values)
        self.worst = np.fmax(self.worst, np.where(ok, values, np.nan).max(axis=0, initial=-np.inf, where=ok))
        values = np.where(ok, values, np.where(np.isfinite(self.worst), self.worst, 0.0))
        signs = np.array([-1.0 if d == "maximize" else 1.0 for d in self.goals.directions])
        return values * signs, np.clip(np.nan_to_num(self.goals.shortfalls(columns), nan=9), -9, 9)
