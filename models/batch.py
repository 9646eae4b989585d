"""What takes a step together: sequences with their new tokens."""

from __future__ import annotations

from typing import Any, NamedTuple


class Segment(NamedTuple):
    """`sequences` alike, each with `tokens` new tokens after `past` that are in its cache already.

    A decode step is one token after the context so far; a prompt is all its tokens after none, or after a prefix that
    is in the cache; a chunk of a prompt is some of them after those before. A video is all its tokens after none.
    text : tokens of text that describe each sequence, counted among `tokens` where they pass through the layers too;
    frames : over which the tokens of a video are spread.
    """

    sequences: Any
    tokens: Any
    past: Any = 0.0
    text: Any = 0.0
    frames: Any = 1.0

    @property
    def total(self) -> Any:
        """New tokens of all sequences."""
        return self.sequences * self.tokens


class Batch(NamedTuple):
    """Segments that pass through the layers at once, so that weights are fetched once for all of them.

    sampled : tokens that the head reads.
    """

    segments: tuple[Segment, ...]
    sampled: Any

    @property
    def tokens(self) -> Any:
        """New tokens of all segments."""
        return sum(segment.total for segment in self.segments)

    @property
    def text(self) -> Any:
        """Tokens of text that describe all sequences."""
        return sum(segment.sequences * segment.text for segment in self.segments)

    @property
    def sequences(self) -> Any:
        """Sequences of all segments."""
        return sum(segment.sequences for segment in self.segments)
