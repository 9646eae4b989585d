"""How the values that are rounded are spread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.scipy.special import erf


class Values(NamedTuple):
    """Independent values, symmetric about 0; magnitudes x are told in deviations, so that their power is 1.

    below : share of the values whose magnitude is less than x; density : its slope; power : of those values.
    placed : whether the deviation is a power of two; else it lies anywhere between two of them, evenly in its
    logarithm. Scales that are powers of two differ by a decibel or two between its places.
    """

    below: Callable[[Any], Any]
    density: Callable[[Any], Any]
    power: Callable[[Any], Any]
    placed: bool = False


def _student_below(x: Any) -> Any:
    """P(|X| < x) = (2 / pi) (a + sin a (cos a + 2/3 cos^3 a)) with tan a = x / sqrt 3, as 5 degrees of freedom have."""
    angle = jnp.arctan(x / jnp.sqrt(3.0))
    cosine = jnp.cos(angle)
    return (angle + jnp.sin(angle) * (cosine + 2 / 3 * cosine**3)) * 2 / jnp.pi


def _student_density(x: Any) -> Any:
    return 16 / (3 * jnp.pi * jnp.sqrt(3.0)) * (1 + x**2 / 3) ** -3


def _gaussian_below(x: Any) -> Any:
    return erf(x / jnp.sqrt(2.0))


def _gaussian_density(x: Any) -> Any:
    return jnp.sqrt(2 / jnp.pi) * jnp.exp(-(x**2) / 2)


def _gaussian_power(x: Any) -> Any:
    return _gaussian_below(x) - x * _gaussian_density(x)


GAUSSIAN = Values(_gaussian_below, _gaussian_density, _gaussian_power)
UNIT_GAUSSIAN = GAUSSIAN._replace(placed=True)


def _student_power(x: Any) -> Any:
    angle = jnp.arctan(x / jnp.sqrt(3.0))
    return (angle - jnp.sin(4 * angle) / 4) * 2 / jnp.pi


# Student's t with 5 degrees of freedom, scaled to unit power: what weights and activations of large language models
# are closest to. Source: Dotzel et al., Learning from Students, ICML 2024, arXiv 2405.03103 (30 networks).
HEAVY_TAILED = Values(_student_below, _student_density, _student_power)
