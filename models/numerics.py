"""Number formats: what an element weighs, and how much noise it adds."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array

from models.fields import count


class NumberFormat(eqx.Module):
    """Elements that share a scale in blocks, with or without an exponent of their own.

    element_bits : bits of one element, sign included.
    exponent_bits : bits of the element's own exponent; 0 for integers and block floating point.
    block : elements that share a scale; scale_bits : bits of that scale, 0 where there is none.
    Source: OCP Microscaling Formats v1.0 for the MX family.
    """

    element_bits: Array = count()
    exponent_bits: Array = count(least=0)
    block: Array = count()
    scale_bits: Array = count(least=0)

    @property
    def bits(self) -> Array:
        """Bits per element, the shared scale counted."""
        return self.element_bits + self.scale_bits / self.block

    @property
    def bytes(self) -> Array:
        """Bytes per element, the shared scale counted."""
        return self.bits / 8

    def noise(self) -> Array:
        """Noise power over signal power for Gaussian values of unit power, rounded to nearest.

        The exponent j of the largest of k values has probability P(j) = F(2^(j+1)) - F(2^j), F(x) = (2 Phi(x) - 1)^k.
        The step is 2^(j - f) with f fraction bits, so noise = sum_j P(j) 4^(j - f) / 12. A block of k shares the
        exponent of its largest and has f = bits - 2 (sign and one bit before the point); an element with an exponent of
        its own has k = 1 and f = bits - 1 - exponent bits.
        Left out: underflow and overflow of the element's own exponent; clipping of the topmost half step.
        """
        floating = self.exponent_bits > 0
        fraction_bits = jnp.where(floating, self.element_bits - 1 - self.exponent_bits, self.element_bits - 2)
        sharing = jnp.where(floating, 1.0, self.block)
        exponent = jnp.arange(-12.0, 5.0)
        below = (2 * norm.cdf(2.0**exponent) - 1) ** sharing
        above = (2 * norm.cdf(2.0 ** (exponent + 1)) - 1) ** sharing
        return jnp.sum((above - below) * 4.0 ** (exponent - fraction_bits)) / 12


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

    def noise(self) -> Array:
        """Noise over signal of a product of two independent noisy factors: the noises add."""
        return self.weights.noise() + self.activations.noise()
