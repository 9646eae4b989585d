"""State-space layers: a state of constant size in the place of a cache that grows."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from models.batch import Batch, Segment
from models.block import NORM_OPS
from models.counts import ceil
from models.feedforward import GATE_OPS
from models.fields import count
from models.mixer import Mixer
from models.operators import AllReduce, CacheProduct, Elementwise, Operator, WeightProduct, Work
from models.parallelism import Cut, divides

DECAY_OPS = 3.0  # of each pair of tokens in a chunk: difference of sums, exponential, product


class StateSpace(Mixer):
    """heads of head_dim channels, each with a state of head_dim x state; groups share inputs to and outputs of states.

    A projection makes gate, channels x, state inputs B and outputs C (groups x state each) and steps (one a head); a
    short causal convolution runs over x, B and C. The scan goes by chunks of Q = min(chunk, tokens) tokens [Dao & Gu
    2024, arXiv 2405.21060, section 6], for a chunk and head (P = head_dim, N = state):

        C B^T           (Q, N) x (N, Q), once a group
        [decay * C B^T; decay * B^T] x    (Q + N, Q) x (Q, P): what the chunk itself gives, and its state
        C h             (Q, N) x (N, P): what the state before gives

    A decode step is a chunk of one. Every chunk reads and writes the state, state elements in the cache's format.
    Heads and groups are cut over `tensor`; where there are fewer groups than devices, B and C are made by several.
    A cut context helps none of this. Left out: a chunk's causal half, of which kernels skip a part; the room of B's and
    C's convolution inputs on devices that share a group; a norm over channels that other devices have.
    """

    heads: Array = count()
    head_dim: Array = count()
    state: Array = count()
    groups: Array = count()
    convolution: Array = count()
    chunk: Array = count()

    @property
    def cache_heads(self) -> Any:
        return self.heads

    @property
    def channels(self) -> Any:
        """Width of the layer inside."""
        return self.heads * self.head_dim

    @property
    def convolved(self) -> Any:
        """Channels of the convolution: x, B and C."""
        return self.channels + 2 * self.groups * self.state

    def parameters(self, hidden: Any) -> Any:
        """Weights of both projections, of the convolution with its bias, of the norm; three a head for decay, step and
        skip."""
        projected = hidden * (self.channels + self.convolved + self.heads)
        return projected + self.convolved * (self.convolution + 1) + 3 * self.heads + self.channels * (1 + hidden)

    def cache_elements(self, context: Any) -> Any:
        """The states and the last inputs of the convolution, however long the context is."""
        return self.channels * self.state + (self.convolution - 1) * self.convolved

    def held_cache_elements(self, context: Any, cut: Cut) -> Any:
        return self.cache_elements(context) / cut.tensor

    def is_whole(self, cut: Cut) -> Any:
        return divides(cut.tensor, self.heads)

    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        channels, groups = ceil(self.channels / cut.tensor), ceil(self.groups / cut.tensor)
        convolved = channels + 2 * groups * self.state
        columns = channels + convolved + ceil(self.heads / cut.tensor)
        sequences = sum(segment.sequences for segment in batch.segments)
        kept = sequences * (self.convolution - 1) * convolved
        mixed = batch.tokens * (2 * self.convolution * convolved + GATE_OPS * (convolved + channels))
        beside = Elementwise(mixed, 2 * batch.tokens * (convolved + channels), 2.0)
        products: tuple[Operator, ...] = (WeightProduct(batch.tokens, hidden, columns, kept, beside),)
        for segment in batch.segments:
            products += self._scan(segment, channels, groups)
        normed = Elementwise(NORM_OPS * batch.tokens * channels, 2 * batch.tokens * channels, 1.0)
        products += (WeightProduct(batch.tokens, channels, hidden, around=normed),)
        return Work(products, (AllReduce(batch.tokens * hidden, cut.tensor_span),))

    def _scan(self, segment: Segment, channels: Any, groups: Any) -> tuple[Operator, ...]:
        """The products of all chunks of a segment on one device."""
        length = jnp.minimum(self.chunk, segment.tokens)
        chunks = segment.total / length
        heads, states = chunks * channels / self.head_dim, chunks * channels * self.state
        within = DECAY_OPS * heads * length**2
        across = states + 2 * segment.total * channels  # the state decays; the skip
        return (
            CacheProduct(length, self.state, length, chunks * groups, vector_ops=within),
            CacheProduct(length + self.state, length, self.head_dim, heads, cache_written=states),
            CacheProduct(length, self.state, self.head_dim, heads, vector_ops=across),
        )
