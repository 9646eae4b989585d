"""Attention without a past, as in diffusion transformers: all tokens of a group attend to all of it.

Nothing is kept from step to step, so no cache grows; keys and values of a step have the cache's format and tier.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

from jaxtyping import Array

from models.attention import ROTARY_OPS, SOFTMAX_OPS
from models.batch import Batch, Segment
from models.counts import ceil
from models.fields import count
from models.mixer import Mixer
from models.operators import AllReduce, Elementwise, Gather, Operator, Shuffle, WeightProduct, Work, attending
from models.parallelism import Cut, all_true, divides, one_divides_the_other


class Stream(NamedTuple):
    """Tokens that share weights: `into` projections to heads, of which `kept` are keys or values, and `out` back."""

    tokens: Any
    into: int
    kept: int
    out: int


class Group(NamedTuple):
    """A sequence falls into `groups`, in each of which `queries` tokens attend to `context` tokens."""

    groups: Any
    queries: Any
    context: Any


class VideoAttention(Mixer):
    """heads heads of head_dim, each with queries, keys and values of its own; `biased` is 1 where the four projections
    have biases. Norms of queries and keys are left out."""

    heads: Array = count()
    head_dim: Array = count()
    biased: Array = count(least=0, default=0.0)

    @abstractmethod
    def streams(self, batch: Batch) -> tuple[Stream, ...]:
        """The batch's tokens by the weights that they meet."""

    @abstractmethod
    def group(self, segment: Segment) -> Group:
        """Which tokens of a sequence attend to which."""

    @property
    def cache_heads(self) -> Any:
        return self.heads

    def parameters(self, hidden: Any) -> Any:
        """Weights and biases of all projections."""
        inner, found = self.heads * self.head_dim, 0.0
        for stream in self.streams(Batch((), 0.0)):
            found += (stream.into + stream.out) * hidden * inner
            found += self.biased * (stream.into * inner + stream.out * hidden)
        return found

    def cache_elements(self, context: Any) -> Any:
        return 0.0

    def held_cache_elements(self, context: Any, cut: Cut) -> Any:
        return 0.0

    def is_whole(self, cut: Cut) -> Any:
        return all_true(divides(cut.sequence, cut.tensor), one_divides_the_other(cut.heads, self.heads))

    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        local, streams = ceil(self.heads * self.head_dim / cut.tensor), self.streams(batch)
        products: tuple[Operator, ...] = tuple(
            WeightProduct(s.tokens, hidden, s.into * local, around=rotated(s.tokens * s.into * local)) for s in streams
        )
        for segment in batch.segments:
            products += self._attend(segment, cut)
        products += tuple(WeightProduct(s.tokens, local, hidden) for s in streams if s.out)
        kept = sum(s.tokens * s.kept for s in streams)
        queries = sum(s.tokens * s.out for s in streams)
        width = ceil(self.heads * self.head_dim / cut.heads)
        exchanges = (
            Shuffle(kept * local, cut.context_span),  # whole heads of a share of the tokens, for a share of all heads
            Gather(queries * width, cut.context_span),
            Gather(queries * width * (1 + 2 / self.head_dim), cut.context_span, 1.0),
            AllReduce(queries * hidden, cut.tensor_span),
        )
        return Work(products, exchanges)

    def _attend(self, segment: Segment, cut: Cut) -> tuple[Operator, ...]:
        """Scores and their sum of values, for the heads and the share of the context of one device."""
        groups, queries, tokens = self.group(segment)
        products = segment.sequences * groups * ceil(self.heads / cut.heads)
        context = ceil(tokens / cut.sequence)
        softmax = SOFTMAX_OPS * products * queries * context
        return attending(queries, self.head_dim, self.head_dim, context, products, softmax, queries)


def rotated(elements: Any) -> Elementwise:
    """Turning so many elements of queries and keys."""
    return Elementwise(ROTARY_OPS * elements, 2 * elements, 1.0)


def alike(batch: Batch) -> tuple[Stream, ...]:
    """All tokens with the same weights."""
    return (Stream(batch.tokens, 3, 2, 1),)


class FullAttention(VideoAttention):
    """All tokens of a video attend to all of them, and to the text that is among them."""

    def streams(self, batch: Batch) -> tuple[Stream, ...]:
        return alike(batch)

    def group(self, segment: Segment) -> Group:
        return Group(1.0, segment.tokens, segment.tokens)


class TwoStreamAttention(VideoAttention):
    """All tokens attend to all of them, those of text being projected by weights of their own."""

    def streams(self, batch: Batch) -> tuple[Stream, ...]:
        return Stream(batch.tokens - batch.text, 3, 2, 1), Stream(batch.text, 3, 2, 1)

    def group(self, segment: Segment) -> Group:
        return Group(1.0, segment.tokens, segment.tokens)


class SpatialAttention(VideoAttention):
    """Tokens attend to all of their own frame."""

    def streams(self, batch: Batch) -> tuple[Stream, ...]:
        return alike(batch)

    def group(self, segment: Segment) -> Group:
        inside = segment.tokens / segment.frames
        return Group(segment.frames, inside, inside)


class TemporalAttention(VideoAttention):
    """Tokens attend to those at their own place in all frames."""

    def streams(self, batch: Batch) -> tuple[Stream, ...]:
        return alike(batch)

    def group(self, segment: Segment) -> Group:
        return Group(segment.tokens / segment.frames, segment.frames, segment.frames)


class CrossAttention(VideoAttention):
    """Tokens of a video attend to those of the text beside them, whose keys and values are projected in every step."""

    def streams(self, batch: Batch) -> tuple[Stream, ...]:
        return Stream(batch.tokens, 1, 0, 1), Stream(batch.text, 2, 2, 0)

    def group(self, segment: Segment) -> Group:
        return Group(1.0, segment.tokens, segment.text)
