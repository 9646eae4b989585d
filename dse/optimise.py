"""Optuna's samplers over a problem, in batches: ask, evaluate, tell."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from dse.archive import Archive, Question
from dse.console import bar
from dse.goals import Columns, Goals
from dse.schema import counted, nearest
from dse.space import Files, Parameter, Values
from dse.store import Trials

HUGE = 1e30  # told in place of an answer that is not a number
ASKED_PER_NEW = 4  # a sampler that repeats itself more than this is given unseen designs


@dataclasses.dataclass
class OptunaSearch:
    """`trials` different designs in batches of `batch`, chosen by `sampler`, an Optuna sampler.

    storage, study : of a study that several processes search together, and where it is kept; null: this one alone.
    patience : seconds without a sign of life after which what another process was at is free again.
    """

    trials: int
    batch: int
    sampler: dict[str, Any]
    storage: str | None = None
    study: str | None = None
    patience: float = 30.0

    def __post_init__(self) -> None:
        self.trials, self.batch = counted("search.trials", self.trials), counted("search.batch", self.batch)
        if self.storage and not self.study:
            raise ValueError(
                "search.study: a study that is kept in search.storage needs a name; write search.study=NAME"
            )

    def run(self, problem: Question, goals: Goals, trials: Trials, seed: int) -> dict[str, float]:
        """Evaluate into `trials`; what is there already is not evaluated again. Returns seconds by part."""
        if self.storage:
            from dse.optimise_shared import Sharing

            return Sharing(self, problem, goals, trials, seed).run()
        return Asking(self, problem, goals, trials, seed).run()


class Asking:
    """One run. The sampler is deterministic, so a resumed run asks the same again and finds the answers on disk."""

    def __init__(self, search: OptunaSearch, problem: Question, goals: Goals, trials: Trials, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.search, self.problem, self.goals = search, problem, goals
        self.archive = Archive(problem, goals, trials)
        self.study = optuna.create_study(directions=[*goals.directions], sampler=make_sampler(search.sampler, seed))
        self.random = np.random.default_rng(seed)
        self.sampling = 0.0  # seconds

    def run(self) -> dict[str, float]:
        goal = int(min(self.search.trials, self.problem.space.size))
        with bar("searching", goal) as advance:
            while len(self.archive.met) < goal:
                fresh = self._ask(min(self.search.batch, goal - len(self.archive.met)))
                if not fresh:
                    break
                self._tell(fresh)
                advance(len(fresh))
        return {"evaluate": self.archive.seconds, "sampler": self.sampling}

    def _ask(self, wanted: int) -> dict[bytes, tuple[np.ndarray, list[Any]]]:
        """Trials by new design; repeats of told designs are told their answers at once."""
        start, fresh = time.perf_counter(), {}
        for asked in range(ASKED_PER_NEW * wanted * 2):
            if len(fresh) == wanted:
                break
            if asked >= ASKED_PER_NEW * wanted:
                self._enqueue_unseen(fresh)
            trial = self.study.ask()
            design = self._suggest(trial)
            if self.archive.has_met(design):
                self._answer(trial, self.archive.evaluate(design[None]))
            else:
                fresh.setdefault(design.tobytes(), (design, []))[1].append(trial)
        self.sampling += time.perf_counter() - start
        return fresh

    def _suggest(self, trial: Any) -> np.ndarray:
        """The sampler's design; parameters that the chosen structure lacks are not asked for."""
        codes = [_suggest(trial, parameter) for parameter in self.problem.space.files]
        present = self.problem.present([int(code) for code in codes])
        for parameter, has in zip(self.problem.space.parameters, present, strict=True):
            if not isinstance(parameter, Files):
                codes.append(_suggest(trial, parameter) if has else parameter.rest)
        return np.array(codes, dtype=float)

    def _enqueue_unseen(self, fresh: Mapping[bytes, Any]) -> None:
        for _ in range(1000):
            design = self.problem.canonical(self.problem.space.drawn(self.random, 1))[0]
            if not self.archive.has_met(design) and design.tobytes() not in fresh:
                named = zip(self.problem.space.parameters, design, strict=True)
                self.study.enqueue_trial({p.key: _named(p, code) for p, code in named})
                return

    def _tell(self, fresh: Mapping[bytes, tuple[np.ndarray, list[Any]]]) -> None:
        columns = self.archive.evaluate(np.stack([design for design, _ in fresh.values()]))
        start = time.perf_counter()
        for i, (_, trials) in enumerate(fresh.values()):
            for trial in trials:
                self._answer(trial, {name: values[i : i + 1] for name, values in columns.items()})
        self.sampling += time.perf_counter() - start

    def _answer(self, trial: Any, columns: Columns) -> None:
        """Tell what is known of a trial's design, columns [1]."""
        names = (*self.goals.constraints, "mapping")
        for name, short in zip(names, self.goals.shortfalls(columns)[0], strict=True):
            trial.set_constraint(name, float(np.nan_to_num(short, nan=HUGE, posinf=HUGE, neginf=-HUGE)))
        worst = [-HUGE if sense == "maximize" else HUGE for sense in self.goals.directions]
        values = self.goals.values(columns)[0]
        self.study.tell(trial, [float(v) if np.isfinite(v) else w for v, w in zip(values, worst, strict=True)])


def make_sampler(given: Mapping[str, Any], seed: int) -> Any:
    """An Optuna sampler of a configuration, with the run's seed where it takes one."""
    import inspect

    import optuna

    options = dict(given)
    target = str(options.pop("_target_"))
    if not target.startswith("optuna.samplers."):
        raise ValueError(f"search.sampler._target_: {target!r} is not one of optuna.samplers; only those are built")
    cls = getattr(optuna.samplers, target.rsplit(".", 1)[1], None)
    if cls is None:
        raise ValueError(f"search.sampler._target_: Optuna has no {target!r}")
    takes = inspect.signature(cls).parameters
    for name in options:
        if name not in takes:
            raise ValueError(f"search.sampler: {target} takes no {name!r}; {nearest(name, takes)}")
    return cls(**options, **({"seed": seed} if "seed" in takes else {}))


def _suggest(trial: Any, parameter: Parameter) -> float:
    if isinstance(parameter, Files):
        return float(parameter.options.index(trial.suggest_categorical(parameter.key, parameter.options)))
    if isinstance(parameter, Values):
        return float(trial.suggest_int(parameter.key, 0, parameter.size - 1))
    if parameter.whole:
        return float(trial.suggest_int(parameter.key, int(parameter.low), int(parameter.high), log=parameter.log))
    return float(trial.suggest_float(parameter.key, parameter.low, parameter.high, log=parameter.log))


def _named(parameter: Parameter, code: float) -> Any:
    """A code as the sampler knows it."""
    if isinstance(parameter, Files):
        return parameter.text(code)
    return int(code) if isinstance(parameter, Values) else float(code)
