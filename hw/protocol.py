"""Protocols: how a library runs a collective, and what its software adds to the wires."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.units import fraction, quantity


class Protocol(eqx.Module):
    """One way in which a library moves a message: launch once, then a step for each round, at a share of the wires.

    launch : seconds from the call until data moves, and until the result is known; step : seconds of a round beyond
    the link's own latency; sustained_fraction : of the link's bandwidth; own_share : what a byte that a part keeps to
    itself takes, over what a byte on the wires takes, once a collective. A library has several protocols, some quick
    to start and some fast once started, and takes the fastest for the size.
    phased : whether it does reduce-scatters, all-gathers and what is made of them; one_shot : whether it does
    all-reduces in which everyone gets everything at once. All numbers are calibration.
    """

    launch: eqx.AbstractVar[Array]
    step: eqx.AbstractVar[Array]
    sustained_fraction: eqx.AbstractVar[Array]
    own_share: eqx.AbstractVar[Array]
    phased: ClassVar[bool]
    one_shot: ClassVar[bool]

    @abstractmethod
    def rounds(self, parts: Any) -> Any:
        """Rounds of one reduce-scatter or all-gather; none where there is one part."""

    def time(self, traffic: Any, flow: Any, parts: Any, phases: int = 1) -> Any:
        """Seconds of a collective of one or two phases, its hops apart; nothing where there is one part.

            launch + phases * rounds * step + (traffic + own_share / n / phases) * flow / sustained_fraction

        traffic : of the topology, for each byte; flow : seconds that all bytes would take at the link's bandwidth.
        """
        joined = jnp.where(parts > 1, 1.0, 0.0)
        moved = (traffic + joined * self.own_share / (parts * phases)) * flow / self.sustained_fraction
        return joined * self.launch + phases * self.rounds(parts) * self.step + moved


class AllAtOnce(Protocol):
    """Every part sends to every other in the same round."""

    launch: Array = quantity("s")
    step: Array = quantity("s")
    sustained_fraction: Array = fraction(above=0)
    own_share: Array = quantity("")
    phased: ClassVar[bool] = True
    one_shot: ClassVar[bool] = True

    def rounds(self, parts: Any) -> Any:
        return jnp.where(parts > 1, 1.0, 0.0)


class OneShot(Protocol):
    """A kernel for short all-reduces alone: everything goes to everyone, who adds it up."""

    launch: Array = quantity("s")
    step: Array = quantity("s")
    sustained_fraction: Array = fraction(above=0)
    own_share: Array = quantity("")
    phased: ClassVar[bool] = False
    one_shot: ClassVar[bool] = True

    def rounds(self, parts: Any) -> Any:
        return parts - 1


class PartByPart(Protocol):
    """A ring drawn by software, whatever the wires: each round passes 1/n on to the next part, n - 1 times."""

    launch: Array = quantity("s")
    step: Array = quantity("s")
    sustained_fraction: Array = fraction(above=0)
    own_share: Array = quantity("")
    phased: ClassVar[bool] = True
    one_shot: ClassVar[bool] = False

    def rounds(self, parts: Any) -> Any:
        return parts - 1


class Halving(Protocol):
    """Recursive halving and doubling: partners at distance 1, 2, 4, ...; log2 n rounds. Thakur et al. 2005."""

    launch: Array = quantity("s")
    step: Array = quantity("s")
    sustained_fraction: Array = fraction(above=0)
    own_share: Array = quantity("")
    phased: ClassVar[bool] = True
    one_shot: ClassVar[bool] = True

    def rounds(self, parts: Any) -> Any:
        return jnp.log2(parts)
