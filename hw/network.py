"""Levels of a system and the exchanges across them."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.link import Link, Transfer, faster
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


class Layout(NamedTuple):
    """How many parts of each level, innermost first, a group of devices spans, and whether it tiles them."""

    parts: tuple[Any, ...]
    whole: Any


def layout(fanouts: tuple[Any, ...], devices: Any, inner: Any = 1.0) -> Layout:
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
    return Layout(tuple(parts), whole & (rest == 1) & (taken == 1))


class Step(NamedTuple):
    """One level as a group of devices uses it: so many parts of all, with so many of its devices inside each, and so
    many groups beside each other in a part, which share its link."""

    link: Link
    parts: Any
    of: Any
    inside: Any
    beside: Any
    outermost: Any


class Group(NamedTuple):
    """Collectives of a group of devices that fills the levels from the inside, and their `copies` elsewhere.

    Inside, a level reduce-scatters, so that the next sees S bytes for each of its parts however many devices the part
    has; the outermost used level all-reduces; then all-gathers run back in. For short messages one-shot exchanges of
    the whole S at every level can be faster; the faster of both is taken, and its energy.
    Devices that are apart have devices of other groups between them; these exchange at the same time, so what leaves a
    part over its link is that of all groups beside each other in it.
    Left out: chunks, by which levels could work at the same time.
    """

    steps: tuple[Step, ...]
    devices: Any
    copies: Any

    def _instances(self, step: Step) -> Any:
        """How many exchanges of a level run side by side, those that share links taken as one."""
        return self.devices / (step.parts * step.inside) * self.copies / step.beside

    def _in_turn(self, exchanges: list[Transfer]) -> Transfer:
        """One level after the other; joules of all instances."""
        energies = [self._instances(s) * moved.energy for s, moved in zip(self.steps, exchanges, strict=True)]
        return Transfer(sum(moved.time for moved in exchanges), sum(energies))

    def all_reduce(self, partial: Any, total: Any) -> Transfer:
        """An all-reduce of `partial` bytes on each device before adding, and `total` bytes after."""
        scattered, one_shot = [], []
        for link, parts, of, inside, beside, outermost in self.steps:
            sizes = partial * beside, total * beside
            inner, outer = link.two_phase(*sizes, parts, of), link.all_reduce(*sizes, parts, of)
            scattered.append(Transfer(*(jnp.where(outermost, o, i) for i, o in zip(inner, outer, strict=True))))
            one_shot.append(link.one_shot(partial * inside * beside, parts, of))
        return faster(self._in_turn(scattered), self._in_turn(one_shot))

    def all_gather(self, size: Any) -> Transfer:
        """An all-gather after which each device has all `size` bytes."""
        return self._in_turn([step.link.all_gather(size * step.beside, step.parts, step.of) for step in self.steps])

    def reduce_scatter(self, size: Any) -> Transfer:
        """A reduce-scatter of `size` bytes on each device: an all-gather run backwards."""
        return self.all_gather(size)

    def all_to_all(self, size: Any) -> Transfer:
        """Each device sends 1/n of its `size` bytes to every device of the group.

        A part of i devices among p at a level sends i (p-1) i/n of `size` to the others. All levels work at once.
        """
        shares = [step.inside**2 * step.beside * step.parts / self.devices for step in self.steps]
        moved = [s.link.all_to_all(size * part, s.parts, s.of) for s, part in zip(self.steps, shares, strict=True)]
        return self._in_turn(moved)._replace(time=functools.reduce(jnp.maximum, (one.time for one in moved), 0.0))


class Network(NamedTuple):
    """The levels of a system, innermost first."""

    levels: tuple[Level, ...]

    @property
    def fanouts(self) -> tuple[Any, ...]:
        return tuple(level.fanout for level in self.levels)

    def tiles(self, devices: Any, inner: Any = 1.0) -> Any:
        """True where groups of `devices`, each `inner` from the next, fill the levels that they enter, or divide
        them."""
        return layout(self.fanouts, devices, inner).whole

    def group(self, devices: Any, inner: Any = 1.0, copies: Any = 1.0) -> Group:
        """`devices` devices, each `inner` from the next, and `copies` of such groups that exchange at once, each by
        itself."""
        steps, inside, beside, between = [], 1.0, 1.0, inner
        for level, parts in zip(self.levels, layout(self.fanouts, devices, inner).parts, strict=True):
            steps.append(Step(level.link, parts, level.fanout, inside, beside, inside * parts >= devices))
            taken = jnp.minimum(between, level.fanout)
            inside, beside, between = inside * parts, beside * taken, between / taken
        return Group(tuple(steps), devices, copies)

    def hops(self, size: Any, stages: Any, inner: Any, messages: Any = 1.0) -> Transfer:
        """The sends of `messages` messages of `size` bytes each through `stages` groups of `inner` devices, one after
        the other, and back.

        A level is crossed (parts - 1) times for each of its outer parts; the way back crosses the outermost used.
        Messages leave a stage by the links of all the parts that it fills at a level.
        """
        time, energy, passed, between = 0.0, 0.0, stages, inner
        for level, here in zip(self.levels, layout(self.fanouts, stages, inner).parts, strict=True):
            passed, taken = passed / here, jnp.minimum(between, level.fanout)
            crossings = (here - 1) * passed + jnp.where((passed == 1) & (here > 1), 1.0, 0.0)
            time = time + crossings * level.link.send(size * jnp.maximum(1.0, messages / taken), level.fanout)
            energy = energy + crossings * level.link.energy * size * messages
            between = between / taken
        return Transfer(time, energy)
