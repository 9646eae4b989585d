"""Noise of rounding to codes that share a scale, by sums over where the largest of a block and an element lie."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from models.values import Values

CELLS = 4  # an octave of a block's largest; the noise is taken at the middle of each, which is good to 0.02 dB
LARGEST = jnp.arange(-5 * CELLS, 8 * CELLS)  # where the largest of a block may lie, in cells; in deviations -5 to 8
BINADES = jnp.arange(14)  # below the top one; a value that lies lower still has less noise than 4^-14 of the signal
NODES = ((0.5 - 0.15**0.5, 5 / 18), (0.5, 8 / 18), (0.5 + 0.15**0.5, 5 / 18))  # of Gauss and Legendre, on 0 to 1


class Codes(NamedTuple):
    """Magnitudes that an element can have, in units of `top`, the power of two above the largest.

    fraction_bits : the step is 2^-fraction_bits of a binade's lower end; binades : of normal numbers, below them the
    step stays; largest : of the magnitudes, above it values saturate.
    """

    fraction_bits: Any
    binades: Any
    largest: Any


class Scale(NamedTuple):
    """How a block of `block` elements is scaled: in powers of two where fraction_bits is 0, which are those of the
    largest element's exponent, or, where `fits`, the next that hold it; else so that the largest meets the largest."""

    block: Any
    fraction_bits: Any
    fits: Any


def noise(values: Values, codes: Codes, scale: Scale) -> Any:
    """Noise power of values of unit power that are rounded to the nearest code.

        noise = sum_M P(M) ((k - 1) / k E[e^2(x) | x < M] + e^2(M) / k),   P(M) = F(upper)^k - F(lower)^k

    M : largest of a block of k, its range cut into cells [cell]; the others are then spread as all values below M are.
    e^2(x) : step(x)^2 / 12 up to the largest code, (x - largest)^2 above.
    Exact but for the density, taken as even within a step, and for M, taken as the middle of its cell.
    """
    turn = jnp.where(scale.fits > 0, codes.largest, 1.0)  # where a power of two gives way to the next, of top
    middle = turn * 2.0 ** ((LARGEST + 0.5) / CELLS)
    inner = values.below(turn * 2.0 ** (LARGEST[1:] / CELLS)) ** scale.block
    chance = jnp.diff(inner, prepend=0.0, append=1.0)
    coarse = scale.fraction_bits < 1
    top = jnp.where(coarse, 2.0 ** jnp.ceil((LARGEST + 0.5) / CELLS), middle / codes.largest)
    others = _below(middle, top, values, codes) / values.below(middle)
    own = jnp.where(coarse, _own(middle, top, codes), _met(middle, top, codes, scale))
    return jnp.sum(chance * (others * (1 - 1 / scale.block) + own / scale.block))


def _step(top: Any, binade: Any, codes: Codes) -> Any:
    return top * 2.0 ** -(jnp.minimum(binade, codes.binades - 1) + 1 + codes.fraction_bits)


def _below(most: Any, top: Any, values: Values, codes: Codes) -> Any:
    """Noise power of the values up to `most` [cell], the others counted as 0."""
    held = jnp.minimum(most, top * codes.largest)
    edges = jnp.minimum(top[:, None] * 2.0**-BINADES, held[:, None])
    shares = jnp.diff(values.below(edges)[:, ::-1], prepend=0.0)[:, ::-1]
    rounded = jnp.sum(shares * _step(top[:, None], BINADES, codes) ** 2, axis=1) / 12
    over = most - held
    clipped = sum(weight * at**2 * values.density(held + at * over) for at, weight in NODES)
    return rounded + over**3 * clipped


def _own(largest: Any, top: Any, codes: Codes) -> Any:
    """Noise power of the largest itself under a power of two: it may lie anywhere in the octave."""
    binade = jnp.where(largest < top / 2, 1.0, 0.0)
    over = jnp.maximum(largest - top * codes.largest, 0.0)
    return jnp.where(over > 0, over**2, _step(top, binade, codes) ** 2 / 12)


def _met(largest: Any, top: Any, codes: Codes, scale: Scale) -> Any:
    """Noise power of the largest itself under a finer scale: it meets the largest code but for the scale's rounding.

    A significand that is spread evenly in its logarithm has a mean inverse square of 3 / (8 ln 2).
    """
    off = largest**2 * 4.0**-scale.fraction_bits * 3 / (8 * jnp.log(2.0)) / 12
    return jnp.minimum(off, _step(top, 0.0, codes) ** 2 / 12)
