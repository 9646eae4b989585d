"""The searches that learn, each by its shipped configuration; one line makes another one take part."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from spaces import COSTS, OWN, SLOPED
from synthetic import PROBLEMS

from dse import study
from dse.compose import compose, plain

OTHERS = tuple(PROBLEMS)


@dataclass(frozen=True)
class Method:
    """Overrides, the name of the budget among them, the questions that it is asked, and how many designs it gets at
    most."""

    overrides: tuple[str, ...]
    counted: str
    asked: tuple[str, ...]
    most: int | None = None


def sampler(name: str, asked: tuple[str, ...], most: int | None = None) -> Method:
    """A sampler of Optuna."""
    return Method(("search=optuna", f"search/sampler={name}"), "trials", asked, most)


# Random and quasi-random samplers learn nothing. Parzen estimators and Gaussian processes take too long for 20 runs of
# thousands of designs, and a refinement needs the model's slopes, so these are asked about our own spaces alone.
METHODS = {
    "evolve": Method(("search=evolve",), "evaluations", (*OWN, *OTHERS)),
    "nsga2": sampler("nsga2", (*OWN, *OTHERS)),
    "nsga3": sampler("nsga3", (*OWN, *OTHERS)),
    "tpe": sampler("tpe", OWN),
    "cmaes": sampler("cmaes", COSTS),
    "gp": sampler("gp", ("layers",), most=60),
    "refine": Method(("search=refine",), "evaluations", SLOPED),
}
ASKED = [(name, question) for name, given in METHODS.items() for question in given.asked]


@functools.cache
def _config(name: str) -> dict[str, Any]:
    return plain(compose(list(METHODS[name].overrides)))["search"]


def method(name: str, budget: int) -> Any:
    """A method as it is shipped, with another budget."""
    return study.make(_config(name) | {METHODS[name].counted: budget})


def given(name: str, budget: int) -> int:
    """How many designs of a budget a method gets."""
    return min(budget, METHODS[name].most or budget)
