"""How many elements should share a scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from models.numerics import NumberFormat
from models.values import UNIT_GAUSSIAN, Values

BLOCKS = 2.0 ** jnp.arange(1, 13)
Measure = Callable[[NumberFormat, Values], Any]


def accuracy_per_bit(form: NumberFormat, values: Values = UNIT_GAUSSIAN) -> Any:
    """Bits of accuracy for each bit stored: log4(signal / noise) / bits, the shared scale counted.

    Source of the question: Soloveychik et al., arXiv 2210.05470. Their scale is the next power of two that holds the
    largest (fitted_scale = 1), and of 4 bits of deviation 1 they find 64 the best block; so does this measure.
    """
    return accuracy(form, values) / form.bits


def accuracy_at_equal_bits(form: NumberFormat, values: Values = UNIT_GAUSSIAN) -> Any:
    """Bits of accuracy less bits stored: what remains once the scale's bits are given back as bits of the element,
    each of which is worth a factor 4 of noise."""
    return accuracy(form, values) - form.bits


def accuracy(form: NumberFormat, values: Values) -> Any:
    """Bits of accuracy: log4(signal / noise), as each bit more is a quarter of the noise."""
    return -jnp.log(form.noise(values)) / jnp.log(4.0)


def best_block(form: NumberFormat, measure: Measure = accuracy_per_bit, values: Values = UNIT_GAUSSIAN) -> Any:
    """Elements, a power of two up to 4096, that should share a scale so that the measure is largest."""
    found = jax.vmap(lambda block: measure(dataclasses.replace(form, block=block), values))(BLOCKS)
    return BLOCKS[jnp.argmax(found)]
