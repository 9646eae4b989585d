"""The kernels of attention and of experts: their limits, their slopes, and where there is no work."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from machines import candidate

from hw.chip import Placement
from hw.kernel import Device, Operands
from models.operators import CacheProduct, ExpertProduct

CHIP = candidate("hw=dgx_h100", "format=bf16").hw.chip
FORMATS = candidate("hw=dgx_h100", "format=bf16").format
STATE = CHIP.settle(FORMATS)
KERNELS: Any = CHIP.engine.kernels  # type: ignore[attr-defined]
DEVICE = Device(128.0, 8e12, 50e6, 5e12)
BF16 = Operands(2.0, 2.0, 2.0, 0.0)
GROUP, WIDTH = 8.0, 128.0


def both(sequences: Any, tokens: Any, context: Any) -> tuple[CacheProduct, CacheProduct]:
    """Scores and sums of eight heads of keys that eight queries share each."""
    rows = tokens * GROUP
    return (
        CacheProduct(rows, WIDTH, context, sequences * 8, launches=0.5, tokens=tokens),
        CacheProduct(rows, context, WIDTH, sequences * 8, sums=1.0, launches=0.5, tokens=tokens),
    )


@jax.jit
def seconds(sequences: Any, tokens: Any, context: Any) -> Any:
    products = both(sequences, tokens, context)
    return sum(CHIP.run(one, FORMATS, Placement(0.0, 0.0), STATE).total for one in products)


@jax.jit
def experts(vectors: Any, inputs: Any, outputs: Any, touched: Any) -> Any:
    work = ExpertProduct(vectors, inputs, outputs, touched)
    return CHIP.run(work, FORMATS, Placement(0.0, 0.0), STATE).total


def test_steps_over_long_caches_take_as_long_as_reading_them() -> None:
    """To 8 %: parts cost a quarter of it beside memory, of which the root of squares keeps a thirtieth, and merging."""
    size = 512.0 * 8 * 2 * WIDTH * 16384 * 2
    read = CHIP.moving_time(size, 0.0, 0.0, STATE) / KERNELS.attention.group.stream
    assert read <= seconds(512.0, 1.0, 16384.0) <= 1.08 * read


def test_one_long_cache_is_read_in_parts() -> None:
    """By all cores: within 15 % for merging the parts and the start."""
    kernel = KERNELS.attention.group
    read = CHIP.moving_time(8 * 2 * WIDTH * 262144 * 2.0, 0.0, 0.0, STATE) / kernel.stream
    assert read <= seconds(1.0, 1.0, 262144.0) <= 1.15 * read


def single(queries: float, context: float, cores: float = 128.0) -> Any:
    work = CacheProduct(1.0, WIDTH, context, queries, launches=0.5)
    return KERNELS.attention.work(work, BF16, DEVICE._replace(cores=cores))


def test_a_single_query_walks_its_keys_one_by_one() -> None:
    """A core for each: no cut, twice the keys take twice the time of the elements."""
    kernel = KERNELS.attention.single
    slope = (single(128.0, 20000.0).compute - single(128.0, 10000.0).compute) / 10000.0
    assert float(slope) == pytest.approx(float(kernel.element) * WIDTH, rel=1e-3)
    waves = single(12800.0, 10000.0).compute / single(1280.0, 10000.0).compute
    assert float(waves) == pytest.approx(10.0, rel=1e-9)


def test_few_single_queries_are_cut_over_the_cores() -> None:
    """So long that the unit is nothing: half the cores take twice as long, and merging costs all of `merge`."""
    kernel, many = KERNELS.attention.single, 1e9
    assert float(single(1.0, many, 64.0).compute / single(1.0, many).compute) == pytest.approx(2.0, rel=1e-3)
    merged = single(1.0, many).start - single(1.0, 1.0).start
    assert float(merged) == pytest.approx(float(kernel.merge) / 2, rel=1e-3)


def group(heads: float, context: float, width: float = WIDTH, held: float = 2.0) -> Any:
    work = CacheProduct(GROUP, width, context, heads, launches=0.5)
    return KERNELS.attention.work(work, BF16._replace(held=held), DEVICE)


def test_full_tiles_take_as_many_waves_as_cores_have_of_them() -> None:
    """Contexts too short to be cut: time is proportional to heads."""
    assert float(group(12800.0, 64.0).compute / group(1280.0, 64.0).compute) == pytest.approx(10.0, rel=1e-9)


def test_contexts_are_cut_into_no_more_parts_than_a_core_takes() -> None:
    """Beyond, a part grows: only its products take longer."""
    kernel = KERNELS.attention.group
    longest = kernel.most * kernel.split
    more = group(128.0, 4 * longest).compute - group(128.0, 2 * longest).compute
    products = 2 * kernel.rows * WIDTH * 2 * longest / (DEVICE.operations * kernel.sustained_fraction)
    assert float(more) == pytest.approx(float(products), rel=1e-9)


def test_groups_with_few_parts_are_taken_as_single_queries() -> None:
    """Wide caches of heads no wider than a kernel has; narrow ones and latents have the kernel of groups."""
    kernel = KERNELS.attention
    few, start = float(kernel.few), float(kernel.group.start)
    alone, shared = group(few - 1, 64.0), group(few, 64.0)
    assert float(alone.start) == pytest.approx(float(kernel.single.start) / 2, rel=0.05)
    for one in (shared, group(1.0, 64.0, 512.0), group(1.0, 64.0, held=1.0)):
        merged = kernel.group.merge * 64 / (64 + kernel.group.half)
        assert float(one.start) == pytest.approx((start + float(merged)) / 2, rel=1e-9)


def test_short_rows_of_keys_have_a_start_of_their_own() -> None:
    kernel = KERNELS.attention.group
    difference = group(64.0, 64.0, 64.0, held=1.0).start - group(64.0, 64.0, 128.0, held=1.0).start
    assert float(difference) == pytest.approx(float(kernel.short) / 2, rel=1e-9)


def test_long_prompts_reach_the_sustained_share_less_the_softmax() -> None:
    """To 10 %: masked tiles, units' own time and the start are left of it; nothing is faster."""
    kernel, tokens = KERNELS.attention.prompt, 65536.0
    peak = CHIP.engine.peak_rate(FORMATS.cache, FORMATS.activations, STATE.logic)
    reached = peak * kernel.sustained_fraction / (1 + kernel.softmax / WIDTH)
    least = 4 * 64 * tokens * (tokens + 1) / 2 * WIDTH / reached
    assert least <= seconds(1.0, tokens, (tokens + 1) / 2) <= 1.1 * least


