"""Machines of receipts: widened, without losses, and bounded by their peaks."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dse.claims.bench import (
    Bench,
    arrays,
    drawn,
    ends,
    loaded,
    owner_of,
    settings,
    step_name,
    widths,
    without_losses,
)
from dse.claims.bounds import needs, sizes, step_of
from dse.evaluation.mapping import Wanted
from hw.chip import Placement
from models.operators import CacheProduct, ExpertProduct, WeightProduct

GPUS = ["hw=dgx_h100", "model=llama3_2_1b", "format=bf16"]
CARD = ["hw=corsair_card", "model=llama3_2_1b", "format=mxint8"]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(1)


def test_drawn_numbers_keep_their_median_and_their_width(bench: Bench) -> None:
    found = bench.template(CARD)
    wide, tree = widths(found), found.candidate
    stacked = drawn(found, tree, seed=3)
    price = np.asarray(stacked.hw.chip.memory["lpddr"].price)
    given, width = float(tree.hw.chip.memory["lpddr"].price), wide["hw.chip.memory.lpddr.price"]
    assert np.median(price) == pytest.approx(given, rel=0.3 * width)
    low, high = ends(price)
    # 128 draws place the ends of nine in ten to about a fifth of their distance, three deviations to a half
    assert np.log(high / low) == pytest.approx(2 * np.log1p(width), rel=0.5)
    assert np.all(np.asarray(stacked.hw.chip.engine.cores) == float(tree.hw.chip.engine.cores))  # whole things
    assert np.all(np.asarray(stacked.model.hidden) == float(tree.model.hidden))  # models have no spread


def test_fractions_stay_fractions(bench: Bench) -> None:
    found = bench.template(CARD)
    assert float(np.max(drawn(found, found.candidate, 1).hw.levels["package"].link.sustained_fraction)) <= 1


def test_nothing_is_lost_without_losses(bench: Bench) -> None:
    found = bench.template(CARD).candidate
    ideal = without_losses(arrays(found)).hw
    lost = settings().ideal
    named = [
        (str(getattr(path[-1], "name", "")), float(leaf)) for path, leaf in jax.tree_util.tree_leaves_with_path(ideal)
    ]
    assert {value == lost[name] for name, value in named if name in lost} == {True}
    assert set(lost) <= all_fields()


def test_every_number_of_a_kernel_is_a_loss_or_kept(bench: Bench) -> None:
    """So that a new constant of a kernel is not forgotten in conf/validation/receipts.yaml."""
    hw, listed = bench.template(GPUS).candidate.hw, settings().ideal_of
    under = (hw.chip.engine.kernels, hw.chip.vector)  # pyright: ignore[reportAttributeAccessIssue]
    for tree in under:
        for path, _ in jax.tree_util.tree_leaves_with_path(tree):
            owner, name = type(owner_of(tree, path)).__name__, step_name(path[-1])
            assert name in listed.get(owner, {}), f"{owner}.{name} is not in ideal_of"


def roofs(bench: Bench, product: Any) -> float:
    """Time of a product on one of these chips without losses, over the longer of its held bytes at the peak bandwidth
    and of its operations at the peak rate."""
    candidate = without_losses(arrays(bench.template(GPUS).candidate))
    chip, formats = candidate.hw.chip, candidate.format
    state = chip.settle(formats)
    ran = jax.jit(lambda: chip.run(product, formats, Placement(0.0, 0.0), state).total)()
    read = product.held_elements * product.held(formats).bytes / chip.tiers[0].peak_bandwidth(state.tiers[0])
    peak = chip.engine.peak_rate(product.held(formats), formats.activations, state.logic)
    return float(ran / jnp.maximum(read, 2 * product.macs / peak))


@pytest.mark.parametrize(
    "product",
    [
        pytest.param(WeightProduct(8192.0, 8192.0, 8192.0), id="large product"),
        pytest.param(WeightProduct(1.0, 8192.0, 8192.0), id="product of one vector"),
        pytest.param(ExpertProduct(4096.0, 4096.0, 4096.0, 8.0), id="experts of a prompt"),
        pytest.param(ExpertProduct(2.0, 4096.0, 4096.0, 8.0), id="experts of a step"),
        pytest.param(CacheProduct(8.0, 128.0, 32768.0, 128.0), id="step of attention"),
        pytest.param(CacheProduct(8 * 16384.0, 128.0, 8192.5, 8.0, tokens=16384.0), id="attention of a prompt"),
    ],
)
def test_without_losses_a_kernel_takes_what_its_peaks_take(bench: Bench, product: Any) -> None:
    """To 5 %: the results and inputs beside the held operand are read and written, and p is finite."""
    assert 1 <= roofs(bench, product) <= 1.05


def all_fields() -> set[str]:
    """Names of the fields of every class of hardware that is loaded."""
    import equinox as eqx

    found, left = set(), [eqx.Module]
    while left:
        cls = left.pop()
        left += cls.__subclasses__()
        found |= {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    return found


def test_bounds_are_peaks_over_bytes_and_operations(bench: Bench) -> None:
    """One user reads every weight but the embedding once a token: at least 1.1 of the 1.24 G parameters."""
    candidate, rate = loaded(bench.template(CARD).candidate, 1), 1000.0
    answer = bench.answer(CARD, 1, Wanted("tokens_per_second"), ideal=True)
    shares, double = (needs(candidate, answer, value) for value in (rate, 2 * rate))
    weights, cache = sizes(candidate)
    peak = 8 * 18.74e12
    assert 0.8 * weights * rate / peak < shares["bandwidth"] < 1.2 * (weights + cache) * rate / peak
    assert all(double[name] == pytest.approx(2 * shares[name]) for name in shares)


def test_bounds_hold_the_prompts_that_the_machine_fills(bench: Bench) -> None:
    """About 2 x active parameters a prompt token, each answer token bearing prompt / output of them."""
    candidate = loaded(bench.template(CARD).candidate, 4)
    filling = replace(candidate, serving=replace(candidate.serving, prefill_share=1.0))
    added = step_of(filling).operations - step_of(candidate).operations
    linear = 4 * 2 * float(candidate.model.active_parameters() * candidate.serving.prompt / candidate.serving.output)
    # the head's product and the embedding are of the last token alone; scores over 896 tokens are a few per cent
    assert 0.7 * linear < added < 1.2 * linear
