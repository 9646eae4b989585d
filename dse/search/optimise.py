"""Optuna's samplers over a problem, in batches: ask, evaluate, tell."""

from __future__ import annotations

import dataclasses
import time
import warnings
from typing import Any

import numpy as np

from dse.configuration.schema import counted
from dse.evaluation.goals import Goals
from dse.problem.archive import Archive, Question
from dse.run.bars import bar
from dse.run.store import Trials
from dse.search.memory import Memory
from dse.search.samplers import Seen, make_sampler, manner, refuse_objectives
from dse.search.start import begun_from, checked_start
from dse.search.telling import Telling
from dse.search.unseen import Unseen


@dataclasses.dataclass
class OptunaSearch:
    """`trials` different designs in batches of `batch`, chosen by `sampler`, an Optuna sampler.

    storage, study : of a study that several processes search together, and where it is kept; null: this one alone.
    patience : seconds without a sign of life after which what another process was at is free again.
    start : designs to evaluate first, see dse/search/start.py
    """

    trials: int
    batch: int
    sampler: dict[str, Any]
    start: list[Any] = dataclasses.field(default_factory=list)
    storage: str | None = None
    study: str | None = None
    patience: float = 30.0

    def __post_init__(self) -> None:
        self.trials, self.batch = counted("search.trials", self.trials), counted("search.batch", self.batch)
        self.start = checked_start(self.start)
        make_sampler(self.sampler, 0)  # so that what is wrong with it is said at once
        if self.storage and self.start:
            raise ValueError(
                "search.start: a study in search.storage begins with what its sampler asks for; leave search.start "
                "empty, or search.storage=null"
            )
        if self.storage and not self.study:
            raise ValueError(
                "search.study: a study that is kept in search.storage needs a name; write search.study=NAME"
            )

    def run(self, problem: Question, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`; what is there already is not evaluated again. Returns seconds by part."""
        if self.storage:
            from dse.search.optimise_shared import Sharing

            return Sharing(self, problem, goals, trials, seed).run()
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
        self.telling = Telling(goals, self.manner)
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
            self.telling.values(self.archive.evaluate(told))

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
        self.telling.tell(self.study, [trial for _, trial in self.asked.values()], columns)
        self.asked = {}
        if self.manner.carried:
            self.memory.keep(designs)
        self.sampling += time.perf_counter() - start
