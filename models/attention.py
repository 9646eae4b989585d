"""Grouped-query attention (multi-head where every query head has its own keys) as operators."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from models.batch import Batch, Segment
from models.fields import count
from models.mixer import Mixer
from models.operators import AllReduce, CacheProduct, Gather, Operator, WeightProduct, Work
from models.parallelism import Cut, all_true, divides, one_divides_the_other

SOFTMAX_OPS = 5.0  # scale, running maximum, subtract, exponential, sum
ROTARY_OPS = 3.0  # two products and a sum per element


def windowed(segment: Segment, window: Any) -> Any:
    """Tokens that each new token attends to, itself included, on average: those before it, at most `window` of them.

    sum over i = 1..n of min(past + i, window), over n
    """
    n, past = segment.tokens, segment.past
    growing = jnp.clip(window - past, 0.0, n)  # tokens that still see everything before them
    return (growing * past + growing * (growing + 1) / 2 + (n - growing) * window) / n


class GroupedQueryAttention(Mixer):
    """heads query heads of head_dim, in groups that share one of key_value_heads keys and values.

    window : a token attends to so many tokens at most, itself included; 0 where it attends to all before it.
    biased : 1 where queries, keys and values have biases, 0 where they have none.
    """

    heads: Array = count()
    key_value_heads: Array = count()
    head_dim: Array = count()
    window: Array = count(least=0, default=0.0)
    biased: Array = count(least=0, default=0.0)

    def __check_init__(self) -> None:
        if isinstance(self.heads, (int, float)) and self.heads % self.key_value_heads:
            raise ValueError(
                f"heads: {self.heads:g} query heads do not divide into {self.key_value_heads:g} groups; "
                "key_value_heads must divide heads"
            )

    @property
    def cache_heads(self) -> Any:
        return self.key_value_heads

    def _widest(self) -> Any:
        """The window, endless where there is none."""
        return jnp.where(self.window > 0, self.window, jnp.inf)

    def attended(self, segment: Segment) -> Any:
        """Tokens that each new token attends to, itself included, on average."""
        everything = segment.past + (segment.tokens + 1) / 2
        return jnp.where(self.window > 0, windowed(segment, self.window), everything)

    def parameters(self, hidden: Any) -> Any:
        """Weights of the four projections, and biases of three."""
        inner = self.heads + 2 * self.key_value_heads
        return self.head_dim * (hidden * (self.heads + inner) + self.biased * inner)

    def cache_elements(self, context: Any) -> Any:
        return 2 * self.key_value_heads * self.head_dim * jnp.minimum(context, self._widest())

    def held_cache_elements(self, context: Any, cut: Cut) -> Any:
        """A device holds its heads' share of the context; with fewer heads than devices, heads are held twice."""
        return self.cache_elements(context) / (jnp.minimum(cut.heads, self.key_value_heads) * cut.sequence)

    def is_whole(self, cut: Cut) -> Any:
        shared = one_divides_the_other(cut.heads, self.key_value_heads)
        return all_true(divides(cut.sequence, cut.tensor), divides(cut.heads, self.heads), shared)

    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        width = jnp.ceil(self.heads * self.head_dim / cut.heads)
        products: tuple[Operator, ...] = (self._project_in(hidden, batch.tokens, cut),)
        for segment in batch.segments:
            products += self._attend(segment, cut)
        products += (WeightProduct(batch.tokens, jnp.ceil(self.heads * self.head_dim / cut.tensor), hidden),)
        exchanges = (
            Gather(batch.tokens * width, cut.context_span),
            Gather(batch.tokens * width * (1 + 2 / self.head_dim), cut.context_span, 1.0),
            AllReduce(batch.tokens * hidden, cut.tensor_span),
        )
        return Work(products, exchanges)

    def _attend(self, segment: Segment, cut: Cut) -> tuple[Operator, ...]:
        """Scores and their sum of values, for the heads and the share of the context of one device."""
        local = jnp.ceil(self.key_value_heads / jnp.minimum(cut.heads, self.key_value_heads))
        products = segment.sequences * local
        queries = segment.tokens * jnp.ceil(self.heads / cut.heads) / local
        context = jnp.ceil(self.attended(segment) / cut.sequence)
        softmax = SOFTMAX_OPS * products * queries * context
        return (
            CacheProduct(queries, self.head_dim, context, products, vector_ops=softmax),
            CacheProduct(queries, context, self.head_dim, products),
        )

    def _project_in(self, hidden: Any, tokens: Any, cut: Cut) -> WeightProduct:
        columns = jnp.ceil((self.heads + 2 * self.key_value_heads) * self.head_dim / cut.tensor)
        held = jnp.minimum(cut.heads, self.key_value_heads) * cut.sequence
        written = tokens * 2 * self.key_value_heads * self.head_dim / held
        return WeightProduct(tokens, hidden, columns, written, ROTARY_OPS * tokens * columns)
