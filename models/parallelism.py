"""How the work of one pipeline stage is cut over its devices."""

from __future__ import annotations

import functools
import operator
from typing import Any, NamedTuple

import jax.numpy as jnp


class Span(NamedTuple):
    """A group of `devices` that are `inner` devices apart, and `copies` of such groups that exchange at once."""

    devices: Any
    inner: Any = 1.0
    copies: Any = 1.0


class Cut(NamedTuple):
    """The degrees of one stage, whose devices stand `apart` devices from each other.

    tensor : devices that share a token's attention and whatever is not routed; sequence : those of them that share the
    context of a head; attention_data : groups of `tensor` devices, each with sequences of its own, that share the
    experts; expert : sets of experts, each on devices / expert devices, which cut each expert's width.

    Neighbours share a context, then come the heads, then the sequences; the devices of a set of experts are neighbours.
    Sources: tensor parallelism of Shoeybi et al. 2019; cut contexts as in flash-decoding; attention-data and expert
    parallelism as in DeepSeek-V3 (arXiv 2412.19437, section 3.4).
    """

    tensor: Any = 1.0
    sequence: Any = 1.0
    attention_data: Any = 1.0
    expert: Any = 1.0
    apart: Any = 1.0

    @property
    def devices(self) -> Any:
        """Devices of the stage."""
        return self.tensor * self.attention_data

    @property
    def heads(self) -> Any:
        """Devices over which heads are cut."""
        return self.tensor / self.sequence

    @property
    def slices(self) -> Any:
        """Devices that share each expert."""
        return self.devices / self.expert

    @property
    def tensor_span(self) -> Span:
        """Devices that share a token."""
        return Span(self.tensor, self.apart, self.attention_data)

    @property
    def context_span(self) -> Span:
        """Devices that share a head's context."""
        return Span(self.sequence, self.apart, self.devices / self.sequence)

    @property
    def slice_span(self) -> Span:
        """Devices that share a set of experts."""
        return Span(self.slices, self.apart, self.expert)

    @property
    def expert_span(self) -> Span:
        """One device of each set of experts."""
        return Span(self.expert, self.apart * self.slices, self.slices)

    def spans(self) -> tuple[Span, ...]:
        """All groups that exchange; each must tile the levels of the machine."""
        data = Span(self.attention_data, self.apart * self.tensor, self.tensor)
        return (self.tensor_span, self.context_span, self.slice_span, self.expert_span, data)


def divides(part: Any, whole: Any) -> Any:
    """True where the one is a whole number of times in the other."""
    return whole % part == 0


def one_divides_the_other(one: Any, other: Any) -> Any:
    """True where either is a whole number of times in the other."""
    return divides(one, other) | divides(other, one)


def all_true(*conditions: Any) -> Any:
    """True where each is."""
    return functools.reduce(operator.and_, conditions, jnp.asarray(True))
