"""The searches that learn, each by its shipped configuration; one line makes another one take part."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from spaces import COSTS, OWN, SLOPED
from synthetic import PROBLEMS

from dse.configuration.compose import compose, plain
from dse.report import study


@dataclass(frozen=True)
class Method:
    """Overrides, the name of the budget among them, the questions that it is asked, how many designs it gets at most,
    and whether 20 runs take so long that they are for the night."""

    overrides: tuple[str, ...]
    counted: str
    asked: tuple[str, ...]
    most: int | None = None
    long: bool = False


def sampler(name: str, asked: tuple[str, ...], *overrides: str, most: int | None = None, long: bool = False) -> Method:
    """A sampler of Optuna."""
    return Method(("search=optuna", f"search/sampler={name}", *overrides), "trials", asked, most, long)


TWO = tuple(name for name, given in PROBLEMS.items() if given.get("n_obj", 2) == 2)
THREE = tuple(name for name in PROBLEMS if name not in TWO)
# Random and quasi-random samplers learn nothing. Parzen estimators and Gaussian processes take too long for 20 runs of
# a thousand designs, and a refinement needs the model's slopes, so these are asked about our own spaces alone. A run of
# a Gaussian process takes half a minute even for few designs, so 20 of them are for the night; it is told every four,
# since of 60 designs a batch of 16 would leave it three tellings.
METHODS = {
    "evolve": Method(("search=evolve",), "evaluations", (*OWN, *PROBLEMS)),
    "nsga2": sampler("nsga2", (*OWN, *TWO)),
    "nsga3": sampler("nsga3", (*OWN, *THREE)),
    "tpe": sampler("tpe", OWN),
    "cmaes": sampler("cmaes", COSTS),
    "gp": sampler("gp", ("layers",), "search.batch=4", most=60, long=True),
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
