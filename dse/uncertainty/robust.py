"""robust=p90: objectives and limits that so many in a hundred drawn machines keep."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dse.evaluation.goals import Columns, Goals
from dse.evaluation.metrics import SECTIONS, more_is_better
from dse.problem.problem import Problem
from dse.problem.space import Space
from dse.uncertainty.beliefs import Beliefs
from dse.uncertainty.uncertainty import Widener

HERE = "dse.search.scale.Here"
ALONE = "robust: what drawn machines keep is worked out in this process alone; write scale=none, or robust=null"
NOMINAL = "as_written."
FEWEST_BEYOND = 3  # draws beyond a quantile without which it is only the worst of all


def read_level(given: Any) -> float | None:
    """The share of drawn machines of a `robust=p90`, none of null; raises ValueError in words."""
    if given is None:
        return None
    found = re.fullmatch(r"p(\d\d?(?:\.\d+)?)", str(given))
    if not found or not 50 <= float(found[1]) < 100:
        raise ValueError(
            f"robust: {given!r} is no share of drawn machines; write robust=p90 for what nine in ten keep, any "
            "from p50 to p99, or robust=null for the numbers as written"
        )
    return float(found[1]) / 100


def question(problem: Problem, goals: Goals, config: Mapping[str, Any], seed: int) -> Any:
    """What a search asks: the problem, or what its machines keep of it where `robust` says so."""
    level, beliefs = asked_for(config)
    return problem if level is None else Robust(problem, goals, beliefs, level, seed)


def asked_for(config: Mapping[str, Any]) -> tuple[float | None, Beliefs]:
    """The share, and what is believed of the numbers; raises ValueError in words where they do not go together, or not
    with where it is computed."""
    level, beliefs = read_level(config["robust"]), Beliefs.read(config["spreads"])
    if level is not None and config["scale"]["_target_"] != HERE:
        raise ValueError(ALONE)
    if level is not None and (1 - level) * beliefs.robust_draws < FEWEST_BEYOND:
        raise ValueError(
            f"robust: {config['robust']} of {beliefs.robust_draws} drawn machines leaves fewer than {FEWEST_BEYOND} "
            f"beyond it; write spreads.robust_draws={math.ceil(FEWEST_BEYOND / (1 - level) - 1e-9)} or more"
        )
    return level, beliefs


class Robust:
    """A problem whose answers are what a share of drawn machines is at least as good as: a question for any search.

    Each design is drawn `robust_draws` times, all designs by the same draws, under the mapping that is best as written
    (or again in each draw: `spreads.mapping`). A metric is the quantile on its bad side, so that the share of draws is
    at least as good; a headroom is that which the share of draws has at least, each limit by itself. What parts the
    answers are made of, and the mapping, are those as written; so are the columns `as_written.…` of the objectives.
    """

    def __init__(self, problem: Problem, goals: Goals, beliefs: Beliefs, level: float, seed: int) -> None:
        self.question, self.goals, self.level = problem, goals, level
        self.widener = Widener(problem, beliefs, seed)
        self.batch = problem.batch
        self.drawn = self.widener.draws(problem.structures(), beliefs.robust_draws)
        self.identity = f"robust {level} {seed} {beliefs}"  # of what tells its answers from those of the problem

    @property
    def space(self) -> Space:
        return self.question.space

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        return self.question.canonical(designs)

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        return self.question.present(structure)

    def distinct(self) -> float:
        """How many different designs there are."""
        return self.question.distinct()

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        """What the share of draws is at least as good as, as flat columns [designs]."""
        columns = self.question.evaluate(designs)
        if not len(designs):
            return columns
        written = {f"{NOMINAL}{name}": columns[f"metrics.{name}"] for name in self.goals.objectives}
        return columns | written | self._worse(self.widener.push(designs, columns, self.drawn))

    def _worse(self, found: Columns) -> dict[str, np.ndarray]:
        senses = {name: sense == "maximize" for name, sense in self.goals.objectives.items()}
        kept = {}
        for name in SECTIONS["metrics"].__dataclass_fields__:
            high = senses.get(name, more_is_better(name))
            kept[f"metrics.{name}"] = at_least_as_good(found[f"metrics.{name}"], self.level, high)
        for name in SECTIONS["headroom"].__dataclass_fields__:
            kept[f"headroom.{name}"] = at_least_as_good(found[f"headroom.{name}"], self.level, True)
        return kept


def at_least_as_good(values: np.ndarray, level: float, high_is_good: bool) -> np.ndarray:
    """Of draws [designs, draws] the value [designs] that at least this share of them reaches or betters; what is no
    number is worse than any."""
    signed = np.nan_to_num(-values if high_is_good else values, nan=np.inf, posinf=np.inf, neginf=-np.inf)
    rank = int(np.ceil(level * values.shape[1] - 1e-9)) - 1
    reached = np.sort(signed, axis=1)[:, rank]
    return -reached if high_is_good else reached
