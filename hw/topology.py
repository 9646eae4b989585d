"""Topologies in which a message reaches any part in one hop or two: direct wires, switches, trees of switches."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.link import Link, Transfer, Way, faster, whole
from hw.protocol import Protocol
from hw.units import count, fraction, quantity
from models.counts import floor


def _all_at_once(parts: Any, traffic: Any, hops: Any = 1.0) -> Way:
    """Each part sends 1/n of a byte to every other."""
    return Way(jnp.where(parts > 1, hops, 0.0), jnp.where(parts > 1, traffic, 0.0), parts - 1)


class AllToAll(Link):
    """A wire between every two parts of the level: a part's bandwidth is split evenly over its peers.

    A group of n among N parts has n - 1 of each part's N - 1 wires, so a phase has traffic (N-1)/n; over the whole
    level that is the (n-1)/n of a switch.
    Left out: messages relayed over idle wires.
    """

    bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    part_power: Array = quantity("W")
    part_cost: Array = quantity("USD")
    protocols: OrderedDict[str, Protocol] = eqx.field(
        converter=OrderedDict, default=(), kw_only=True, metadata={"may_be_empty": True}
    )

    def gathering(self, parts: Any, of: Any = None) -> Way:
        return _all_at_once(parts, (whole(parts, of) - 1) / parts)

    def exchanging(self, parts: Any, of: Any = None) -> Way:
        return self.gathering(parts, of)

    def neighbour_share(self, of: Any) -> Any:
        return 1 / jnp.maximum(of - 1, 1)

    def bisection(self, parts: Any) -> Any:
        return floor(parts**2 / 4) * self.bandwidth * self.neighbour_share(parts)


class Switch(Link):
    """A switch that gives each part its whole bandwidth to anyone, and may add up on the way.

        direct, a phase:  latency + (n-1)/n S/b
        in the switch:    2 latency + reduction_latency + (1 + 1/n) S / (b * reduction_fraction)

    In the switch, each part owns 1/n of the sums: it reads them, added up from all n parts on the way, and sends the
    totals to all in one message; so S + S/n bytes leave and reach each part.
    reduction_fraction : share of the bandwidth at which the switch adds up, 0 where it does not; reduction_latency :
    beyond the two hops. energy is of both hops of a byte, up and down.
    """

    bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    reduction_fraction: Array = fraction()
    reduction_latency: Array = quantity("s")
    part_power: Array = quantity("W")
    part_cost: Array = quantity("USD")
    protocols: OrderedDict[str, Protocol] = eqx.field(
        converter=OrderedDict, default=(), kw_only=True, metadata={"may_be_empty": True}
    )

    def gathering(self, parts: Any, of: Any = None) -> Way:
        return _all_at_once(parts, (parts - 1) / parts)

    def exchanging(self, parts: Any, of: Any = None) -> Way:
        return self.gathering(parts, of)

    def neighbour_share(self, of: Any) -> Any:
        return 1.0

    def bisection(self, parts: Any) -> Any:
        return floor(parts / 2) * self.bandwidth

    def all_reduce(self, partial: Any, total: Any, parts: Any, of: Any = None) -> Transfer:
        return faster(self.exchanged(partial, total, parts, of), self.in_switch(partial, total, parts))

    def in_switch(self, partial: Any, total: Any, parts: Any) -> Transfer:
        """An all-reduce that the switch adds up; endless seconds where it cannot."""
        adds = self.reduction_fraction > 0
        rate = self.bandwidth * jnp.where(adds, self.reduction_fraction, 1.0)
        port = jnp.maximum(partial + total / parts, partial / parts + total)
        time = jnp.where(adds, 2 * self.latency + self.reduction_latency + port / rate, jnp.inf)
        moved = (parts + 1) / 2 * (partial + total)  # each byte goes up or down: half of the way
        return Transfer(jnp.where(parts > 1, time, 0.0), jnp.where(parts > 1, moved * self.energy, 0.0))


class SwitchTree(Link):
    """Leaf switches under a spine: `leaf` parts share their leaf's uplink, leaf * bandwidth / oversubscription.

    Within a leaf each part has its whole bandwidth. A phase of a collective over L leaves of g parts scatters in the
    leaf first, so that each byte crosses the uplink once:

        traffic = (g-1)/g + (L-1)/L * max(1/g, oversubscription/leaf)

    which is (n-1)/n where uplinks are as wide as their leaf. An all-to-all cannot save on uplinks: each of g parts
    sends (n-g)/n over them. With leaf = 1, every part has its own uplink of bandwidth / oversubscription.
    """

    bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    leaf: Array = count()
    oversubscription: Array = quantity("", least=1)
    part_power: Array = quantity("W")
    part_cost: Array = quantity("USD")
    protocols: OrderedDict[str, Protocol] = eqx.field(
        converter=OrderedDict, default=(), kw_only=True, metadata={"may_be_empty": True}
    )

    def refusal(self, parts: float) -> str:
        if parts > self.leaf and parts % self.leaf:
            return f"{parts:g} parts are no whole number of leaves of {float(self.leaf):g}; change leaf or the fan-out"
        return ""

    def _uplink(self) -> Any:
        """A leaf's uplink over a part's bandwidth."""
        return self.leaf / self.oversubscription

    def gathering(self, parts: Any, of: Any = None) -> Way:
        inside = jnp.minimum(self.leaf, parts)
        leaves = parts / inside
        across = (leaves - 1) / leaves * jnp.maximum(1 / inside, 1 / self._uplink())
        hops = jnp.where(inside > 1, 1.0, 0.0) + jnp.where(leaves > 1, 1.0, 0.0)
        return Way(hops, (inside - 1) / inside + across, parts - 1)

    def exchanging(self, parts: Any, of: Any = None) -> Way:
        inside = jnp.minimum(self.leaf, parts)
        shared = inside * (parts - inside) / parts / self._uplink()
        return _all_at_once(parts, jnp.maximum((parts - 1) / parts, shared))

    def neighbour_share(self, of: Any) -> Any:
        return jnp.minimum(1.0, self._uplink())

    def bisection(self, parts: Any) -> Any:
        half = floor(parts / 2)
        uplinks = jnp.where(parts > self.leaf, jnp.maximum(half / self.leaf, 1.0) * self._uplink(), half)
        return jnp.minimum(half, uplinks) * self.bandwidth
