"""Traffic: how long prompts and answers are, how many users are served at once, how fast it must be."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from models.counts import floor
from models.fields import count, number


class Serving(eqx.Module):
    """A steady stream of requests.

    prompt, output : tokens of a request; users : sequences in flight on the whole machine;
    prefill_share : share of the prompts that this machine fills itself (0: another pool does, as vendors' figures of
    time per token assume); the two targets are upper limits; hits : share of a prompt that is in the cache when it
    comes, as a prefix that others had before.
    """

    prompt: Array = count()
    output: Array = count()
    users: Array = count()
    prefill_share: Array = number(most=1)
    time_to_first_token_target: Array = number("s", above=0)
    time_per_output_token_target: Array = number("s", above=0)
    hits: Array = number(most=1, default=0.0)

    @property
    def mean_context(self) -> Any:
        """Tokens that a decode step attends to, on average over an answer."""
        return self.prompt + self.output / 2

    @property
    def last_context(self) -> Any:
        """Tokens in the cache when an answer ends: what memory must hold."""
        return self.prompt + self.output

    @property
    def cached(self) -> Any:
        """Tokens of a prompt that need no filling: whole tokens, and not the last, whose answer is wanted."""
        return jnp.minimum(floor(self.hits * self.prompt), self.prompt - 1)

    @property
    def fresh(self) -> Any:
        """Tokens of a prompt that are filled."""
        return self.prompt - self.cached
