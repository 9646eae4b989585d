"""A block: equal layers, each a mixer and a feed-forward."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from models.batch import Batch
from models.feedforward import FeedForward
from models.fields import count
from models.mixer import Mixer
from models.operators import Elementwise, Work
from models.parallelism import Cut

NORM_ELEMENTS = 4.0  # read: a sum and the residual; written: the residual and its norm
NORM_OPS = 5.0  # square, sum, scale by the root, scale by the weight, residual sum


class Block(eqx.Module):
    """`layers` equal layers, each a mixer and a feed-forward.

    norms : vectors of weights that a layer's norms have: one for a root-mean-square norm, two for a layer norm with a
    bias; each is charged the same few operations.
    parallel : 1 where mixer and feed-forward read the same input and their sums are added up, so that one all-reduce
    serves both; 0 where one follows the other.
    text : the feed-forward of the text among the tokens, where it has one of its own.
    turns : sets of the weights, of which each pass meets one, as where other weights remove the first noise of a video
    than the last; those of the others are held as those of experts are.
    """

    mixer: Mixer
    feedforward: FeedForward
    layers: Array = count()
    norms: Array = count(least=0, default=2.0)
    parallel: Array = count(least=0, default=0.0)
    text: FeedForward | None = None
    turns: Array = count(default=1.0)

    def _beside(self, hidden: Any) -> Any:
        """Weights of one layer, its feed-forward apart."""
        text = 0.0 if self.text is None else self.text.parameters(hidden)
        return self.mixer.parameters(hidden) + text + self.norms * hidden

    def parameters(self, hidden: Any) -> Any:
        """Weights of one layer that every token meets, its norms included; with text of its own, those of both."""
        return self._beside(hidden) + self.feedforward.parameters(hidden)

    def expert_parameters(self, hidden: Any) -> Any:
        """Weights of one layer's experts, and of one layer of each set whose turn it is not."""
        idle = (self.turns - 1) * self.parameters(hidden)
        return self.turns * self.feedforward.expert_parameters(hidden) + idle

    def active_parameters(self, hidden: Any) -> Any:
        """Weights of one layer that one token meets, its norms included; with text of its own, those of both."""
        return self._beside(hidden) + self.feedforward.active_parameters(hidden)

    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        """One layer on one device, `batch` being that of its attention group."""
        mixed = self.mixer.work(hidden, batch, cut)
        *others, last = mixed.exchanges
        alone = jnp.where(self.parallel > 0, 1.0, last.span.devices)  # the feed-forward's exchange serves both
        mixed = mixed._replace(exchanges=(*others, last._replace(span=last.span._replace(devices=alone))))
        work = mixed.then(self._fed(hidden, batch, cut))
        elements, kernels = batch.tokens * hidden, 2 - self.parallel
        return work.beside(Elementwise(self.norms * NORM_OPS * elements, NORM_ELEMENTS * kernels * elements, kernels))

    def _fed(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        if self.text is None:
            return self.feedforward.work(hidden, batch.tokens, cut)
        work = self.feedforward.work(hidden, batch.tokens - batch.text, cut)
        return work.then(self.text.work(hidden, batch.text, cut))
