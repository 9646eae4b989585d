"""How far a token sees: everything before it, a window that moves with it, or its own chunk."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from models.batch import Segment
from models.counts import floor


def attended(segment: Segment, window: Any, chunk: Any) -> Any:
    """Tokens that each new token attends to, itself included, on average; window and chunk 0 where there are none."""
    everything = segment.past + (segment.tokens + 1) / 2
    seen = jnp.where(window > 0, windowed(segment, window), everything)
    return jnp.where(chunk > 0, chunked(segment, jnp.maximum(chunk, 1.0)), seen)


def reached(context: Any, window: Any, chunk: Any) -> Any:
    """Tokens of a context that are kept, since some token may still attend to them."""
    seen = jnp.where(window > 0, jnp.minimum(context, window), context)
    return jnp.where(chunk > 0, jnp.minimum(seen, chunk), seen)


def windowed(segment: Segment, window: Any) -> Any:
    """Tokens that each new token attends to, itself included, on average: those before it, at most `window` of them.

    sum over i = 1..n of min(past + i, window), over n
    """
    n, past = segment.tokens, segment.past
    growing = jnp.clip(window - past, 0.0, n)  # tokens that still see everything before them
    return (growing * past + growing * (growing + 1) / 2 + (n - growing) * window) / n


def chunked(segment: Segment, chunk: Any) -> Any:
    """Tokens that each new token attends to, itself included, on average: those of its chunk that come before it.

        (F(past + n) - F(past)) / n,   F(m) = sum over i < m of (i mod chunk) + 1 = q c (c + 1) / 2 + r (r + 1) / 2

    with m = q c + r. A step of one token stands at one place of its chunk; the mean over an answer that ends in another
    chunk is left out.
    """

    def before(tokens: Any) -> Any:
        full = floor(tokens / chunk)
        rest = tokens - full * chunk
        return full * chunk * (chunk + 1) / 2 + rest * (rest + 1) / 2

    return (before(segment.past + segment.tokens) - before(segment.past)) / segment.tokens
