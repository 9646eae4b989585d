"""Number formats: what an element weighs, and how much noise it adds."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from models import rounding
from models.counts import floor
from models.fields import count
from models.values import GAUSSIAN, Values

TENSOR = 2.0**24  # elements under one scale where a format has none for blocks; 4096 x 4096


class NumberFormat(eqx.Module):
    """Elements that share a scale in blocks, with or without an exponent of their own.

    element_bits : bits of one element, sign included.
    exponent_bits : bits of the element's own exponent; 0 for integers and block floating point.
    block : elements that share a scale; scale_bits : bits of that scale, 0 where one scale serves a whole tensor.
    scale_fraction_bits : fraction bits of the scale, 0 for powers of two.
    fitted_scale : 1 where a power of two is raised until the largest element fits; 0 where it has the exponent of the
    largest, and what lies above the largest code saturates, as in OCP Microscaling.
    reserved_codes : magnitudes that stand for infinity and NaN, above the largest number.
    Source: OCP Microscaling Formats v1.0 for the MX family, OCP 8-bit floating point v1.0 for FP8.
    """

    element_bits: Array = count()
    exponent_bits: Array = count(least=0)
    block: Array = count()
    scale_bits: Array = count(least=0)
    scale_fraction_bits: Array = count(least=0, default=0.0)
    fitted_scale: Array = count(least=0, default=0.0)
    reserved_codes: Array = count(least=0, default=0.0)

    @property
    def bits(self) -> Array:
        """Bits per element, the shared scale counted."""
        return self.element_bits + self.scale_bits / self.block

    @property
    def bytes(self) -> Array:
        """Bytes per element, the shared scale counted."""
        return self.bits / 8

    def codes(self) -> rounding.Codes:
        """Step, binades and largest of the magnitudes.

        Codes count up through e exponent and f fraction bits, so the largest, 2^(bits - 1) - 1 - reserved, over 2^f
        has the binades of normal numbers before its point and the fraction of its significand after it. Integers are
        one such binade and as many steps below it.
        """
        exponent_bits = jnp.maximum(self.exponent_bits, 1.0)
        fraction_bits = jnp.maximum(self.element_bits - 1 - exponent_bits, 0.0)
        code = jnp.maximum(2.0 ** (self.element_bits - 1) - 1 - self.reserved_codes, 1.0)
        binades = jnp.maximum(floor((code + 0.5) / 2.0**fraction_bits), 1.0)
        largest = (1 + code / 2.0**fraction_bits - binades) / 2
        return rounding.Codes(fraction_bits, binades, largest)

    def noise(self, values: Values = GAUSSIAN) -> Array:
        """Noise power over signal power of independent values, rounded to nearest.

        Equation: models.rounding.noise. Without a scale of blocks, one fine scale serves a tensor of 2^24.
        Left out: range of the scale; a zero point; correlation of neighbours, outlier channels.
        """
        blocks = self.scale_bits > 0
        scale = rounding.Scale(
            block=jnp.where(blocks, self.block, TENSOR),
            fraction_bits=jnp.where(blocks, self.scale_fraction_bits, 23.0),
            fits=self.fitted_scale,
        )
        return rounding.noise(values, self.codes(), scale)


class Formats(eqx.Module):
    """Which format each kind of number has.

    exchange : partial sums on the links; gathered : sums that are passed on as inputs of the next product;
    experts : weights of experts, where they have a format of their own.
    """

    weights: NumberFormat
    activations: NumberFormat
    cache: NumberFormat
    exchange: NumberFormat
    gathered: NumberFormat
    experts: NumberFormat | None = None

    @property
    def expert_weights(self) -> NumberFormat:
        """The format of weights of experts: that of all weights where nothing else is said."""
        return self.weights if self.experts is None else self.experts

    def noise(self, values: Values = GAUSSIAN, experts: Array | float = 0.0) -> Array:
        """Noise over signal of a product of two independent noisy factors: the noises add.

        experts : share of the weights that a token meets in experts, where these have a format of their own.
        """
        weights = self.weights.noise(values)
        if self.experts is not None:
            weights = (1 - experts) * weights + experts * self.experts.noise(values)
        return weights + self.activations.noise(values)

    def cache_noise(self, values: Values = GAUSSIAN) -> Array:
        """Noise over signal of a product of activations with keys or values out of the cache."""
        return self.cache.noise(values) + self.activations.noise(values)

    def exchange_noise(self) -> Array:
        """Noise over signal of a sum whose parts met on the links, and that is then passed on.

        Parts of equal power, each with noise of its own, have a sum with the same noise over signal; sums of many terms
        are Gaussian. A product that is not cut over chips has none of it.
        """
        return self.exchange.noise() + self.gathered.noise()
