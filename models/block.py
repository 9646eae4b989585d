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
    """`layers` equal layers, each a mixer and a feed-forward."""

    mixer: Mixer
    feedforward: FeedForward
    layers: Array = count()

    def parameters(self, hidden: Any) -> Any:
        """Weights of one layer that every token meets, its two norms included."""
        return self.mixer.parameters(hidden) + self.feedforward.parameters(hidden) + 2 * hidden

    def active_parameters(self, hidden: Any) -> Any:
        """Weights of one layer that one token meets, its two norms included."""
        return self.mixer.parameters(hidden) + self.feedforward.active_parameters(hidden) + 2 * hidden

    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        """One layer on one device, `batch` being that of its attention group."""
        mixed = self.mixer.work(hidden, batch, cut)
        work = mixed.then(self.feedforward.work(hidden, batch.tokens, cut))
        norms = 2 * NORM_OPS * batch.tokens * hidden
        first = work.operators[0]
        return work._replace(operators=(first._replace(vector_ops=first.vector_ops + norms), *work.operators[1:]))
