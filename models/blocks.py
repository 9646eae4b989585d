"""How many elements should share a scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from models.numerics import NumberFormat
from models.values import UNIT_GAUSSIAN

BLOCKS = 2.0 ** jnp.arange(1, 13)
Measure = Callable[[NumberFormat], Any]


def accuracy_per_bit(form: NumberFormat) -> Any:
    """Bits of accuracy for each bit stored: log4(signal / noise) / bits, the shared scale counted.

    Source of the question: Soloveychik et al., arXiv 2210.05470. Their scale is the next power of two that holds the
    largest (fitted_scale = 1), and at 4 bits they find 64; so does this measure.
    """
    return -jnp.log(form.noise(UNIT_GAUSSIAN)) / jnp.log(4.0) / form.bits


def accuracy_at_equal_bits(form: NumberFormat) -> Any:
    """Bits of accuracy less bits stored: what remains once the scale's bits are given back as bits of the element,
    each of which is worth a factor 4 of noise."""
    return -jnp.log(form.noise(UNIT_GAUSSIAN)) / jnp.log(4.0) - form.bits


def best_block(form: NumberFormat, measure: Measure = accuracy_per_bit) -> Any:
    """Elements, a power of two up to 4096, that should share a scale so that the measure is largest."""
    found = jax.vmap(lambda block: measure(dataclasses.replace(form, block=block)))(BLOCKS)
    return BLOCKS[jnp.argmax(found)]
