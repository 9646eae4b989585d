"""A decoder-only transformer as work: what a step computes, holds, moves and exchanges."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from models.attention import GroupedQueryAttention
from models.feedforward import GatedFeedForward
from models.fields import count
from models.operators import AllGather, WeightProduct, Work

NORM_OPS = 5.0  # square, sum, scale by the root, scale by the weight, residual sum
SAMPLED_ELEMENTS = 4.0  # best logit and its index, of each device


class Transformer(eqx.Module):
    """`layers` equal layers of attention and feed-forward between an embedding and a head.

    untied : 1 where the head has weights of its own, 0 where it shares the embedding's.
    """

    attention: GroupedQueryAttention
    feedforward: GatedFeedForward
    layers: Array = count()
    hidden: Array = count()
    vocabulary: Array = count()
    untied: Array = count(least=0)
    longest_context: Array = count()

    def layer_parameters(self) -> Any:
        """Weights of one layer, its two norms included."""
        own = self.attention.parameters(self.hidden) + self.feedforward.parameters(self.hidden)
        return own + 2 * self.hidden

    def embedding_parameters(self) -> Any:
        """Weights of the embedding table; the head, where it is untied, has as many again."""
        return self.vocabulary * self.hidden

    def parameters(self) -> Any:
        """All weights."""
        ends = (1 + self.untied) * self.embedding_parameters() + self.hidden
        return self.layers * self.layer_parameters() + ends

    def cache_elements(self) -> Any:
        """Elements of keys and values that one token leaves in all layers."""
        return self.layers * self.attention.cache_elements()

    def layer(self, tokens: Any, sequences: Any, context: Any, tensor: Any) -> Work:
        """One layer on one of `tensor` devices: `tokens` new tokens of `sequences` sequences."""
        attention = self.attention.work(self.hidden, tokens, sequences, context, tensor)
        feedforward = self.feedforward.work(self.hidden, tokens, tensor)
        operators = attention.operators + feedforward.operators
        normed = operators[0]._replace(vector_ops=operators[0].vector_ops + 2 * NORM_OPS * tokens * self.hidden)
        return Work((normed, *operators[1:]), attention.exchanges + feedforward.exchanges)

    def head(self, tokens: Any, tensor: Any) -> Work:
        """The last norm and the projection to the vocabulary, for `tokens` tokens that are sampled."""
        columns = jnp.ceil(self.vocabulary / tensor)
        vector_ops = tokens * (NORM_OPS * self.hidden + columns)
        product = WeightProduct(tokens, self.hidden, columns, vector_ops=vector_ops)
        return Work((product,), (AllGather(tokens * SAMPLED_ELEMENTS * tensor),))

    def held_parameters(self, tensor: Any, layers: Any) -> Any:
        """Weights on one of `tensor` devices of a stage with `layers` layers and an end; with all layers, both ends."""
        end = self.embedding_parameters()
        ends = jnp.where(layers < self.layers, end, (1 + self.untied) * end) + self.hidden
        return (layers * self.layer_parameters() + ends) / tensor

    def held_cache_elements(self, tensor: Any, layers: Any) -> Any:
        """Elements of keys and values that one token leaves on one of `tensor` devices in `layers` layers."""
        return layers * self.attention.cache_elements() / tensor
