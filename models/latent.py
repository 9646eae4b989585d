"""Multi-latent attention: keys and values of all heads are kept as one latent vector a token."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from models.attention import ROTARY_OPS, SOFTMAX_OPS
from models.batch import Batch, Segment
from models.block import NORM_OPS
from models.counts import ceil
from models.fields import count, number
from models.mixer import Mixer
from models.operators import AllReduce, Elementwise, Gather, Operator, WeightProduct, Work, attending
from models.parallelism import Cut, all_true, divides


class LatentAttention(Mixer):
    """heads query heads over latents of latent_rank, with plain_dim + rotary_dim a query and value_dim a value.

    The cache is a latent and one rotary key for all heads, latent_rank + rotary_dim a token. Two forms give the same:
      absorbed : each head's query is taken into the latent space, which all heads then share as keys and values; with
      the rank r it costs, a head, tokens [r (plain_dim + value_dim) + attended (2 r + rotary_dim)] products;
      expanded : keys and values of each head are made from the latents, those of a cached prefix too; it costs
      (past + tokens) r (plain_dim + value_dim) + tokens attended (plain_dim + rotary_dim + value_dim).
    Each segment takes the form that costs less. expanded_weight : what an operation of the expanded form counts in that
    comparison, 1 as any other; 0 forces the expanded form, a large number the absorbed one.

    Heads are cut over `cut.heads` devices; each of those holds all latents, or their share where `cut.sequence` devices
    cut the context. The projections down to latents, which all heads need, are done by every device that shares a
    token. A prompt reads expanded keys and values as it would a cache.
    Left out: the room of weights that are thus held more than once.
    Source: DeepSeek-V2 (arXiv 2405.04434), section 2.1.
    """

    heads: Array = count()
    query_rank: Array = count()
    latent_rank: Array = count()
    plain_dim: Array = count()
    rotary_dim: Array = count()
    value_dim: Array = count()
    expanded_weight: Array = number(default=1.0)

    @property
    def cache_heads(self) -> Any:
        return 1.0

    @property
    def kept(self) -> Any:
        """Elements that a token leaves in the cache."""
        return self.latent_rank + self.rotary_dim

    @property
    def key_dim(self) -> Any:
        """Elements of an expanded key."""
        return self.plain_dim + self.rotary_dim

    def parameters(self, hidden: Any) -> Any:
        """Weights of the projections down to and up from both latents, of their norms, and of the output."""
        down = hidden * (self.query_rank + self.kept) + self.query_rank + self.latent_rank
        up = self.query_rank * self.key_dim + self.latent_rank * (self.plain_dim + self.value_dim)
        return down + self.heads * (up + self.value_dim * hidden)

    def cache_elements(self, context: Any) -> Any:
        return self.kept * context

    def held_cache_elements(self, context: Any, cut: Cut) -> Any:
        """A device holds its share of the context, for whatever heads it has."""
        return self.kept * context / cut.sequence

    def is_whole(self, cut: Cut) -> Any:
        return all_true(divides(cut.sequence, cut.tensor), divides(cut.heads, self.heads))

    def absorbs(self, segment: Segment) -> Any:
        """True where the absorbed form costs no more."""
        seen, tokens, r = segment.past + (segment.tokens + 1) / 2, segment.tokens, self.latent_rank
        projected = r * (self.plain_dim + self.value_dim)
        absorbed = tokens * (projected + seen * (2 * r + self.rotary_dim))
        expanded = (segment.past + tokens) * projected + tokens * seen * (self.key_dim + self.value_dim)
        return absorbed <= expanded * self.expanded_weight

    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        tokens, local = batch.tokens, ceil(self.heads / cut.heads)
        products: tuple[Operator, ...] = self._project_in(hidden, tokens, cut)
        absorbed = 0.0
        for segment in batch.segments:
            products += self._attend(segment, cut)
            absorbed = absorbed + jnp.where(self.absorbs(segment), segment.total, 0.0)
        products += (WeightProduct(tokens, ceil(self.heads * self.value_dim / cut.tensor), hidden),)
        asked = absorbed * self.kept + (tokens - absorbed) * self.key_dim
        given = absorbed * self.latent_rank + (tokens - absorbed) * self.value_dim
        exchanges = (
            Gather(local * asked, cut.context_span),
            Gather(local * (given + 2 * tokens), cut.context_span, 1.0),
            AllReduce(tokens * hidden, cut.tensor_span),
        )
        return Work(products, exchanges)

    def _project_in(self, hidden: Any, tokens: Any, cut: Cut) -> tuple[Operator, ...]:
        """Down to the latents of queries, keys and values, which are kept; and up to the queries."""
        down = self.query_rank + self.kept
        columns = ceil(self.heads * self.key_dim / cut.tensor)
        latents = tokens * (self.query_rank + self.latent_rank)
        turned = tokens * (columns * self.rotary_dim / self.key_dim + self.rotary_dim)
        normed = Elementwise(NORM_OPS * latents, 2 * latents, 1.0)
        rotated = Elementwise(ROTARY_OPS * turned, 2 * turned, 1.0)
        return (
            WeightProduct(tokens, hidden, down, tokens * self.kept / cut.sequence, normed),
            WeightProduct(tokens, self.query_rank, columns, around=rotated),
        )

    def _attend(self, segment: Segment, cut: Cut) -> tuple[Operator, ...]:
        """Both products with the weights that lead up from the latents, and both with the context.

        absorbed: queries into the latent space, scores, sums, and those out of it; all heads share the latents, which
        are fetched once. expanded: keys, scores, sums of values, values, for each head by itself.
        """
        absorbed, r, local = self.absorbs(segment), self.latent_rank, ceil(self.heads / cut.heads)
        seen = ceil((segment.past + (segment.tokens + 1) / 2) / cut.sequence)
        context = segment.sequences * (segment.past + segment.tokens) / cut.sequence
        own = ceil(self.heads / cut.tensor)
        products = segment.sequences * jnp.where(absorbed, 1.0, local)
        queries = segment.tokens * jnp.where(absorbed, local, 1.0)
        softmax = SOFTMAX_OPS * products * queries * seen

        def either(one: Any, other: Any) -> Any:
            return jnp.where(absorbed, one, other)

        keys = WeightProduct(
            either(segment.total, context), either(self.plain_dim, r), either(own * r, local * self.plain_dim)
        )
        values = WeightProduct(either(segment.total, context), r, either(own, local) * self.value_dim)
        key, value = either(self.kept, self.key_dim), either(r, self.value_dim)
        there = either(value / (key + value), 0.0)  # half of both, since one kernel does both with what it fetches
        scores, sums = attending(queries, key, value, seen, products, softmax, segment.tokens, there)
        return keys, scores, sums, values
