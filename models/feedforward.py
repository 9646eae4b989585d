"""Feed-forward layers as operators."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from models.fields import count
from models.operators import AllReduce, WeightProduct, Work

GATE_OPS = 5.0  # sigmoid of three, two products


class GatedFeedForward(eqx.Module):
    """Three projections, two up to `width` and one down, with a gate between (SwiGLU)."""

    width: Array = count()

    def parameters(self, hidden: Any) -> Any:
        """Weights of the three projections."""
        return 3 * hidden * self.width

    def work(self, hidden: Any, tokens: Any, tensor: Any) -> Work:
        """One layer's feed-forward of `tokens` tokens on one of `tensor` devices."""
        local = jnp.ceil(self.width / tensor)
        operators = (
            WeightProduct(tokens, hidden, 2 * local, vector_ops=GATE_OPS * tokens * local),
            WeightProduct(tokens, local, hidden),
        )
        return Work(operators, (AllReduce(tokens * hidden),))
