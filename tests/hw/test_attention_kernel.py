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
DEVICE = Device(128.0, 8e12, 50e6, 5e12, 3e12)
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
    """To 5 %: what is beside memory is far less than a tenth, and the root of squares keeps less than that of it."""
    size = 512.0 * 8 * 2 * WIDTH * 16384 * 2
    read = CHIP.moving_time(size, 0.0, 0.0, STATE) / KERNELS.attention.step.stream
    assert read <= seconds(512.0, 1.0, 16384.0) <= 1.05 * read


def test_one_long_cache_is_read_in_parts() -> None:
    """By all cores: within 10 % for merging the parts and the start."""
    kernel = KERNELS.attention.step
    read = CHIP.moving_time(8 * 2 * WIDTH * 262144 * 2.0, 0.0, 0.0, STATE) / kernel.stream
    assert read <= seconds(1.0, 1.0, 262144.0) <= 1.1 * read


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
    assert bool(jnp.all(jnp.diff(over, axis=0) >= -1e-12))
    assert bool(jnp.all(jnp.diff(over, axis=1) >= -1e-12))


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
    assert found.compute < 2 * KERNELS.attention.step.unit
    assert float(found.start) == float(KERNELS.attention.step.start)


def test_a_chunk_of_a_prompt_costs_no_more_than_the_prompt_by_more_than_its_start() -> None:
    """Four chunks of 2048 tokens see in sum what the prompt sees: past + (tokens + 1) / 2 each."""
    chunks = sum(float(seconds(1.0, 2048.0, 2048.0 * i + 1024.5)) for i in range(4))
    whole = float(seconds(1.0, 8192.0, 4096.5))
    assert whole <= chunks <= 1.25 * whole + 4 * float(KERNELS.attention.prompt.start)
