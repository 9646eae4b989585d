"""The next best mappings: in order, each once, and with a reason that holds."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from small import MACHINE, small_problem

from dse.evaluation.batches import best_of_one, flat
from dse.evaluation.grids import grids, own_fanouts
from dse.evaluation.mapping import Grid, Wanted
from dse.evaluation.results import point
from dse.evaluation.runners import runners_up, why, without
from dse.evaluation.step import in_loops
from dse.problem.template import template
from dse.run.precision import arrays

FREE = Wanted("time_per_output_token")


def missed_and_value(answer: dict[str, Any]) -> tuple[float, ...]:
    """What mappings are compared by, to nine digits: how much memory is missing, how late it is, its objective."""
    missed = (max(0.0, -answer["headroom"][name]) for name in ("memory", "latency"))
    return tuple(float(f"{value:.9g}") for value in (*missed, answer["metrics"][FREE.objective]))


def test_the_next_best_are_the_best_of_what_is_left() -> None:
    """Each is what is found without those before it, in order; none comes twice, and all say why they lose."""
    found = template(MACHINE)
    choices = grids([found.candidate], own_fanouts(found.candidate), FREE)
    one = arrays(found.candidate)

    def ask(own: Grid) -> dict[str, Any]:
        answer = flat(jax.device_get(best_of_one(one, choices._replace(own=own), FREE)))
        return point({name: np.atleast_1d(value) for name, value in answer.items()}, 0, found.tiers)

    asked: list[dict[str, Any]] = []
    chosen, losers = runners_up(
        lambda own: asked.append(ask(own)) or asked[-1], choices.own, found.candidate, found.tiers, FREE.objective
    )
    left: Grid | None = choices.own
    for taken in list(asked):
        assert left is not None
        left = without(left, taken["mapping"], found.tiers)
    assert left is not None
    asked.append(ask(left))
    assert all(each["legal"] for each in asked)
    compared = [missed_and_value(each) for each in asked]
    assert compared == sorted(compared)
    rows = [tuple(sorted((k, v) for k, v in each.items() if k != "loses")) for each in (chosen, *losers)]
    assert len(set(rows)) == len(rows) == 6
    assert all(each["loses"] for each in losers)


def test_a_design_of_a_search_has_its_own_machine() -> None:
    """Whether a mapping is legal is said of the design, not of the machine that the search began with."""
    problem = small_problem(batch=1, space={"hw.levels.card.fanout": [1, 2, 8]})
    problem.wanted = FREE
    design = problem.space.designs(2, 3)[0]
    found = problem.template(())

    def ask(own: Grid) -> dict[str, Any]:
        return point(problem.under(design, own), 0, found.tiers)

    with in_loops():
        chosen, losers = runners_up(ask, problem.choices(design), found.candidate, found.tiers, FREE.objective)
    assert chosen["tensor"] * chosen["pipeline"] * chosen["data"] <= 32
    assert not any(one["loses"].startswith("not legal") for one in losers)


@pytest.mark.parametrize(
    ("memory", "latency", "told"),
    [(-2e9, 0.5, "2 GB are missing"), (1e9, -1.0, "2 times as long"), (1e9, 0.5, "50.0% worse; exchange takes 5 ms")],
)
def test_reasons_in_words(memory: float, latency: float, told: str) -> None:
    def point(seconds: float, exchange: float, memory: float, latency: float) -> dict:
        shares = dict.fromkeys(("compute", "weights", "cache", "vector", "overhead", "bubble"), 0.0)
        shares |= {"exchange": exchange, "compute": 1 - exchange}
        metrics = {"time_per_output_token": seconds}
        return {"metrics": metrics, "headroom": {"memory": memory, "latency": latency}, "shares": shares}

    winner, loser = point(0.01, 0.0, 1e9, 0.5), point(0.015, 1 / 3, memory, latency)
    assert told in why(winner, loser, "time_per_output_token", [])
    assert why(winner, loser, "time_per_output_token", ["stages fill levels"]) == "not legal: stages fill levels"
