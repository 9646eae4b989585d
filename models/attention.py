"""Grouped-query attention (multi-head where every query head has its own keys) as operators."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from models.fields import count
from models.operators import AllReduce, CacheProduct, ContextGather, ContextScatter, WeightProduct, Work
from models.parallelism import attention_shards

SOFTMAX_OPS = 5.0  # scale, running maximum, subtract, exponential, sum
ROTARY_OPS = 3.0  # two products and a sum per element


class GroupedQueryAttention(eqx.Module):
    """heads query heads of head_dim, in groups that share one of key_value_heads keys and values."""

    heads: Array = count()
    key_value_heads: Array = count()
    head_dim: Array = count()

    def __check_init__(self) -> None:
        if isinstance(self.heads, (int, float)) and self.heads % self.key_value_heads:
            raise ValueError(
                f"heads: {self.heads:g} query heads do not divide into {self.key_value_heads:g} groups; "
                "key_value_heads must divide heads"
            )

    def parameters(self, hidden: Any) -> Any:
        """Weights of the four projections."""
        return hidden * self.head_dim * (2 * self.heads + 2 * self.key_value_heads)

    def cache_elements(self) -> Any:
        """Elements of keys and values that one token leaves in one layer."""
        return 2 * self.key_value_heads * self.head_dim

    def work(self, hidden: Any, tokens: Any, sequences: Any, context: Any, tensor: Any) -> Work:
        """One layer's attention on one of `tensor` devices.

        tokens : new tokens in all; sequences : sequences they belong to; context : tokens that each new token attends
        to, itself included (for a causal prefill the mean over its tokens).
        """
        shards = attention_shards(tensor, self.key_value_heads)
        group = self.heads / self.key_value_heads
        local_heads = jnp.ceil(self.key_value_heads / shards.heads)
        products = sequences * local_heads
        queries = tokens / sequences * group
        local_context = jnp.ceil(context / shards.context)
        local_width = self.heads * self.head_dim / shards.heads
        scored = products * queries * local_context
        operators = (
            self._project_in(hidden, tokens, tensor),
            CacheProduct(queries, self.head_dim, local_context, products, SOFTMAX_OPS * scored),
            CacheProduct(queries, local_context, self.head_dim, products),
            self._project_out(hidden, tokens, tensor),
        )
        exchanges = (
            ContextGather(tokens * local_width),
            ContextScatter(tokens * local_width * (1 + 2 / self.head_dim)),
            AllReduce(tokens * hidden),
        )
        return Work(operators, exchanges)

    def _project_in(self, hidden: Any, tokens: Any, tensor: Any) -> WeightProduct:
        columns = jnp.ceil((self.heads + 2 * self.key_value_heads) * self.head_dim / tensor)
        written = tokens * self.cache_elements() / tensor
        return WeightProduct(tokens, hidden, columns, written, ROTARY_OPS * tokens * columns)

    def _project_out(self, hidden: Any, tokens: Any, tensor: Any) -> WeightProduct:
        return WeightProduct(tokens, jnp.ceil(self.heads * self.head_dim / tensor), hidden)
