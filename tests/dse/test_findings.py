"""What a search says of its best points, in words."""

from __future__ import annotations

import pytest

from dse.machine.findings import best_words, money

POINT = {"name": "F1", "parameters": {"hw/memory": "stacked", "cores": 4.0}, "metrics": {"system_cost": 1.2e6}}


def test_a_best_point_is_said_with_its_size_and_price() -> None:
    said = best_words("power", "minimize", POINT | {"chips": 256.0, "power_shares": {"host": 0.25, "silicon": 0.75}})
    assert said == "The least power: F1 (stacked): 256 chips, 1.2 million USD; its power is 75% silicon and 25% host."
    assert best_words("power", "minimize", POINT | {"metrics": {}}) == "The least power: F1 (stacked)."


@pytest.mark.parametrize(
    ("price", "said"),
    [(820.0, "820 USD"), (35_612.0, "35,600 USD"), (999_600.0, "1 million USD"), (2.54e9, "2.5 billion USD")],
)
def test_money_is_short(price: float, said: str) -> None:
    assert money(price) == said
