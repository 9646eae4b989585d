"""Feed-forward layers as operators. This file is the contract; the dense kinds are here too."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array

from models.counts import ceil
from models.fields import count
from models.operators import AllReduce, Elementwise, WeightProduct, Work
from models.parallelism import Cut

GATE_OPS = 5.0  # sigmoid of three, two products
ACTIVATION_OPS = 5.0  # a sigmoid's or an error function's approximation; a rectifier's one is less


class FeedForward(eqx.Module):
    """What follows the mixer in a layer: weights that every token meets, and weights of experts that some do."""

    @abstractmethod
    def parameters(self, hidden: Any) -> Any:
        """Weights that every token meets."""

    @abstractmethod
    def expert_parameters(self, hidden: Any) -> Any:
        """Weights of all experts; none where nothing is routed."""

    @abstractmethod
    def active_parameters(self, hidden: Any) -> Any:
        """Weights that one token meets."""

    @property
    @abstractmethod
    def experts(self) -> Any:
        """How many experts a token may be sent to; none where nothing is routed."""

    @abstractmethod
    def is_whole(self, cut: Cut) -> Any:
        """True where the degrees divide what they cut."""

    @abstractmethod
    def work(self, hidden: Any, tokens: Any, cut: Cut) -> Work:
        """One layer's feed-forward on one device, for `tokens` tokens of its attention group."""


class Unrouted(FeedForward):
    """What every token meets whole: projections up to a width and one down, cut over the devices that share a token."""

    def expert_parameters(self, hidden: Any) -> Any:
        return 0.0

    def active_parameters(self, hidden: Any) -> Any:
        return self.parameters(hidden)

    @property
    def experts(self) -> Any:
        return 0.0

    def is_whole(self, cut: Cut) -> Any:
        return True


def up_and_down(hidden: Any, tokens: Any, cut: Cut, width: Any, ups: float, between: float) -> Work:
    """So many projections up to `width` and one down, with `between` operations for each element between them."""
    local = ceil(width / cut.tensor)
    activated = Elementwise(between * tokens * local, (ups + 1) * tokens * local, 1.0)
    operators = (
        WeightProduct(tokens, hidden, ups * local, around=activated),
        WeightProduct(tokens, local, hidden),
    )
    return Work(operators, (AllReduce(tokens * hidden, cut.tensor_span),))


class GatedFeedForward(Unrouted):
    """Three projections, two up to `width` and one down, with a gate between (SwiGLU)."""

    width: Array = count()

    def parameters(self, hidden: Any) -> Any:
        """Weights of the three projections."""
        return 3 * hidden * self.width

    def work(self, hidden: Any, tokens: Any, cut: Cut) -> Work:
        return up_and_down(hidden, tokens, cut, self.width, 2, GATE_OPS)


class PlainFeedForward(Unrouted):
    """Two projections, up to `width` and down, with an activation between (GELU, ReLU).

    biased : 1 where both have biases, 0 where they have none.
    """

    width: Array = count()
    biased: Array = count(least=0, default=0.0)

    def parameters(self, hidden: Any) -> Any:
        """Weights of the two projections, and their biases."""
        return 2 * hidden * self.width + self.biased * (hidden + self.width)

    def work(self, hidden: Any, tokens: Any, cut: Cut) -> Work:
        return up_and_down(hidden, tokens, cut, self.width, 1, ACTIVATION_OPS)


class NoFeedForward(Unrouted):
    """Nothing: layers that are a mixer alone."""

    def parameters(self, hidden: Any) -> Any:
        return 0.0

    def work(self, hidden: Any, tokens: Any, cut: Cut) -> Work:
        return Work()
