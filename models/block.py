"""A block: equal layers, each a mixer and a feed-forward."""

from __future__ import annotations

from typing import Any

import equinox as eqx
from jaxtyping import Array

from models.batch import Batch
from models.feedforward import FeedForward
from models.fields import count
from models.mixer import Mixer
from models.operators import Work
from models.parallelism import Cut

NORM_OPS = 5.0  # square, sum, scale by the root, scale by the weight, residual sum


class Block(eqx.Module):
    """`layers` equal layers, each a mixer and a feed-forward.

    text : the feed-forward of the text among the tokens, where it has one of its own.
    turns : sets of the weights, of which each pass meets one, as where other weights remove the first noise of a video
    than the last; those of the others are held as those of experts are.
    """

    mixer: Mixer
    feedforward: FeedForward
    layers: Array = count()
    text: FeedForward | None = None
    turns: Array = count(default=1.0)

    def parameters(self, hidden: Any) -> Any:
        """Weights of one layer that every token meets, its two norms included."""
        text = 0.0 if self.text is None else self.text.parameters(hidden)
        return self.mixer.parameters(hidden) + self.feedforward.parameters(hidden) + text + 2 * hidden

    def expert_parameters(self, hidden: Any) -> Any:
        """Weights of one layer's experts, and of one layer of each set whose turn it is not."""
        return self.feedforward.expert_parameters(hidden) + (self.turns - 1) * self.parameters(hidden)

    def active_parameters(self, hidden: Any) -> Any:
        """Weights of one layer that one token meets, its two norms included; with text of its own, those of both."""
        beside = self.parameters(hidden) - self.feedforward.parameters(hidden)
        return beside + self.feedforward.active_parameters(hidden)

    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        """One layer on one device, `batch` being that of its attention group."""
        work = self.mixer.work(hidden, batch, cut)
        if self.text is None:
            work = work.then(self.feedforward.work(hidden, batch.tokens, cut))
        else:
            work = work.then(self.feedforward.work(hidden, batch.tokens - batch.text, cut))
            work = work.then(self.text.work(hidden, batch.text, cut))
        return work.beside(2 * NORM_OPS * batch.tokens * hidden)
