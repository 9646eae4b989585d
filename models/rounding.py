"""Noise of rounding to codes that share a scale, by sums over where the largest of a block and an element lie."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from models.values import Values

CELLS = 5  # an octave of a block's largest, and places of the deviation within one; good to 0.1 dB
LARGEST = np.arange(-3 * CELLS, 6 * CELLS)  # where the largest may lie, in cells: from 1/8 to 64 deviations
BINADES = np.arange(10)  # below the top one; what lies lower still has less than 4^-10 of the signal
EDGES = np.arange(LARGEST[0] - CELLS * len(BINADES), LARGEST[-1] + 2 * CELLS)  # wherever a binade may begin, in cells
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
    """Where the largest of a block lies, all [cell] and in deviations: its bounds, the top that its scale gives the
    codes, and the share of values below the edges of the codes' binades [cell, binade]."""

    lower: Any
    middle: Any
    upper: Any
    top: Any
    below: Any


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

    def placed(place: Any) -> Any:
        cells = _cells(values, codes, scale, coarse, place)
        chance = jnp.diff(values.below(cells.lower[1:]) ** scale.block, prepend=0.0, append=1.0)
        others = _below(cells, values, codes) / values.below(cells.middle)
        own = jnp.where(coarse, _anywhere(cells, codes), _met(cells, codes, scale))
        return jnp.sum(chance * (others * (1 - 1 / scale.block) + own / scale.block))

    return jnp.mean(jax.vmap(placed)(np.arange(1 if values.placed else CELLS)))


def _cells(values: Values, codes: Codes, scale: Scale, coarse: Any, place: Any) -> Cells:
    """A coarse scale moves by octaves, at powers of two or where the largest code no longer reaches; a fine one with
    the largest. Either way all edges of binades lie on one grid, so that their shares are looked up."""
    turn = jnp.where(coarse & (scale.fits > 0), codes.largest, 1.0)
    lower, middle, upper = (turn * 2.0 ** ((LARGEST + at) / CELLS) for at in (0.0, 0.5, 1.0))
    start = jnp.where(coarse, 1.0, 2.0 ** (0.5 / CELLS) / codes.largest)
    octave = LARGEST + CELLS - (LARGEST + place) % CELLS  # the power of two above
    above = jnp.where(coarse, octave, LARGEST)
    shares = values.below(start * 2.0 ** (EDGES / CELLS))
    return Cells(
        lower, middle, upper,
        top=start * 2.0 ** (above / CELLS),
        below=shares[above[:, None] - CELLS * BINADES - EDGES[0]],
    )  # fmt: skip


def _steps(codes: Codes, binade: Any) -> Any:
    """Squares of the steps of a binade, the top one being 0, in units of top."""
    return 4.0 ** -(jnp.minimum(binade, codes.binades - 1) + 1 + codes.fraction_bits)


def _below(cells: Cells, values: Values, codes: Codes) -> Any:
    """Noise power of the values below the largest [cell], those above counted as 0."""
    held = jnp.minimum(cells.middle, cells.top * codes.largest)
    below = jnp.minimum(cells.below, values.below(held)[:, None])
    gained = jnp.diff(_steps(codes, BINADES), prepend=0.0)  # over the binade above: a sum over binades, by parts
    over = cells.middle - held
    clipped = over**3 * sum(at**2 * values.density(held + at * over) for at in NODES) / 2
    found = cells.top**2 * (below @ gained) / 12 + clipped
    return jnp.minimum(found, values.power(cells.middle))


def _anywhere(cells: Cells, codes: Codes) -> Any:
    """Noise power of the largest itself under a coarse scale [cell]: it may lie anywhere in its cell."""
    width, largest = cells.upper - cells.lower, cells.top * codes.largest
    over = [jnp.maximum(edge - largest, 0.0) for edge in (cells.lower, cells.upper)]
    steps = cells.top**2 * _steps(codes, jnp.where(cells.middle < cells.top / 2, 1.0, 0.0))
    return (1 - (over[1] - over[0]) / width) * steps / 12 + (over[1] ** 3 - over[0] ** 3) / (3 * width)


def _met(cells: Cells, codes: Codes, scale: Scale) -> Any:
    """Noise power of the largest itself under a fine scale [cell]: it meets the largest code but for the rounding of
    the scale, whose significand, spread evenly in its logarithm, has a mean inverse square of 3 / (8 ln 2). Of a scale
    rounded down it keeps all that is missing, of one rounded up no more than half a step."""
    off = cells.middle**2 * 4.0**-scale.fraction_bits * 3 / (8 * np.log(2.0)) / 12
    return (off + jnp.minimum(off, cells.top**2 * _steps(codes, 0.0) / 12)) / 2
