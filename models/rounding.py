"""Noise of rounding to codes that share a scale, by sums over where the largest of a block and an element lie."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from models.values import Values

CELLS = 5  # an octave of a block's largest, and places of the deviation within one; more change less than 0.1 dB
LARGEST = np.arange(-3 * CELLS, 6 * CELLS)  # where the largest may lie, in cells: from 1/8 to 64 deviations
TOPS = np.arange(LARGEST[0] - CELLS, LARGEST[-1] + CELLS + 1)  # where the codes' top may then lie
BINADES = np.arange(10)  # below the top one; what lies lower still has less than 4^-10 of the signal
NODES = (0.5 - 12**-0.5, 0.5 + 12**-0.5)  # of Gauss and Legendre, each with half the weight, on 0 to 1


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


class Cells(NamedTuple):
    """Where the largest of a block lies [cell], in deviations: bounds and middle."""

    lower: Any
    middle: Any
    upper: Any


class Tops(NamedTuple):
    """What a scale makes of the codes [TOPS, or cell], in deviations: their top, the shares of values below it, below
    half of it and below the largest code, and the noise power of all values below the top if none were saturated."""

    top: Any
    below: Any
    below_half: Any
    kept: Any
    rounded: Any


def noise(values: Values, codes: Codes, scale: Scale) -> Any:
    """Noise power over signal power of values that are rounded to the nearest code.

        noise = sum_M P(M) ((k - 1) / k E[e^2(x) | x < M] + e^2(M) / k),   P(M) = F(upper)^k - F(lower)^k

    M : largest of a block of k, its range cut into cells; the others are then spread as all values below M are.
    e^2(x) : step(x)^2 / 12 up to the largest code, (x - largest)^2 above. A mean is taken over the places that the
    deviation may have among the powers of two.
    Exact but for the density, taken as even within a step, and for M, taken as the middle of its cell: not for steps
    as wide as the deviation, where the noise is only kept below the signal.
    """
    coarse = scale.fraction_bits < 1
    turn = jnp.where(
        coarse & (scale.fits > 0), codes.largest, 1.0
    )  # of top: where a power of two gives way to the next
    cells = Cells(*(turn * 2.0 ** ((LARGEST + at) / CELLS) for at in (0.0, 0.5, 1.0)))
    chance = jnp.diff(values.below(cells.lower[1:]) ** scale.block, prepend=0.0, append=1.0)
    tops = _tops(values, codes, jnp.where(coarse, 1.0, 2.0 ** (0.5 / CELLS) / codes.largest))

    def placed(place: Any) -> Any:
        octave = LARGEST + CELLS - (LARGEST + place) % CELLS  # the power of two above; a fine scale follows the largest
        chosen = jnp.where(coarse, octave, LARGEST) - TOPS[0]
        at = jax.tree.map(lambda column: column[chosen], tops)
        others = _others(cells, at, values, codes) / values.below(cells.middle)
        own = jnp.where(coarse, _anywhere(cells, at.top, codes), _met(cells, at.top, codes, scale))
        return jnp.sum(chance * (others * (1 - 1 / scale.block) + own / scale.block))

    return jnp.mean(jax.vmap(placed)(np.arange(1 if values.placed else CELLS)))


def _tops(values: Values, codes: Codes, start: Any) -> Tops:
    """Wherever tops may lie, in cells from `start`. All edges of binades lie on one grid, so that shares are looked up;
    the sum of share x step^2 over binades is one of share below x what step^2 gains on the binade above."""
    grid = np.arange(TOPS[0] - CELLS * len(BINADES), TOPS[-1] + 1)
    shares = values.below(start * 2.0 ** (grid / CELLS))
    below = shares[(TOPS - grid[0])[:, None] - CELLS * BINADES]
    top = start * 2.0 ** (TOPS / CELLS)
    rounded = top**2 / 12 * (below @ jnp.diff(_steps(codes, BINADES), prepend=0.0))
    return Tops(top, below[:, 0], below[:, 1], values.below(top * codes.largest), rounded)


def _steps(codes: Codes, binade: Any) -> Any:
    """Squares of the steps of a binade, the top one being 0, in units of top."""
    return 4.0 ** -(jnp.minimum(binade, codes.binades - 1) + 1 + codes.fraction_bits)


def _others(cells: Cells, at: Tops, values: Values, codes: Codes) -> Any:
    """Noise power of the values below the largest [cell], those above counted as 0."""
    held = jnp.minimum(cells.middle, at.top * codes.largest)
    share = jnp.minimum(values.below(cells.middle), at.kept)
    first, second = _steps(codes, BINADES[:2])
    missing = jnp.maximum(at.below - share, 0.0) * first + jnp.maximum(at.below_half - share, 0.0) * (second - first)
    over = cells.middle - held
    clipped = over**3 * sum(node**2 * values.density(held + node * over) for node in NODES) / 2
    return jnp.minimum(at.rounded - at.top**2 / 12 * missing + clipped, values.power(cells.middle))


def _anywhere(cells: Cells, top: Any, codes: Codes) -> Any:
    """Noise power of the largest itself under a coarse scale [cell]: it may lie anywhere in its cell."""
    width, largest = cells.upper - cells.lower, top * codes.largest
    over = [jnp.maximum(edge - largest, 0.0) for edge in (cells.lower, cells.upper)]
    steps = top**2 * _steps(codes, jnp.where(cells.middle < top / 2, 1.0, 0.0))
    return (1 - (over[1] - over[0]) / width) * steps / 12 + (over[1] ** 3 - over[0] ** 3) / (3 * width)


def _met(cells: Cells, top: Any, codes: Codes, scale: Scale) -> Any:
    """Noise power of the largest itself under a fine scale [cell]: it meets the largest code but for the rounding of
    the scale, whose significand, spread evenly in its logarithm, has a mean inverse square of 3 / (8 ln 2). Of a scale
    rounded down it keeps all that is missing, of one rounded up no more than half a step."""
    off = cells.middle**2 * 4.0**-scale.fraction_bits * 3 / (8 * np.log(2.0)) / 12
    return (off + jnp.minimum(off, top**2 * _steps(codes, 0.0) / 12)) / 2
