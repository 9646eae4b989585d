"""The next best mappings: in order, each once, and with a reason that holds."""

from __future__ import annotations

import pytest
from small import small_problem

from dse.mapping import Wanted
from dse.runners import runners_up, why
from dse.single import answer, answers
from dse.template import template

FREE = Wanted("time_per_output_token")


def test_the_next_best_are_the_best_of_what_is_left() -> None:
    """Each is what a search finds that may not take those before it; none comes twice; all say why they lose."""
    found = template(["hw=corsair_card", "model=llama3_8b", "serving=interactive"])
    result = answers(found, FREE)
    losers = result["runners_up"]
    rows = [tuple(sorted((k, v) for k, v in one.items() if k != "loses")) for one in (result["mapping"], *losers)]
    assert len(set(rows)) == len(rows) == 6
    names = ("tensor", "sequence", "pipeline", "weights", "cache")
    second = answer(found, Wanted("time_per_output_token", **{name: losers[0][name] for name in names}))
    assert second["metrics"]["time_per_output_token"] >= result["metrics"]["time_per_output_token"]
    assert all(one["loses"] for one in losers)


def test_a_design_of_a_search_has_its_own_machine() -> None:
    """Whether a mapping is legal is said of the design, not of the machine that the search began with."""
    problem = small_problem(space={"hw.levels.card.fanout": [1, 2, 8]})
    problem.wanted = FREE
    design = problem.space.designs(2, 3)[0]
    found = problem.template(())

    def ask(own):
        from dse.results import point

        return point(problem.under(design, own), 0, found.tiers)

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
