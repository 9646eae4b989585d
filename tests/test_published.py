"""Published numbers that must fall out of the configurations, each with its source and the reason of its tolerance."""

from __future__ import annotations

from typing import Any

import pytest

from dse.evaluation.evaluate import Candidate
from dse.machine.single import answer
from dse.problem.session import read_wanted
from dse.problem.template import template

FREE = dict.fromkeys(("tensor", "pipeline", "expert", "data", "batch", "weights", "cache"), "auto")


def state(candidate: Candidate) -> Any:
    """The chip settled at full load."""
    return candidate.hw.chip.settle(candidate.format)


def composed(*overrides: str) -> Candidate:
    return template([*overrides, "tracking=none"]).candidate


def best(*overrides: str, **mapping: Any) -> dict[str, Any]:
    """The answer under the best mapping with these degrees."""
    wanted = read_wanted({"objective": "time_per_output_token"} | FREE | mapping)
    return answer(template([*overrides, "tracking=none"]), wanted)


@pytest.mark.parametrize(("fmt", "card_tops"), [("mxint8", 2400), ("mxint4", 9600)])
def test_corsair_operations(fmt, card_tops):
    """300 TOPS MXINT8 a chiplet; 2,400 and 9,600 TOPS a card (Chips and Cheese; The Register)."""
    candidate = composed("hw=corsair_card", f"format={fmt}")
    assert float(candidate.hw.peak_rate(candidate.format, state(candidate).logic)) == pytest.approx(
        card_tops * 1e12, rel=0.01
    )
    assert float(candidate.hw.chips()) == 8


def test_corsair_sram():
    """18.75 TB/s and 256 MB a chiplet, 150 TB/s and 2 GB a card, 16 GB a server (The Register; product page)."""
    for name, chips in (("corsair_card", 8), ("corsair_server", 64)):
        candidate = composed(f"hw={name}")
        system, sram, die = candidate.hw, candidate.hw.chip.tiers[0], state(candidate).tiers[0]
        assert float(system.chips()) == chips
        assert float(sram.peak_bandwidth(die)) == pytest.approx(18.75e12, rel=0.01)
        assert chips * float(sram.peak_bandwidth(die)) == pytest.approx(chips / 8 * 150e12, rel=0.01)
        assert chips * float(sram.bytes_held(die)) == pytest.approx(chips / 8 * 2e9, rel=0.03)  # 2.048 is sold as 2


def test_corsair_ridge_at_eight_vectors():
    """2,400 TOPS over 150 TB/s: a byte of INT8 weights must serve 8 vectors (element bits alone, scales apart)."""
    candidate = composed("hw=corsair_card", "format=mxint8")
    engine, formats = candidate.hw.chip.engine, candidate.format
    die = candidate.hw.chip.cold()
    ops_per_byte = engine.peak_rate(formats.weights, formats.activations, die) / engine.peak_fill(die)
    assert float(ops_per_byte) / 2 == pytest.approx(8, rel=0.01)


def test_corsair_die():
    """About 400 mm2 (product page), a known good die of about 102 USD (Chiplet Actuary's constants), 5 %."""
    chip = composed("hw=corsair_card").hw.chip
    assert float(chip.area()) == pytest.approx(400e-6, rel=0.05)
    assert float(chip.process.die_cost(chip.area())) == pytest.approx(102, rel=0.05)


def test_corsair_card_power_at_both_measured_clocks():
    """550 W at 1.2 GHz and 275 W at 0.8 GHz (Hot Chips 2025): 10 %, as the constant part is assumed."""
    for clock, watts in ((1.2, 550), (0.8, 275)):
        candidate = composed("hw=corsair_card", "format=mxint8", f"hw.chip.engine.frequency={clock} GHz")
        boards = float(candidate.hw.idle_power(0.0))
        card = 8 * float(state(candidate).powers.total) + boards
        print(f"{clock} GHz: {card:.0f} W modelled, {watts} W measured")
        assert card == pytest.approx(watts, rel=0.10)


def test_raptor_stack():
    """6.25 TB/s, 2 GB a chiplet; 32 GB and about 100 TB/s a card; 0.37 pJ/bit (ISCA 2026, Hot Chips 38): 10 %."""
    candidate = composed("hw=raptor_card")
    system, stack, die = candidate.hw, candidate.hw.chip.tiers[0], state(candidate).tiers[0]
    assert float(system.chips()) == 16
    assert float(die.area) == pytest.approx(192e-6, rel=0.05)
    assert float(stack.peak_bandwidth(die)) == pytest.approx(6.25e12, rel=0.10)
    assert 16 * float(stack.peak_bandwidth(die)) == pytest.approx(100e12, rel=0.10)
    assert 16 * float(stack.bytes_held(die)) == pytest.approx(32e9, rel=0.10)
    assert float(stack.byte_energy(die)) / 8 == pytest.approx(0.37e-12, rel=0.10)


def test_h100_peaks():
    """989 TFLOPS BF16, 1,979 TOPS at 8 bits, 814 mm2, and a build cost of a DGX near 80 thousand USD (Epoch AI)."""
    for fmt, peak in (("bf16", 989e12), ("fp8", 1979e12)):
        candidate = composed("hw=dgx_h100", f"format={fmt}")
        assert float(candidate.hw.peak_rate(candidate.format, state(candidate).logic)) / 8 == pytest.approx(
            peak, rel=0.01
        )
    assert float(candidate.hw.chip.area()) == pytest.approx(814e-6, rel=0.01)
    assert 50e3 < float(candidate.hw.cost()) < 90e3


def test_llama3_8b_on_a_server_takes_about_a_millisecond():
    """d-Matrix claims 60,000 tokens a second at 1 ms a token: tensor 64 lands near it, bound by exchange."""
    words = ("hw=corsair_server", "model=llama3_8b", "format=mxint8", "serving=interactive")
    claimed = best(*words, tensor=64, pipeline=1, batch=60)
    print(claimed["metrics"]["time_per_output_token"], claimed["shares"])
    assert 0.5e-3 < claimed["metrics"]["time_per_output_token"] < 1.5e-3
    assert claimed["shares"]["exchange"] > 0.5
    free = best(*words, batch=60)
    assert free["metrics"]["time_per_output_token"] < claimed["metrics"]["time_per_output_token"]
    alone = best(*words, tensor=64, pipeline=1, batch=1)
    assert alone["shares"]["compute"] < min(alone["shares"]["weights"], alone["shares"]["exchange"])


def test_llama3_70b_does_not_fit_the_sram_of_a_server():
    """70.6 GB against 16 GB: the answer is LPDDR with its slow step (22 ms for the weights alone), or a shortfall."""
    words = ("hw=corsair_server", "model=llama3_70b", "format=mxint8", "serving=interactive")
    found = best(*words)
    assert found["mapping"]["weights"] == "lpddr"
    assert found["metrics"]["time_per_output_token"] > 22e-3
    forced = best(*words, weights="sram", cache="sram")
    assert forced["headroom"]["memory"] < -70.6e9 / 64 + 256e6


@pytest.mark.parametrize("name", ["corsair_server", "raptor_server", "dgx_h100"])
def test_machines_as_sold_keep_their_own_limits(name):
    """A machine runs at full load within the power and the temperatures that its data sheet states."""
    candidate = composed(f"hw={name}", "format=mxint8")
    chip = candidate.hw.chip
    settled = state(candidate)
    assert float(settled.logic.derating) == 1
    assert float(chip.power_headroom(settled)) >= 0
    assert float(chip.heat_headroom(settled)) >= 0
