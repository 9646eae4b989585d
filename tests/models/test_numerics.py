"""Number formats: what they weigh, and their noise against numbers really rounded."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from machines import candidate, files

from models.numerics import NumberFormat

SAMPLES = 1 << 19  # the spread of the measured noise power is below 0.3 %, 0.01 dB
NEAR = 0.1  # dB: what the closed form leaves out; clipping of 3-bit elements is 0.06, the underflow of FP8 0.03
NEAR_PRODUCTS = 0.5  # dB: noise of noise (0.1 at four bits), and fewer samples, one a dot product (0.1)
BLOCK = 32
LARGEST = {4: 448.0, 8: 3.4e38}  # by bits of the exponent
LEAST_EXPONENT = {4: -6, 8: -126}


def number(name: str) -> NumberFormat:
    return candidate(f"format={name}").format.weights


@functools.cache
def gaussian() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((SAMPLES // BLOCK, BLOCK))


def rounded_in_blocks(x: np.ndarray, bits: int) -> np.ndarray:
    """Integers of `bits` bits with a scale of 2^floor(log2 of the block's largest), as in OCP Microscaling v1.0."""
    step = 2.0 ** (np.floor(np.log2(np.abs(x).max(axis=1, keepdims=True))) - (bits - 2))
    most = 2 ** (bits - 1) - 1
    return np.clip(np.rint(x / step), -most, most) * step


def rounded_floating(x: np.ndarray, exponent_bits: int, fraction_bits: int) -> np.ndarray:
    """To nearest, with subnormal numbers below the least exponent; held at the largest number."""
    exponent = np.maximum(np.floor(np.log2(np.abs(x))), LEAST_EXPONENT[exponent_bits])
    step = 2.0 ** (exponent - fraction_bits)
    return np.clip(np.rint(x / step) * step, -LARGEST[exponent_bits], LARGEST[exponent_bits])


def decibels(ratio: float) -> float:
    return 10 * float(np.log10(ratio))


def measured(x: np.ndarray, rounded: np.ndarray) -> float:
    """Noise power over signal power in dB."""
    return decibels(float(np.mean((rounded - x) ** 2) / np.mean(x**2)))


@pytest.mark.parametrize(("name", "bits"), [("mxint8", 8.25), ("mxint4", 4.25), ("fp8", 8.0), ("bf16", 16.0)])
def test_elements_weigh_their_share_of_the_scale(name: str, bits: float) -> None:
    assert number(name).bits == bits
    assert number(name).bytes == bits / 8


@pytest.mark.parametrize("bits", [3, 4, 6, 8])
def test_noise_of_blocks_is_that_of_rounded_numbers(bits: int) -> None:
    form = NumberFormat(element_bits=float(bits), exponent_bits=0.0, block=float(BLOCK), scale_bits=8.0)
    found = measured(gaussian(), rounded_in_blocks(gaussian(), bits))
    assert decibels(float(form.noise())) == pytest.approx(found, abs=NEAR)


@pytest.mark.parametrize("name", ["fp8", "bf16"])
def test_noise_of_floating_numbers_is_that_of_rounded_numbers(name: str) -> None:
    form = number(name)
    fraction_bits = int(form.element_bits - 1 - form.exponent_bits)
    found = measured(gaussian(), rounded_floating(gaussian(), int(form.exponent_bits), fraction_bits))
    assert decibels(float(form.noise())) == pytest.approx(found, abs=NEAR)


@pytest.mark.parametrize("name", files("format"))
def test_noise_of_a_product_is_that_of_products_of_rounded_numbers(name: str) -> None:
    """Long dot products of two rounded factors, against those of the factors themselves."""
    formats = candidate(f"format={name}").format
    inputs, weights = gaussian(), np.roll(gaussian(), 1, axis=0)
    exact = (inputs * weights).sum(axis=1)
    found = (rounded(inputs, formats.activations) * rounded(weights, formats.weights)).sum(axis=1)
    noise = float(np.mean((found - exact) ** 2) / np.mean(exact**2))
    assert decibels(float(formats.noise())) == pytest.approx(decibels(noise), abs=NEAR_PRODUCTS)


def rounded(x: np.ndarray, form: NumberFormat) -> np.ndarray:
    if form.exponent_bits:
        return rounded_floating(x, int(form.exponent_bits), int(form.element_bits - 1 - form.exponent_bits))
    return rounded_in_blocks(x.reshape(-1, int(form.block)), int(form.element_bits)).reshape(x.shape)


@pytest.mark.parametrize("name", ["mxint8", "mxint4", "fp8", "bf16"])
def test_a_bit_more_is_six_decibels_less(name: str) -> None:
    """Twice as fine a step is exactly a quarter of the noise power."""
    form = number(name)
    finer = dataclasses.replace(form, element_bits=form.element_bits + 1)
    assert float(form.noise() / finer.noise()) == pytest.approx(4.0, rel=1e-9)


def test_larger_blocks_are_noisier() -> None:
    """The larger the block, the larger its largest, and the step with it."""
    noises = [
        float(dataclasses.replace(number("mxint8"), block=float(block)).noise()) for block in (8, 16, 32, 64, 128)
    ]
    assert noises == sorted(noises)
    assert noises[0] < noises[-1] < 4 * noises[0]