def test_many_tokens_an_expert_reach_the_sustained_share_of_the_peak() -> None:
    size, kernel = 16384.0, KERNELS.experts
    peak = CHIP.engine.peak_rate(FORMATS.weights, FORMATS.activations, STATE.logic) * kernel.sustained_fraction
    least = 8 * 2 * size**3 / peak
    assert least <= experts(size, size, size, 8.0) <= 1.1 * least


def test_few_tokens_an_expert_take_as_long_as_reading_the_weights() -> None:
    read = CHIP.moving_time(8 * 8192.0**2 * 2, 0.0, 0.0, STATE) / KERNELS.experts.stream
    assert read <= experts(1.0, 8192.0, 8192.0, 8.0) <= 1.1 * read + KERNELS.experts.start


@pytest.mark.parametrize("tokens", [1.0, 4.0, 2048.0])
def test_more_of_anything_takes_no_less(tokens: float) -> None:
    sequences, contexts = 2.0 ** np.arange(0, 12), 2.0 ** np.arange(4, 18)
    over = jax.vmap(lambda b: jax.vmap(lambda c: seconds(b, tokens, c))(jnp.asarray(contexts)))(jnp.asarray(sequences))
    kernel = KERNELS.attention.single  # a turn from its pace to the group's saves no more than its own start
    saved = float(kernel.start + kernel.merge) if tokens == 1 else 0.0
    for axis in (0, 1):
        assert bool(jnp.all(jnp.diff(over, axis=axis) >= -saved - 1e-12))
        assert int(jnp.sum(jnp.diff(over, axis=axis) < -1e-12, axis=axis).max()) <= (saved > 0)


SHAPES = [(0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0), (1.0, 512.0, 0.0), (0.0, 512.0, 256.5),
          (64.0, 4.0, 5000.0), (1.0, 512.0, 33024.0), (2.0, 32760.0, 32760.0), (4096.0, 1.0, 1.0)]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_slopes_are_finite_where_there_is_no_work_too(shape: tuple[float, float, float]) -> None:
    value, slopes = jax.value_and_grad(seconds, argnums=(0, 1, 2))(*shape)
    assert np.isfinite(value)
    assert np.all(np.isfinite(slopes))


@pytest.mark.parametrize("shape", [(0.0, 64.0, 64.0, 0.0), (0.0, 64.0, 64.0, 4.0), (3.0, 4096.0, 512.0, 8.0)])
def test_slopes_of_experts_are_finite(shape: tuple[float, ...]) -> None:
    value, slopes = jax.value_and_grad(experts, argnums=(0, 1, 2, 3))(*shape)
    assert np.isfinite(value)
    assert np.all(np.isfinite(slopes))


def test_states_are_served() -> None:
    """A state that is no context: small products, launched by themselves, take a start each and little more."""
    work = CacheProduct(1.0, 128.0, 64.0, 128.0)
    found = KERNELS.attention.work(work, BF16, DEVICE)
    assert found.compute < 2 * KERNELS.attention.single.unit
    assert KERNELS.attention.single.start <= found.start < 1.05 * KERNELS.attention.single.start


def test_a_chunk_of_a_prompt_costs_no_more_than_the_prompt_by_more_than_its_start() -> None:
    """Four chunks of 2048 tokens see in sum what the prompt sees: past + (tokens + 1) / 2 each."""
    chunks = sum(float(seconds(1.0, 2048.0, 2048.0 * i + 1024.5)) for i in range(4))
    whole = float(seconds(1.0, 8192.0, 4096.5))
    assert whole <= chunks <= 1.25 * whole + 4 * float(KERNELS.attention.prompt.start)
