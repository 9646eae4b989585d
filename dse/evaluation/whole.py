"""The largest whole number that still holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def largest(holds: Callable[[Any], tuple[Any, Any]], most: Any, otherwise: Any) -> tuple[Any, Any]:
    """The largest whole number from 1 to `most` that holds, and what `holds` says of it beside; 0 and `otherwise`
    where not even 1 does.

    Halved between a number that holds and one that does not, so it must hold up to some number and not beyond. It is
    no function to differentiate: derivatives through it are 0.
    """

    def halved(between: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        kept, lost, found = between
        middle = jnp.floor((kept + lost) / 2)
        held, said = holds(middle)
        found = jax.tree.map(lambda new, old: jnp.where(held, new, old), said, found)
        return jnp.where(held, middle, kept), jnp.where(held, lost, middle), found

    first = jnp.zeros_like(jnp.asarray(most, float))
    start = (first, jnp.maximum(0.0, jnp.floor(most)) + 1, jax.tree.map(lambda leaf: leaf + first, otherwise))
    kept, _, found = jax.lax.while_loop(lambda between: between[1] - between[0] > 1, halved, start)
    return kept, found


def constant(tree: Any) -> Any:
    """The same with every leaf as a constant to differentiation."""
    return jax.tree.map(lambda leaf: jax.lax.stop_gradient(jnp.asarray(leaf, float)), tree)
