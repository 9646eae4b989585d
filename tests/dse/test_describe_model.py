"""task=describe of an AI model: sizes that are those of the model, work that is that of its layers, what is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from machines import candidate, files
from running import run_here

from dse.machine.describe import asked
from dse.machine.describe_model import format_section, held, model_section, operations, weight_bytes
from dse.machine.outline_model import short
from dse.problem.template import template

LLAMA = "llama3_8b"


@pytest.fixture(scope="module")
def section() -> dict[str, Any]:
    return model_section(template([f"model={LLAMA}", "hw=dgx_h100", "format=fp8"]), {"model": LLAMA, "format": "fp8"})


def test_sizes_are_those_of_the_model(section: dict[str, Any]) -> None:
    model = candidate(f"model={LLAMA}").model
    assert section["name"] == LLAMA
    assert section["parameters"] == section["active_parameters"] == float(model.parameters())
    assert section["layers"] == 32
    assert section["blocks"]["all"]["mixer"]["heads"] == 32
    assert section["blocks"]["all"]["feedforward"] == {"kind": "GatedFeedForward", "width": 14336}


def test_every_format_has_its_bytes(section: dict[str, Any]) -> None:
    """Sets and single numbers; two keys and values of 8 heads of 128 in 32 layers, a token."""
    names = {*files("format"), *files("format/number")}
    for key in ("weight_bytes", "cache_bytes_per_token", "cache_bytes_at_longest_context"):
        assert set(section[key]) == names
    for name, size in (("bf16", 2.0), ("fp8", 1.0), ("mxint8", 8.25 / 8)):
        assert section["weight_bytes"][name] == section["parameters"] * size
        assert section["cache_bytes_per_token"][name] == 2 * 8 * 128 * 32 * size
        assert section["cache_bytes_at_longest_context"][name] == 8192 * section["cache_bytes_per_token"][name]


def test_a_set_may_hold_weights_and_cache_in_two_formats(section: dict[str, Any]) -> None:
    """MXINT4 weights beside an MXINT8 cache."""
    assert section["weight_bytes"]["mxint4_weights"] == section["parameters"] * 4.25 / 8
    assert section["cache_bytes_per_token"]["mxint4_weights"] == section["cache_bytes_per_token"]["mxint8"]


def test_weights_that_wait_their_turn_are_counted_once_each() -> None:
    model = candidate("model=wan2_2_t2v_a14b").model
    both, formats = float(model.parameters()), candidate("format=mxint4_weights").format
    assert weight_bytes(model, held(formats)) == pytest.approx(both * 4.25 / 8)


def test_an_output_token_meets_every_weight_once_and_all_of_its_context(section: dict[str, Any]) -> None:
    """Two operations for each weight of a product (norms and the embedding's table are none), and four for each
    dimension of a head and token attended to."""
    model, context = candidate(f"model={LLAMA}").model, section["context"]
    weights = float(model.parameters()) - 128256 * 4096 - (2 * 32 + 1) * 4096
    attended = 4 * 32 * 32 * 128 * -(-context // 1)
    assert section["flops_per_token"] == pytest.approx(2 * weights + attended)
    assert sum(section["flops_per_token_parts"].values()) == section["flops_per_token"]
    assert section["flops_per_token_parts"]["feedforward"] == 2 * 32 * 3 * 4096 * 14336
    assert section["flops_per_token_parts"]["head"] == 2 * 128256 * 4096


def test_a_token_of_a_prompt_shares_the_head_and_sees_half_of_it(section: dict[str, Any]) -> None:
    prompt = section["prompt"]
    parts, alone = section["prefill_flops_per_token_parts"], section["flops_per_token_parts"]
    assert parts["head"] == pytest.approx(alone["head"] / prompt)
    assert parts["feedforward"] == alone["feedforward"]
    seen = (prompt + 1) / 2
    assert alone["mixer"] - parts["mixer"] == pytest.approx(4 * 32 * 32 * 128 * (section["context"] - seen), rel=1e-3)


def test_one_token_alone_does_two_operations_for_each_number_that_it_reads(section: dict[str, Any]) -> None:
    """In FP8 a number is a byte; four query heads share each key and value, which adds less than a tenth here."""
    assert 2.0 <= section["flops_per_byte"] <= 2.2


def test_experts_may_have_a_format_of_their_own() -> None:
    section = model_section(template(["model=gpt_oss_20b"]), {})
    experts = section["expert_parameters"]
    plain = section["parameters"] - experts
    assert experts > 0.9 * section["parameters"]
    assert section["weight_bytes"]["gpt_oss"] == pytest.approx(2 * plain + 4.25 / 8 * experts)
    assert section["weight_bytes"]["bf16"] == 2 * section["parameters"]


def test_windows_and_states_stop_growing() -> None:
    """Half of the layers see 128 tokens; a state is as large after one token as after all."""
    windowed, state = (model_section(template([f"model={name}"]), {}) for name in ("gpt_oss_20b", "mamba2_2_7b"))
    first, last = (windowed[f"cache_bytes_{when}"]["bf16"] for when in ("per_token", "at_longest_context"))
    assert last == pytest.approx(first / 2 * (windowed["longest_context"] + 128))
    assert state["cache_bytes_at_longest_context"] == state["cache_bytes_per_token"]


def test_steps_of_a_video_are_its_tokens() -> None:
    found = template(["model=cogvideox_2b", "serving=video"])
    section = model_section(found, {})
    model = found.candidate.model
    assert section["flops_per_token"] == sum(operations(model, model.step(1.0, 1.0)).values()) > 1e14
    assert set(section["cache_bytes_per_token"].values()) == {0.0}


def test_formats_are_told_with_bits_and_noise() -> None:
    section = format_section(template(["format=mxint4_weights"]), {"format": "mxint4_weights"})
    assert section["numbers"]["weights"]["bits"] == 4.25
    assert section["numbers"]["activations"]["bits"] == 8.25
    gain = section["numbers"]["activations"]["signal_to_noise"] - section["numbers"]["weights"]["signal_to_noise"]
    assert gain == pytest.approx(4 * 6.0206, abs=0.1)  # decibels: four bits, each a quarter; and what saturates


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["task=describe", "model=llama3_8b"], ["model"]),
        (["model.layers=3", "format=fp8"], ["model"]),
        (["hw=dgx_h100", "model=llama3_8b"], ["hw", "model"]),
        (["hw/fabric=ethernet"], ["hw"]),
        (["+hw.levels.package.packaged=1"], ["hw"]),
        (["format=fp8"], ["hw", "model"]),
        ([], ["hw", "model"]),
    ],
)
def test_what_is_named_is_printed(words: list[str], shown: list[str]) -> None:
    assert asked(words) == shown


def test_counts_are_printed_with_their_prefix() -> None:
    assert (short(8.03e9), short(0.0), short(40.0)) == ("8.03 G", "0", "40")


def test_the_command_line_writes_all_and_prints_the_model(tmp_path: Path) -> None:
    done = run_here(tmp_path, "task=describe", "model=llama3_8b", "format=mxint8", "hydra.run.dir=run")
    assert done.code == 0, done.err
    written = json.loads((tmp_path / "run" / "describe.json").read_text())
    assert {"hw", "model", "format"} <= set(written)
    assert written["model"]["name"] == "llama3_8b"
    assert "8.03 G" in done.out
    assert "assumed numbers that matter most" not in done.out
    assert "drawn in" not in done.out
