"""What is missed is said in units, of what is there, and what is said holds: given so much, the limit is kept."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from dse.evaluation.evaluate import Candidate
from dse.evaluation.explain import FAR_TOO_HOT, SAYS, missing
from dse.evaluation.metrics import Headroom, units
from dse.problem.template import template


@pytest.fixture(scope="module")
def card() -> Candidate:
    return template(["hw=corsair_card", "model=llama3_70b", "serving=interactive"]).candidate


def point(**headroom: float) -> dict[str, Any]:
    """A point that keeps every limit but those named."""
    degrees = dict.fromkeys(("sequence", "attention_data", "expert", "pipeline", "stages_inside", "data"), 1)
    return {
        "legal": True,
        "headroom": dict.fromkeys(units(Headroom), 1.0) | headroom,
        "metrics": {"clock": 1.2e9, "junction_temperature": 300.0, "memory_temperature": 300.0}
        | {"time_to_first_token": 0.1, "time_per_output_token": 0.01},
        "shares": {"compute": 0.7, "exchange": 0.3},
        "mapping": degrees | {"stages_inside": 0, "tensor": 8, "batch": 60, "users": 60}
        | {"weights": "sram", "cache": "sram"},
    }  # fmt: skip


def test_what_keeps_every_limit_misses_nothing(card: Candidate) -> None:
    assert missing(card, point()) == []


def test_missing_bytes_are_of_the_tier_that_is_full(card: Candidate) -> None:
    (found,) = missing(card, point(memory=-2.44e9))
    assert found.words.startswith("2.44 GB are missing in tier sram of a chip, which holds 256 MB")
    assert "would have to hold 2.7 GB, 10.5 times as much" in found.words
    assert found.remedy == "tier lpddr has the room, 32 GB: mapping.weights=lpddr mapping.cache=lpddr"
    assert found.lever == "tier sram of a chip from 256 MB to 2.7 GB"


def test_where_no_tier_has_the_room_more_chips_do(card: Candidate) -> None:
    """80 GB: no tier of a chip; half a card is a half of the chips; and mostly the cache where weights are small."""
    one = point(memory=-80e9)
    assert "more chips than 8, or weights in fewer bits" not in str(missing(card, one)[0])
    assert "fewer users than 60 (serving.users)" in missing(card, one)[0].remedy
    one["mapping"]["tensor"] = 4
    assert "now 4 of 8: a larger mapping.tensor" in missing(card, one)[0].remedy


def test_the_tier_is_told_by_what_the_weights_take(card: Candidate) -> None:
    """With weights and cache apart, the weights' tier where they overfill it by so much, else the cache's."""
    one = copy.deepcopy(point(memory=-1.0))
    one["mapping"]["cache"] = "lpddr"
    told = re.search(r"\((.*) GB of them weights\)", missing(card, point(memory=-1.0))[0].words)
    assert told is not None
    one["headroom"]["memory"] = -(float(told[1]) - 0.256) * 1e9
    assert "tier sram" in missing(card, one)[0].words
    one["headroom"]["memory"] = -1e9
    assert "tier lpddr of a chip, which holds 32 GB" in missing(card, one)[0].words


def test_watts_are_over_the_limit_at_the_clock(card: Candidate) -> None:
    limit = float(card.hw.chip.cooling.power_limit)
    (found,) = missing(card, point(power=-31.0))
    assert found.words.startswith(f"31 W over the {limit:.3g} W of a chip at 1.2 GHz")
    assert found.lever == f"hw.chip.cooling.power_limit {limit:.3g} W → {limit + 31:.3g} W"


def test_the_limit_of_temperature_is_the_one_that_is_passed(card: Candidate) -> None:
    logic = float(card.hw.chip.cooling.temperature_limit)
    one = point(heat=-12.0)
    one["metrics"]["junction_temperature"] = logic + 12
    assert "hw.chip.cooling.temperature_limit" in missing(card, one)[0].lever
    one = point(heat=-12.0)
    one["metrics"]["memory_temperature"] = float(card.hw.chip.memory["lpddr"].temperature_limit) + 12
    assert re.match(r"hw\.chip\.memory\.\w+\.temperature_limit", missing(card, one)[0].lever)
    assert "limit of temperature or heat flux" in missing(card, point(heat=-12.0))[0].words
    assert "does not settle" in missing(card, point(heat=FAR_TOO_HOT - 1))[0].words


def test_both_latency_targets_are_named_where_both_are_missed(card: Candidate) -> None:
    one = point(latency=-1.0)
    one["metrics"] |= {"time_to_first_token": 4.0, "time_per_output_token": 0.075}
    (found,) = missing(card, one)
    assert "2 s over the 2 s to the first token (2 times as long" in found.words
    assert "25 ms over the 50 ms a token (1.5 times as long" in found.words
    assert "serving.time_per_output_token_target 50 ms → 75 ms" in found.lever
    assert "70% compute and 30% exchange" in found.remedy
    one["metrics"]["time_to_first_token"] = 0.1
    assert "first token" not in missing(card, one)[0].words


def test_the_rule_that_a_mapping_breaks_is_named(card: Candidate) -> None:
    one: dict[str, Any] = {**point(), "legal": False}
    one["mapping"] |= {"tensor": 3, "pipeline": 81}
    (found,) = missing(card, one)
    assert "groups fill the levels of the machine from the inside" in found.words
    assert "every stage has a layer" in found.words
    assert "8 chips" in found.remedy


def test_only_the_constraints_that_are_asked_for_count(card: Candidate) -> None:
    names = [one.name for one in missing(card, point(power=-1.0, clock=-0.1, latency=-1.0), ["power", "clock"])]
    assert names == ["power", "clock"]
    assert missing(card, point(clock=-0.1))[0].lever == "hw.chip.engine.frequency 1.2 GHz → 1.08 GHz"


def test_every_limit_has_its_words() -> None:
    assert set(SAYS) == set(units(Headroom))
