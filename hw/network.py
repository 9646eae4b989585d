"""Levels of a system and the exchanges across them."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.link import Link
from hw.units import count, fraction, quantity


class Level(eqx.Module):
    """`fanout` parts joined by `link`; power, cost and carbon are of what holds them together (board, host, rack).

    packaged : 1 where the parts are dies of one package, which the chip's package then pays for; 0 elsewhere.
    """

    link: Link
    fanout: Array = count()
    power: Array = quantity("W")
    cost: Array = quantity("USD")
    packaged: Array = fraction(default=0.0)
    carbon: Array = quantity("kg", default=0.0)

    def joined(self) -> Any:
        """Parts that need the link: none where there is only one."""
        return jnp.where(self.fanout > 1, self.fanout, 0.0)


class Transfer(NamedTuple):
    """Seconds of an exchange, and joules of all its messages."""

    time: Any
    energy: Any


class Spread(NamedTuple):
    """How many parts of each level, innermost first, a group of devices spans, and whether it tiles them."""

    parts: tuple[Any, ...]
    whole: Any


def spread(fanouts: tuple[Any, ...], devices: Any, inner: Any = 1.0) -> Spread:
    """Lay `devices` groups of `inner` devices over the levels, filling the innermost first.

    A group is whole where it fills each level it enters, or divides the last one.
    """
    taken, rest = inner, devices
    parts, whole = [], jnp.asarray(True)
    for fanout in fanouts:
        used = jnp.minimum(taken, fanout)
        free = fanout / used
        here = jnp.minimum(rest, free)
        whole = whole & (fanout % used == 0) & (free % here == 0) & (rest % here == 0)
        taken, rest = taken / used, rest / here
        parts.append(here)
    return Spread(tuple(parts), whole & (rest == 1) & (taken == 1))


class Step(NamedTuple):
    """One level as a group of devices uses it: so many parts, with so many of the group's devices inside each."""

    link: Link
    parts: Any
    inside: Any
    outermost: Any


class Group(NamedTuple):
    """Collectives of a group of devices that fills the levels from the inside.

    Inside, a level reduce-scatters, so that the next sees S bytes for each of its parts however many devices the part
    has; the outermost used level all-reduces; then all-gathers run back in. For short messages one-shot exchanges of
    the whole S at every level can be faster; the faster of both is taken. Energy is counted for the first form.
    """

    steps: tuple[Step, ...]
    devices: Any
    copies: Any

    def energy(self, size: Any) -> Any:
        """Joules of all copies of the group: at each level every part sends (n-1)/n of `size`."""
        per_byte = [step.link.energy * (step.parts - 1) / (step.parts * step.inside) for step in self.steps]
        return sum(per_byte) * self.devices * self.copies * size

    def scatter_time(self, size: Any) -> Any:
        return sum(step.link.scatter(size, step.parts) for step in self.steps)

    def all_reduce(self, partial: Any, total: Any) -> Transfer:
        """An all-reduce of `partial` bytes on each device before adding, and `total` bytes after."""
        two_phase, one_shot = 0.0, 0.0
        for link, parts, inside, outermost in self.steps:
            inner = link.scatter(partial, parts) + link.scatter(total, parts)
            two_phase = two_phase + jnp.where(outermost, link.all_reduce(partial, total, parts), inner)
            one_shot = one_shot + link.one_shot(partial * inside, parts)
        return Transfer(jnp.minimum(two_phase, one_shot), self.energy(partial + total))

    def all_gather(self, size: Any) -> Transfer:
        """An all-gather after which each device has all `size` bytes."""
        return Transfer(self.scatter_time(size), self.energy(size))

    def reduce_scatter(self, size: Any) -> Transfer:
        """A reduce-scatter of `size` bytes on each device: an all-gather run backwards."""
        return self.all_gather(size)


class Network(NamedTuple):
    """The levels of a system, innermost first."""

    levels: tuple[Level, ...]

    @property
    def fanouts(self) -> tuple[Any, ...]:
        return tuple(level.fanout for level in self.levels)

    def group(self, devices: Any, copies: Any = 1.0) -> Group:
        """`devices` neighbouring devices, and `copies` of such groups that exchange at once, each by itself."""
        steps, inside = [], 1.0
        for level, parts in zip(self.levels, spread(self.fanouts, devices).parts, strict=True):
            steps.append(Step(level.link, parts, inside, inside * parts >= devices))
            inside = inside * parts
        return Group(tuple(steps), devices, copies)

    def hops(self, size: Any, stages: Any, inner: Any) -> Transfer:
        """The sends of `size` bytes through `stages` groups of `inner` devices, one after the other, and back.

        A level is crossed (parts - 1) times for each of its outer parts; the way back crosses the outermost used.
        """
        time, energy, passed = 0.0, 0.0, stages
        for level, here in zip(self.levels, spread(self.fanouts, stages, inner).parts, strict=True):
            passed = passed / here
            crossings = (here - 1) * passed + jnp.where((passed == 1) & (here > 1), 1.0, 0.0)
            time = time + crossings * level.link.send(size)
            energy = energy + crossings * level.link.energy * size
        return Transfer(time, energy)
