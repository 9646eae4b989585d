"""Topologies in which parts have neighbours: rings, tori, meshes. A message hops from part to part."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import OrderedDict
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.link import Link, Way, whole
from hw.protocol import Protocol
from hw.units import count, fraction, quantity
from models.counts import floor


class Line(NamedTuple):
    """A dimension as a group uses it: so many parts in a row, and 1 where their ends are joined, 2 where open.

    Over an open line the worst wire carries twice what it would around a ring.
    """

    parts: Any
    open: Any

    def scatter(self) -> Any:
        """Traffic of a reduce-scatter of one byte a part."""
        return self.open * (self.parts - 1) / self.parts

    def exchange(self) -> Any:
        """Traffic of an all-to-all of one byte a part: the wires over the middle are the busiest."""
        return self.open * floor(self.parts**2 / 4) / self.parts

    def diameter(self) -> Any:
        """Hops to the farthest part."""
        return jnp.where(self.open > 1, self.parts - 1, floor(self.parts / 2))

    def distance(self) -> Any:
        """Mean hops from a part to any, itself too."""
        ring, line = floor(self.parts**2 / 4) / self.parts, (self.parts**2 - 1) / (3 * self.parts)
        return jnp.where(self.open > 1, line, ring)


def fill(sizes: tuple[Any, ...], parts: Any, of: Any) -> list[Line]:
    """The lines of a group that fills dimensions of these sizes in their order, then one of what is left of `of`."""
    lines = []
    for size in sizes:
        here, size = jnp.minimum(parts, size), jnp.minimum(of, size)
        lines.append(Line(here, jnp.where(here >= size, 1.0, 2.0)))
        parts, of = parts / here, of / size
    return [*lines, Line(parts, jnp.where(parts >= of, 1.0, 2.0))]


class Grid(Link):
    """Neighbours along D dimensions; a part's bandwidth is split over its two wires in each.

    A reduce-scatter goes along one dimension after the other, each time on what the last has left. D of them, each on
    1/D of the data, begin at different dimensions, so that all wires work: phase by phase, the slowest one counts.
    All dimensions equal, that is (n-1)/n S/b, as on a switch; the latency is of n - 1 hops on a ring, of
    sum(d - 1) otherwise. Every reduce-scatter moves (n-1) S over one hop. An all-to-all goes dimension by dimension.
    Source: the bucket algorithms of Barnett et al. 1995, of which the ring is the case D = 1.
    Left out: wires that a failed or foreign part takes away.
    """

    @abstractmethod
    def lines(self, parts: Any, of: Any) -> list[Line]:
        """The dimensions of a level of `of` parts, as a group of `parts` uses them."""

    def gathering(self, parts: Any, of: Any = None) -> Way:
        lines = self.lines(parts, whole(parts, of))
        scatters, left, traffic = [line.scatter() for line in lines], [1.0 for _ in lines], 0.0
        for phase in range(len(lines)):  # the reduce-scatter that began at dimension i is at dimension i + phase
            at = [(start + phase) % len(lines) for start in range(len(lines))]
            slowest = scatters[at[0]] * left[0]
            for share, here in zip(left[1:], at[1:], strict=True):
                slowest = jnp.maximum(slowest, scatters[here] * share)
            traffic = traffic + slowest
            left = [share / lines[here].parts for share, here in zip(left, at, strict=True)]
        return Way(sum(line.parts - 1 for line in lines), traffic, parts - 1)

    def exchanging(self, parts: Any, of: Any = None) -> Way:
        lines = self.lines(parts, whole(parts, of))
        traffic = lines[0].exchange()
        for line in lines[1:]:
            traffic = jnp.maximum(traffic, line.exchange())
        distance = sum(line.distance() for line in lines)
        return Way(sum(line.diameter() for line in lines), len(lines) * traffic, parts * distance)

    def neighbour_share(self, of: Any) -> Any:
        return 1 / (2 * len(self.lines(of, of)))

    def bisection(self, parts: Any) -> Any:
        wires = jnp.inf
        for line in self.lines(parts, parts):
            wires = jnp.minimum(wires, jnp.where(line.parts > 1, parts / line.parts * 2 / line.open, jnp.inf))
        return jnp.where(parts > 1, wires, 0.0) * self.bandwidth * self.neighbour_share(parts)


def uneven(parts: float, *sizes: Any) -> str:
    """Why a level of so many parts is no grid of these sizes; empty where it is."""
    whole = math.prod(float(size) for size in sizes)
    if parts % whole:
        return (
            f"{parts:g} parts are no whole number of {' x '.join(f'{size:g}' for size in sizes)}; "
            "choose a fan-out that the grid's sizes divide, or other sizes"
        )
    return ""


class Ring(Grid):
    """All parts of the level in a ring, half of a part's bandwidth each way round; some of them are an open line.

    all-reduce: 2(n-1) latency + 2(n-1)/n S/b.
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

    def lines(self, parts: Any, of: Any) -> list[Line]:
        return fill((), parts, of)


class Torus(Grid):
    """Rings in two dimensions, rows of `columns` parts, as many as the level has; groups fill a row first."""

    bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    columns: Array = count()
    part_power: Array = quantity("W")
    part_cost: Array = quantity("USD")
    protocols: OrderedDict[str, Protocol] = eqx.field(
        converter=OrderedDict, default=(), kw_only=True, metadata={"may_be_empty": True}
    )

    def lines(self, parts: Any, of: Any) -> list[Line]:
        return fill((self.columns,), parts, of)

    def refusal(self, parts: float) -> str:
        return uneven(parts, self.columns)


class CubicTorus(Grid):
    """Rings in three dimensions: layers of `rows` of `columns` parts; groups fill a row first, then a layer."""

    bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    columns: Array = count()
    rows: Array = count()
    part_power: Array = quantity("W")
    part_cost: Array = quantity("USD")
    protocols: OrderedDict[str, Protocol] = eqx.field(
        converter=OrderedDict, default=(), kw_only=True, metadata={"may_be_empty": True}
    )

    def lines(self, parts: Any, of: Any) -> list[Line]:
        return fill((self.columns, self.rows), parts, of)

    def refusal(self, parts: float) -> str:
        return uneven(parts, self.columns, self.rows)


class Mesh(Grid):
    """A torus of two dimensions without the wires that would join its ends: every line is open, as on a wafer."""

    bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    columns: Array = count()
    part_power: Array = quantity("W")
    part_cost: Array = quantity("USD")
    protocols: OrderedDict[str, Protocol] = eqx.field(
        converter=OrderedDict, default=(), kw_only=True, metadata={"may_be_empty": True}
    )

    def lines(self, parts: Any, of: Any) -> list[Line]:
        return [line._replace(open=2.0) for line in fill((self.columns,), parts, of)]

    def refusal(self, parts: float) -> str:
        return uneven(parts, self.columns)
