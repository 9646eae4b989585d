"""What all machines of a candidate draw, cost and emit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from dse.evaluation.steady import Ready, Steady
from hw import carbon, cost
from hw.heat import State
from hw.link import Link
from hw.system import System

if TYPE_CHECKING:
    from dse.evaluation.evaluate import Candidate

ENDS = 2.0  # of a link between two machines, each with what a part needs to be on it


class Machine(NamedTuple):
    """`count` equal machines, the links that join each to the one that decodes, and what fills prompts there.

    built : USD of one, its link with it; made : kg to make one; prompt : joules of a prompt.
    """

    system: System
    state: State
    built: cost.CostGroups
    made: carbon.CarbonGroups
    count: Any = 1.0
    link: Link | None = None
    prompt: Any = 0.0

    def idle_power(self) -> Any:
        """Watts of all of them, working or not."""
        return self.count * (self.system.idle_power(self.state.idle) + self.reaching_power())

    def reaching_power(self) -> Any:
        """Watts of the ends of one's link to the machine that decodes."""
        return 0.0 if self.link is None else ENDS * self.link.part_power

    def standby(self) -> Any:
        """Watts of a chip's memory, used or not."""
        pairs = zip(self.system.chip.tiers, self.state.tiers, strict=True)
        return sum(tier.standby_power(there) for tier, there in pairs)


class Owned(NamedTuple):
    """The machines of a candidate, the one that decodes first, and the steady state in which they serve."""

    machines: Sequence[Machine]
    found: Steady
    output: Any = 1.0

    def over(self, of: Callable[[Machine], Any]) -> Any:
        """The sum over all machines of what `of` says about one."""
        return sum(one.count * of(one) for one in self.machines)

    def idle(self) -> Any:
        """Joules of a token that flow whether machines work or wait."""
        return sum(one.idle_power() for one in self.machines) / self.found.rate

    def energy(self) -> Any:
        """Joules of a token."""
        return jnp.asarray(self.found.energies.total) + self.idle()

    def powers(self) -> tuple[Any, ...]:
        """Watts of the site by where they go: logic, memory, network, hosts, and what the site spends beyond them."""
        spent, rate = self.found.energies, self.found.rate
        standby = self.over(lambda one: one.system.chips() * one.standby())
        still = self.over(lambda one: one.system.chips() * one.state.idle) - standby
        links = self.over(lambda one: one.system.joining_power() + one.reaching_power())
        pairs = zip(self.machines, self._powers(), strict=True)
        beyond = sum(power * (one.system.ownership.overhead - 1) for one, power in pairs)
        return (
            (spent.compute + spent.vector) * rate + still,
            (spent.weights + spent.cache) * rate + standby,
            spent.exchange * rate + links,
            self.over(lambda one: one.system.gathering_power()),
            beyond,
        )

    def _powers(self) -> list[Any]:
        """Watts of each kind of machine; the work of a draft's own machine counts as the decoding one's."""
        filled = [one.prompt / self.output for one in self.machines]
        worked = [self.found.energies.total - sum(filled), *filled[1:]]
        pairs = zip(self.machines, worked, strict=True)
        return [one.idle_power() + joules * self.found.rate for one, joules in pairs]

    def paid(self) -> Any:
        """USD per second of serving, by what is paid for."""
        terms = []
        for one, power in zip(self.machines, self._powers(), strict=True):
            terms.append(one.system.ownership.cost_terms(cost.times(one.built, one.count), power))
        return jax.tree.map(lambda *parts: sum(parts), *terms)

    def emitted(self) -> Any:
        """kg per second of serving, by cause."""
        terms = []
        for one, power in zip(self.machines, self._powers(), strict=True):
            terms.append(one.system.ownership.carbon_terms(cost.times(one.made, one.count), power))
        return jax.tree.map(lambda *parts: sum(parts), *terms)


def machine(system: System, state: State, count: Any = 1.0, link: Link | None = None, prompt: Any = 0.0) -> Machine:
    """The machine with what it costs and emits to make."""
    built = cost.groups(system.cost_terms())
    if link is not None:
        built = built._replace(system=built.system + ENDS * link.part_cost)
    return Machine(system, state, built, carbon.groups(system.carbon_terms()), count, link, prompt)


def machines(candidate: Candidate, ready: Ready) -> list[Machine]:
    """All machines of a candidate, the one that decodes first."""
    found = [machine(candidate.hw, ready.state)]
    if candidate.prefill is not None and ready.filled is not None:
        pool, filled = candidate.prefill, ready.filled
        found.append(machine(pool.hw, filled.state, pool.machines, pool.link, filled.energies.total))
    if candidate.draft is not None and candidate.draft.hw is not None and ready.apart is not None:
        found.append(machine(candidate.draft.hw, ready.apart.state, 1.0, candidate.draft.link))
    if ready.costs is not None:
        found = [one._replace(built=b, made=m) for one, (b, m) in zip(found, ready.costs, strict=True)]
    return found
