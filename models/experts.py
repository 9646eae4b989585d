"""A mixture of experts: each token meets a few of many feed-forwards, wherever they are."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from models.counts import ceil
from models.feedforward import GATE_OPS, FeedForward, GatedFeedForward
from models.fields import count, number
from models.operators import (
    AllReduce,
    Elementwise,
    Exchange,
    ExpertProduct,
    Gather,
    Operator,
    Shuffle,
    WeightProduct,
    Work,
)
from models.parallelism import Cut, Span, all_true, divides

ROUTER_OPS = 5.0  # of each score: softmax or sigmoid, and the search for the largest


class MixtureOfExperts(FeedForward):
    """`routed` experts, `width` wide, of which a router picks `top_k` for each token; and shared ones for all tokens.

    gated : 1 where an expert has three projections with a gate, 0 where it has two;
    biased : 1 where those have biases; router_biased : 1 where every score of the router has one;
    imbalance : load of the busiest set of experts over the mean load, never more than all. 1 is balanced, which routing
    is trained or biased to be (the score biases of DeepSeek-V3, arXiv 2412.19437, section 2.1.2). By chance alone T
    tokens make it 1 + sqrt(2 S ln S / (T k)) for S sets, at most about: the largest of S normal deviates.

    Routing is taken as independent and uniform. T tokens of all attention groups then touch, of the n experts of a set,

        n (1 - (1 - k / E)^T)

    and not less than one, since the step waits for a set that has work. A token touches, of S sets,

        S (1 - (1 - n / (E - (k - 1) / 2))^k)

    The k experts of a token differ: each of the k draws has the mean of those that are left to choose from. That is
    within 0.5 % of the hypergeometric answer for 8 experts, and nearer for more.

    Exchanges, with t tokens in each of A groups of `tensor` devices, hidden h, m sets a token, s devices a set:
      A = 1: every device has all tokens; partial sums of experts and slices are one all-reduce of t h over `tensor`.
      A > 1: a device hands on t / tensor tokens, m times: a shuffle of m t h / tensor over the sets; the devices of a
      set gather what came to each, s m t h / tensor; both run back with partial sums, those of a device's experts added
      up before; then an all-gather of t h over `tensor`, or an all-reduce where shared experts left partial sums there.
    Shared experts and the router are cut over `tensor` alone. Weights are
    paid for where they are fetched, on average over the sets; arithmetic as if every set were as busy as the busiest.
    Left out: the scores' gather; that tokens of a set's own group may be there already; limits on how many nodes a
    token may reach.
    """

    routed: Array = count()
    top_k: Array = count()
    width: Array = count()
    gated: Array = count(least=0, default=1.0)
    biased: Array = count(least=0, default=0.0)
    router_biased: Array = count(least=0, default=0.0)
    imbalance: Array = number(least=1, default=1.0)
    shared: GatedFeedForward | None = None

    def __check_init__(self) -> None:
        if isinstance(self.top_k, (int, float)) and self.top_k > self.routed:
            raise ValueError(f"top_k: {self.top_k:g} of {self.routed:g} experts; top_k must be at most routed")

    @property
    def experts(self) -> Any:
        return self.routed

    def _expert(self, hidden: Any) -> Any:
        """Weights of one expert."""
        biases = self.biased * ((1 + self.gated) * self.width + hidden)
        return (2 + self.gated) * hidden * self.width + biases

    def parameters(self, hidden: Any) -> Any:
        """Weights of the router and of shared experts."""
        shared = 0.0 if self.shared is None else self.shared.parameters(hidden)
        return self.routed * (hidden + self.router_biased) + shared

    def expert_parameters(self, hidden: Any) -> Any:
        return self.routed * self._expert(hidden)

    def active_parameters(self, hidden: Any) -> Any:
        return self.parameters(hidden) + self.top_k * self._expert(hidden)

    def is_whole(self, cut: Cut) -> Any:
        return all_true(divides(cut.expert, self.routed), divides(cut.expert, cut.devices))

    def load(self, tokens: Any, cut: Cut) -> Any:
        """Expert visits of the busiest set, by `tokens` tokens of each attention group."""
        return tokens * cut.attention_data * self.top_k / cut.expert * jnp.minimum(self.imbalance, cut.expert)

    def touched(self, tokens: Any, cut: Cut) -> Any:
        """Experts of the busiest set that a step of `tokens` tokens of each attention group touches, one at least."""
        return jnp.maximum(self._expected(self.load(tokens, cut) * cut.expert / self.top_k, cut), 1.0)

    def _expected(self, visitors: Any, cut: Cut) -> Any:
        """Experts of a set that so many tokens touch on average."""
        return self.routed / cut.expert * (1 - (1 - self.top_k / self.routed) ** visitors)

    def sets(self, cut: Cut) -> Any:
        """Sets of experts that a token touches, on average."""
        missed = jnp.maximum(1 - self.routed / cut.expert / (self.routed - (self.top_k - 1) / 2), 0.0)
        return cut.expert * (1 - missed**self.top_k)

    def work(self, hidden: Any, tokens: Any, cut: Cut) -> Work:
        scores = ceil(self.routed / cut.tensor)
        chosen = Elementwise(ROUTER_OPS * tokens * scores, 2 * tokens * scores, 1.0)
        router = WeightProduct(tokens, hidden, scores, around=chosen)
        shared = () if self.shared is None else self.shared.work(hidden, tokens, cut).operators
        operators: tuple[Operator, ...] = (router, *shared, *self._visits(hidden, tokens, cut))
        return Work(operators, self._exchanges(tokens * hidden, cut))

    def _visits(self, hidden: Any, tokens: Any, cut: Cut) -> tuple[Operator, ...]:
        """The products of the touched experts, each cut over the devices of its set."""
        touched, local = self.touched(tokens, cut), ceil(self.width / cut.slices)
        vectors = self.load(tokens, cut) / touched
        elements = self.load(tokens, cut) * local
        gates = Elementwise(GATE_OPS * elements, (2 + self.gated) * elements, 1.0)
        spent = self._expected(tokens * cut.attention_data, cut) / touched
        return (
            ExpertProduct(vectors, hidden, (1 + self.gated) * local, touched, gates, spent),
            ExpertProduct(vectors, local, hidden, touched, spent=spent),
        )

    def _exchanges(self, elements: Any, cut: Cut) -> tuple[Exchange, ...]:
        """Exchanges around the experts, `elements` being those of a group's tokens; spans of one device are free."""
        apart = cut.attention_data > 1
        sent = elements / cut.tensor * self.sets(cut)
        summed = cut.attention_data <= 1 if self.shared is None else True
        sets, slices, group = (among(apart, span) for span in (cut.expert_span, cut.slice_span, cut.tensor_span))
        totals: tuple[Exchange, ...] = (AllReduce(elements, among(summed, cut.tensor_span)),)
        if self.shared is None:
            totals = (Gather(elements, group), *totals)
        return (
            Shuffle(sent, sets),
            Gather(sent * cut.slices, slices),
            Gather(sent * cut.slices, slices, 1.0),
            Shuffle(sent, sets, 1.0),
            *totals,
        )


def among(there: Any, span: Span) -> Span:
    """The span, or one device, which has nothing to exchange."""
    return span._replace(devices=jnp.where(there, span.devices, 1.0))
