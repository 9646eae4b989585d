"""Grouped-query attention (multi-head where every query head has its own keys) as operators."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from models.batch import Batch, Segment
from models.counts import ceil
from models.fields import count
from models.mixer import Mixer
from models.operators import AllReduce, Elementwise, Gather, Operator, WeightProduct, Work, attending
from models.parallelism import Cut, all_true, divides, one_divides_the_other
from models.reach import attended, reached

SOFTMAX_OPS = 5.0  # scale, running maximum, subtract, exponential, sum
ROTARY_OPS = 3.0  # two products and a sum per element


class GroupedQueryAttention(Mixer):
    """heads query heads of head_dim, in groups that share one of key_value_heads keys and values.

    window : a token attends to so many tokens at most, itself included; 0 where it attends to all before it.
    chunk : a token attends to those of its own chunk of so many tokens; 0 where there are no chunks.
    biased : 1 where queries, keys and values have biases, 0 where they have none; output_biased : likewise the output.
    norm_weights : weights of norms of queries and keys, all together.
    sinks : 1 where each head has a learned score that takes up attention.
    """

    heads: Array = count()
    key_value_heads: Array = count()
    head_dim: Array = count()
    window: Array = count(least=0, default=0.0)
    chunk: Array = count(least=0, default=0.0)
    biased: Array = count(least=0, default=0.0)
    output_biased: Array = count(least=0, default=0.0)
    norm_weights: Array = count(least=0, default=0.0)
    sinks: Array = count(least=0, default=0.0)

    def __check_init__(self) -> None:
        if isinstance(self.heads, (int, float)) and self.heads % self.key_value_heads:
            raise ValueError(
                f"heads: {self.heads:g} query heads do not divide into {self.key_value_heads:g} groups; "
                "key_value_heads must divide heads"
            )

    @property
    def cache_heads(self) -> Any:
        return self.key_value_heads

    def parameters(self, hidden: Any) -> Any:
        """Weights of the four projections, their biases, norms and sinks."""
        inner = self.heads + 2 * self.key_value_heads
        products = self.head_dim * (hidden * (self.heads + inner) + self.biased * inner)
        return products + self.output_biased * hidden + self.norm_weights + self.sinks * self.heads

    def _key_columns(self, cut: Cut) -> Any:
        """Columns of keys and values that a device computes: of its own heads, cut over those who share a context."""
        local = self.key_value_heads / jnp.minimum(cut.heads, self.key_value_heads)
        return 2 * local * self.head_dim / cut.sequence

    def repeated_parameters(self, hidden: Any, cut: Cut) -> Any:
        """Projections of keys and values, where a head is held more than once."""
        return hidden * (self._key_columns(cut) - 2 * self.key_value_heads * self.head_dim / cut.tensor)

    def cache_elements(self, context: Any) -> Any:
        return 2 * self.key_value_heads * self.head_dim * reached(context, self.window, self.chunk)

    def held_cache_elements(self, context: Any, cut: Cut) -> Any:
        """A device holds its heads' share of the context; with fewer heads than devices, heads are held twice."""
        return self.cache_elements(context) / (jnp.minimum(cut.heads, self.key_value_heads) * cut.sequence)

    def is_whole(self, cut: Cut) -> Any:
        shared = one_divides_the_other(cut.heads, self.key_value_heads)
        return all_true(divides(cut.sequence, cut.tensor), divides(cut.heads, self.heads), shared)

    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        width = ceil(self.heads * self.head_dim / cut.heads)
        products: tuple[Operator, ...] = (self._project_in(hidden, batch.tokens, cut),)
        for segment in batch.segments:
            products += self._attend(segment, cut)
        products += (WeightProduct(batch.tokens, ceil(self.heads * self.head_dim / cut.tensor), hidden),)
        exchanges = (
            Gather(batch.tokens * (width + self._key_columns(cut) * cut.sequence), cut.context_span),
            Gather(batch.tokens * width * (1 + 2 / self.head_dim), cut.context_span, 1.0),
            AllReduce(batch.tokens * hidden, cut.tensor_span),
        )
        return Work(products, exchanges)

    def _attend(self, segment: Segment, cut: Cut) -> tuple[Operator, ...]:
        """Scores and their sum of values, for the heads and the share of the context of one device."""
        local = ceil(self.key_value_heads / jnp.minimum(cut.heads, self.key_value_heads))
        products = segment.sequences * local
        queries = segment.tokens * ceil(self.heads / cut.heads) / local
        context = ceil(attended(segment, self.window, self.chunk) / cut.sequence)
        softmax = SOFTMAX_OPS * products * queries * context
        return attending(queries, self.head_dim, self.head_dim, context, products, softmax, segment.tokens)

    def _project_in(self, hidden: Any, tokens: Any, cut: Cut) -> WeightProduct:
        columns = ceil(self.heads * self.head_dim / cut.tensor + self._key_columns(cut))
        held = jnp.minimum(cut.heads, self.key_value_heads) * cut.sequence
        written = tokens * 2 * self.key_value_heads * self.head_dim / held
        kernels = 1.0 + jnp.where(self.norm_weights > 0, 1.0, 0.0)  # rotation, and norms of queries and keys
        around = Elementwise(ROTARY_OPS * tokens * columns, 2 * kernels * tokens * columns, kernels)
        return WeightProduct(tokens, hidden, columns, written, around)
