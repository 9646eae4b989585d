"""Optuna's samplers: built from a configuration, and how they see the parameters of a space."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.problem.space import Files, Interval, Parameter, Space
from dse.run.near import nearest

PREFIX = "optuna.samplers."
EXTRAS = {"CmaEsSampler": ("cmaes",), "GPSampler": ("torch", "scipy")}  # packages that Optuna leaves to its users
SEVERAL = "TPESampler, NSGAIISampler, NSGAIIISampler, GPSampler, QMCSampler, RandomSampler"
QUIET = ("warn_independent_sampling", "warn_asynchronous_seeding")


@dataclass(frozen=True)
class Manner:
    """What a class of samplers can do.

    several    : takes more than one objective
    learns     : makes something of what it is told
    categories : takes a choice without an order
    limits     : takes constraints; else misses are told as values beyond the worst
    decades    : is told objectives by their logarithm; else as they are, to weigh them by the hypervolume they add
    carried    : its state is the trials and its random numbers; else a resumed run asks again from the beginning
    """

    several: bool = True
    learns: bool = True
    categories: bool = True
    limits: bool = True
    decades: bool = True
    carried: bool = True


MANNERS = {
    "TPESampler": Manner(decades=False),
    "NSGAIISampler": Manner(),
    "NSGAIIISampler": Manner(),
    "GPSampler": Manner(),
    "RandomSampler": Manner(learns=False),
    "QMCSampler": Manner(learns=False),
    # Its state is a pickle in a trial, and a pickle of a folder that somebody hands over is not opened.
    "CmaEsSampler": Manner(several=False, categories=False, limits=False, carried=False),
}


def manner(given: Mapping[str, Any]) -> Manner:
    """What the sampler of a configuration can do; raises ValueError where it is none that searches a space."""
    if not isinstance(given, Mapping) or not given.get("_target_"):
        raise ValueError(f"search.sampler: {given!r} names no sampler; write search/sampler=nsga2")
    target = str(given["_target_"])
    if not target.startswith(PREFIX):
        raise ValueError(f"search.sampler._target_: {target!r} is not one of optuna.samplers; only those are built")
    name = target.removeprefix(PREFIX)
    if name not in MANNERS:
        raise ValueError(
            f"search.sampler._target_: {target!r} cannot be asked for designs under constraints and told them in "
            f"batches; {nearest(name, MANNERS)}; write search/sampler=nsga2"
        )
    return MANNERS[name]


def make_sampler(given: Mapping[str, Any], seed: int) -> Any:
    """An Optuna sampler of a configuration, with the run's seed."""
    import optuna

    manner(given)
    options = {name: value for name, value in given.items() if name != "_target_"}
    name = str(given["_target_"]).removeprefix(PREFIX)
    refuse_missing(name)
    cls = getattr(optuna.samplers, name)
    takes = inspect.signature(cls).parameters
    for option in options:
        if option not in takes:
            raise ValueError(f"search.sampler: {PREFIX}{name} takes no {option!r}; {nearest(option, takes)}")
    fixed = {option: False for option in QUIET if option in takes} | {"seed": seed}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental options
            return cls(**fixed | options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"search.sampler: {PREFIX}{name} refuses {options!r}: {error}") from None


def refuse_missing(name: str) -> None:
    """Raise ValueError where a package is not installed without which a sampler does not run."""
    missing = [package for package in EXTRAS.get(name, ()) if importlib.util.find_spec(package) is None]
    if missing:
        raise ValueError(
            f"search.sampler: {PREFIX}{name} needs {' and '.join(missing)}, which is not installed; "
            "write pip install 'inferscape[samplers]', or use search/sampler=nsga2"
        )


def refuse_objectives(given: Mapping[str, Any], objectives: Sequence[str]) -> None:
    """Raise ValueError where a sampler is given more objectives than it can take."""
    if len(objectives) > 1 and not manner(given).several:
        drop = ", ".join(f"objectives.goals.{name}=null" for name in objectives[1:])
        raise ValueError(
            f"search.sampler: {given['_target_']} takes one objective, and {len(objectives)} are given "
            f"({', '.join(objectives)}); leave one ({drop}), or use one of {SEVERAL}"
        )


class Seen:
    """The parameters of a space as a sampler sees them, always all of them.

    Numbers that are listed are seen by their rank, so that neighbours are near; a choice of files is one without order
    where the sampler takes such. A parameter that a structure lacks is asked for all the same and then ignored: so the
    space is the same for all trials, as most samplers need it to be.
    """

    def __init__(self, space: Space, categories: bool) -> None:
        self.parameters = space.parameters
        self.ranks = [_ranks(parameter) for parameter in space.parameters]
        self.distributions = {p.key: _distribution(p, categories) for p in space.parameters}
        self._categories = categories

    def design(self, params: Mapping[str, Any]) -> np.ndarray:
        """The codes of a trial's parameters, [parameters]."""
        pairs = zip(self.parameters, self.ranks, strict=True)
        return np.array([self._code(p, ranks, params[p.key]) for p, ranks in pairs], dtype=float)

    def params(self, design: np.ndarray) -> dict[str, Any]:
        """What the sampler is told that a design's parameters are."""
        named = zip(self.parameters, self.ranks, design, strict=True)
        return {p.key: self._name(p, ranks, code) for p, ranks, code in named}

    def _code(self, parameter: Parameter, ranks: np.ndarray, named: Any) -> float:
        if isinstance(parameter, Files):
            return float(parameter.options.index(named) if self._categories else named)
        return float(named) if isinstance(parameter, Interval) else float(ranks[named])

    def _name(self, parameter: Parameter, ranks: np.ndarray, code: float) -> Any:
        if isinstance(parameter, Files):
            return parameter.text(code) if self._categories else int(code)
        if isinstance(parameter, Interval):
            return int(code) if parameter.whole else float(code)
        return int(np.flatnonzero(ranks == code)[0])


def _ranks(parameter: Parameter) -> np.ndarray:
    """Codes of listed numbers, the smallest number's first."""
    return np.argsort(getattr(parameter, "numbers", ()), kind="stable")


def _distribution(parameter: Parameter, categories: bool) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, Files) and categories:
        return CategoricalDistribution(parameter.options)
    if not isinstance(parameter, Interval):
        return IntDistribution(0, parameter.size - 1)
    if parameter.whole:
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
