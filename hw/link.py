"""Links and the collectives over them, at one level of a system. This file is the contract of a topology."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections import OrderedDict
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.protocol import Protocol


class Transfer(NamedTuple):
    """Seconds of an exchange, and joules of all its messages."""

    time: Any
    energy: Any


def faster(one: Transfer, other: Transfer) -> Transfer:
    """The quicker of two ways to the same end, with its own energy."""
    return Transfer(jnp.minimum(one.time, other.time), jnp.where(one.time <= other.time, one.energy, other.energy))


class Way(NamedTuple):
    """A pattern of messages over a topology, for one byte a part.

    hops : link latencies one after the other; traffic : bytes of the busiest wires, as if the part's whole bandwidth
    carried them; moved : bytes times links crossed, of all parts together. All are 0 where there is one part.
    """

    hops: Any
    traffic: Any
    moved: Any


class Link(eqx.Module):
    """Joins the parts of one level; a topology says how its messages share the wires.

    bandwidth : of a part, one direction, all its wires together; latency : of one hop, first byte; energy : of a byte
    over one hop; sustained_fraction : measured share of the bandwidth; part_power, part_cost : of what each part needs
    to be on this link (bridge, adapter, its share of a switch); protocols : those of a measured library, if any, which
    then stand in place of sustained_fraction.

    A group of `parts` may be some `of` all the level's parts; where `of` is not given, it is the whole level.
    A collective of `size` bytes takes, over the protocols, the least of

        launch + rounds * step + hops * latency + (traffic + own_share / n) * size / (bandwidth * sustained)

    with hops and traffic of the topology. All-reduces are two-phase (reduce-scatter, all-gather), one-shot (everything
    to everyone), or in the switch where there is such; the fastest is taken, and its energy.
    Forms: Thakur et al. 2005. Left out: congestion by others' messages, and that a reduction must be computed.
    """

    bandwidth: eqx.AbstractVar[Array]
    latency: eqx.AbstractVar[Array]
    energy: eqx.AbstractVar[Array]
    sustained_fraction: eqx.AbstractVar[Array]
    part_power: eqx.AbstractVar[Array]
    part_cost: eqx.AbstractVar[Array]
    protocols: eqx.AbstractVar[OrderedDict[str, Protocol]]

    def refusal(self, parts: float) -> str:
        """Why so many parts cannot be joined; empty where they can. Called before anything is traced."""
        return ""

    @abstractmethod
    def gathering(self, parts: Any, of: Any = None) -> Way:
        """An all-gather to one byte on each part; run backwards, a reduce-scatter."""

    @abstractmethod
    def exchanging(self, parts: Any, of: Any = None) -> Way:
        """An all-to-all: each part has one byte, of which every part, itself too, is due an equal share."""

    @abstractmethod
    def neighbour_share(self, of: Any) -> Any:
        """The share of a part's bandwidth that a message to one neighbour gets, on a level of so many parts."""

    @abstractmethod
    def bisection(self, parts: Any) -> Any:
        """Bytes per second, one direction, by the data sheet, over the worst cut of the parts into halves."""

    def all_reduce(self, partial: Any, total: Any, parts: Any, of: Any = None) -> Transfer:
        """The fastest all-reduce; `partial` bytes a part before adding, `total` after."""
        return self.exchanged(partial, total, parts, of)

    def rate(self) -> Any:
        """Bytes per second, part and direction, that a stream reaches."""
        return self.bandwidth * self.sustained_fraction

    def send(self, size: Any, of: Any = 2.0) -> Any:
        """Seconds for `size` bytes from one part to a neighbour, on a level of so many parts."""
        share = self.neighbour_share(of)
        times = [
            one.launch + one.step + size / (self.bandwidth * one.sustained_fraction * share)
            for one in self.protocols.values()
            if one.phased
        ]
        return self.latency + functools.reduce(jnp.minimum, times or [size / (self.rate() * share)])

    def all_gather(self, size: Any, parts: Any, of: Any = None) -> Transfer:
        """An all-gather after which each part has all `size` bytes."""
        return self._priced(self.gathering(parts, of), size, parts, phases=1)

    def reduce_scatter(self, size: Any, parts: Any, of: Any = None) -> Transfer:
        """A reduce-scatter of `size` bytes on each part: an all-gather run backwards."""
        return self.all_gather(size, parts, of)

    def all_to_all(self, size: Any, parts: Any, of: Any = None) -> Transfer:
        """Each part sends 1/parts of its `size` bytes to every part."""
        return self._priced(self.exchanging(parts, of), size, parts, phases=1)

    def one_shot(self, size: Any, parts: Any, of: Any = None) -> Transfer:
        """Every part has every other's `size` bytes: an all-gather of them all, by protocols that may."""
        return self._priced(self.gathering(parts, of), size * parts, parts, phases=1, one_shot=True)

    def two_phase(self, partial: Any, total: Any, parts: Any, of: Any = None) -> Transfer:
        """A reduce-scatter of `partial` bytes a part and an all-gather to `total` bytes, launched once."""
        way = self.gathering(parts, of)
        return self._priced(way._replace(hops=2 * way.hops), partial + total, parts, phases=2)

    def exchanged(self, partial: Any, total: Any, parts: Any, of: Any = None) -> Transfer:
        """An all-reduce in which only the parts add up: two-phase or one-shot."""
        return faster(self.two_phase(partial, total, parts, of), self.one_shot(partial, parts, of))

    def _priced(self, way: Way, size: Any, parts: Any, phases: int, one_shot: bool = False) -> Transfer:
        flow = size / self.bandwidth
        allowed = [one for one in self.protocols.values() if (one.one_shot if one_shot else one.phased)]
        times = [one.time(way.traffic, flow, parts, phases) for one in allowed]
        if not self.protocols:
            times = [way.traffic * flow / self.sustained_fraction]
        never = jnp.where(parts > 1, jnp.inf, 0.0)  # no protocol may
        return Transfer(
            way.hops * self.latency + functools.reduce(jnp.minimum, times or [never]), way.moved * size * self.energy
        )


def whole(parts: Any, of: Any) -> Any:
    """The parts of the level that a group is in: its own, where nothing else is said."""
    return parts if of is None else of
