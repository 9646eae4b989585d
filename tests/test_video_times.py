"""Steps of video models on GPUs against times that others measured; `-s` prints them."""

from __future__ import annotations

import math

import pytest

from dse.evaluation.mapping import Wanted
from dse.machine.single import answer
from dse.problem.template import template

H100 = ("hw=dgx_h100", "serving=video", "format=bf16")
SMALL = ("model.video.height=480", "model.video.width=832")
FASTEST, SLOWEST = 0.5, 1.1  # of what is measured: nothing is fitted on these, and their software differs

MEASURED = {  # model, GPUs, seconds of a step, source
    "Wan 2.1 14B, 720p": (("model=wan2_1_t2v_14b",), 1, 1883 / 50),  # svg-project/Sparse-VideoGen issue 15, dense
    "Wan 2.1 14B, 480p": (("model=wan2_1_t2v_14b", *SMALL), 1, 483 / 50),  # the same
    "Wan 2.1 1.3B, 480p": (("model=wan2_1_t2v_1_3b",), 1, 1.04),  # FlashDreams benchmarks, wan21-t2v-1.3b-480p
    "Wan 2.2 A14B, 720p": (("model=wan2_2_t2v_a14b",), 8, 195.13 / 40),  # Morphic, FlashAttention 3, Ulysses of 8
}


@pytest.mark.parametrize("case", MEASURED)
def test_a_step_takes_about_as_long_as_measured(case: str) -> None:
    """Whole runs are measured, text encoder and autoencoder included, which are a few per cent of them."""
    words, devices, seconds = MEASURED[case]
    wanted = Wanted("time_per_output_token", tensor=devices, pipeline=1, data=1)
    found = answer(template([*H100, *words]), wanted)
    modelled = found["metrics"]["time_per_output_token"]
    share = found["shares"]["exchange"]
    print(
        f"\n{case}, {devices} GPUs: modelled {modelled:.2f} s a step ({share:.0%} exchange), measured {seconds:.2f} s"
    )
    assert found["headroom"]["memory"] > 0
    assert FASTEST <= modelled / seconds <= SLOWEST


@pytest.mark.parametrize(
    "system",
    ["dgx_h100", *(pytest.param(s, marks=pytest.mark.slow) for s in ("corsair_server", "wse3_cluster", "cpu_server"))],
)
@pytest.mark.parametrize("share", [0, 1])
def test_a_prompt_is_as_good_as_free_on_every_machine(system: str, share: int) -> None:
    """The text encoder is left out; what is left of a prompt breaks nothing where starting an operator takes no
    time."""
    words = [f"hw={system}", "model=wan2_1_t2v_1_3b", "serving=video", f"serving.prefill_share={share}"]
    found = answer(template(words), Wanted("time_per_output_token"))
    assert all(math.isfinite(value) for value in found["metrics"].values())
    first, later = (found["metrics"][f"time_{name}"] for name in ("to_first_token", "per_output_token"))
    assert 0 < first < 0.1 * later
    assert sum(found["shares"].values()) == pytest.approx(1)
