"""The searches that learn, each by its shipped configuration; one line makes another one take part."""

from __future__ import annotations

import functools
from typing import Any

from dse.compose import compose, plain
from dse.study import make

# Of each method its overrides and the name of its budget. Random and quasi-random samplers learn nothing.
METHODS: dict[str, tuple[tuple[str, ...], str]] = {
    "evolve": (("search=evolve",), "evaluations"),
    "nsga2": (("search=optuna", "search/sampler=nsga2"), "trials"),
    "nsga3": (("search=optuna", "search/sampler=nsga3"), "trials"),
    "tpe": (("search=optuna", "search/sampler=tpe"), "trials"),
}


@functools.cache
def _config(name: str) -> dict[str, Any]:
    return plain(compose(list(METHODS[name][0])))["search"]


def method(name: str, budget: int) -> Any:
    """A method as it is shipped, with another budget."""
    return make(_config(name) | {METHODS[name][1]: budget})
