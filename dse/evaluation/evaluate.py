"""One candidate under one mapping: from passes to metrics."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp

import dse.run.precision  # noqa: F401
from dse.evaluation.metrics import (
    Answer,
    CarbonShares,
    CostShares,
    Drafting,
    EnergyShares,
    Filling,
    Headroom,
    Mapping,
    Metrics,
    PowerShares,
    Shares,
)
from dse.evaluation.owned import Machine, Owned, machines
from dse.evaluation.pools import Prefill
from dse.evaluation.schedule import cut_of
from dse.evaluation.scheduler import Scheduler
from dse.evaluation.speculation import Draft
from dse.evaluation.steady import Ready, Steady, steady
from hw import cost
from hw.system import System
from models.model import Model
from models.numerics import Formats
from models.parallelism import all_true
from models.serving import Serving


class Candidate(eqx.Module):
    """A machine, a model, its number formats, its traffic and how that is scheduled; another pool that fills the
    prompts, and a draft, where there are such. Paths into it are the paths of the configuration."""

    hw: System
    model: Model
    format: Formats
    serving: Serving
    scheduler: Scheduler
    prefill: Prefill | None = None
    draft: Draft | None = None


def evaluate(candidate: Candidate, mapping: Mapping, ready: Ready | None = None) -> Answer:
    """All answers about one candidate under one mapping, its goodput apart (`dse/evaluation/goodput.py`).

    ready : what is settled once for the candidate; where prompts are filled, or guesses drafted, on other machines,
    `dse.evaluation.ready.prepared` settles it.
    """
    ready = Ready(candidate.hw.chip.settle(candidate.format)) if ready is None else ready
    found = steady(candidate, mapping, ready)
    owned = Owned(machines(candidate, ready), found, candidate.serving.output)
    system, state, rate = candidate.hw, ready.state, found.rate
    energy, per_token = owned.energy(), found.token.total
    paid, emitted = owned.paid(), owned.emitted()
    metrics = Metrics(
        time_to_first_token=found.first,
        time_per_output_token=per_token,
        tokens_per_second_per_user=1 / per_token,
        tokens_per_second=rate,
        goodput=0.0 * rate,
        goodput_users=0.0 * rate,
        energy_per_token=energy,
        power=energy * rate,
        silicon_area=owned.over(lambda one: one.system.silicon_area()),
        system_cost=owned.over(lambda one: one.system.ownership.price(one.built)),
        cost_per_million_tokens=sum(paid) / rate * 1e6,
        embodied_carbon=owned.over(lambda one: cost.total(one.made)),
        carbon_per_million_tokens=sum(emitted) / rate * 1e6,
        clock=state.logic.frequency,
        junction_temperature=state.logic.temperature,
        memory_temperature=system.chip.hottest_memory(state),
        quantisation_noise=10 * jnp.log10(noise(candidate)),
    )
    return Answer(
        metrics=metrics,
        headroom=headroom(owned.machines, found),
        shares=Shares(*(part / per_token for part in found.token)),
        energy_shares=EnergyShares(*(part / energy for part in found.energies), idle=owned.idle() / energy),
        cost_shares=CostShares(*shares_of(paid)),
        carbon_shares=CarbonShares(*shares_of(emitted)),
        power_shares=PowerShares(*shares_of(owned.powers())),
        mapping=found.mapping,
        legal=is_legal(candidate, mapping, ready),
        **besides(candidate, found, ready),
    )


def noise(candidate: Candidate) -> Any:
    """Noise over signal of what a layer passes on: of a product of weights, as long as the model is wide, of the cache
    that attention reads, and of the engine. Noises add; what meets on links is left out."""
    formats, model = candidate.format, candidate.model
    met = model.active_parameters()
    routed = (met - (model.parameters() - model.expert_parameters())) / met
    own = candidate.hw.chip.engine.noise(formats.weights, formats.activations, model.hidden)
    return formats.noise(experts=routed) + cached_share(model) * formats.cache.noise() + own


def cached_share(model: Model) -> Any:
    """1 where the model keeps a cache, 0 where it has none, as those that make videos."""
    return jnp.where(model.cache_elements(1.0) > 0, 1.0, 0.0)


def shares_of(parts: tuple[Any, ...]) -> list[Any]:
    """Each part over their sum; all 0 of nothing."""
    whole = sum(parts)
    return [part / jnp.where(whole > 0, whole, 1.0) for part in parts]


def rules(candidate: Candidate, mapping: Mapping) -> dict[str, Any]:
    """What a mapping must keep, in words, and whether it does."""
    kept = laid_out(candidate.hw, candidate.model, mapping)
    if candidate.draft is not None and candidate.draft.hw is None:
        words = "degrees divide the heads and experts of the draft"
        kept[words] = candidate.draft.model.is_whole(cut_of(mapping))
    return kept


def laid_out(system: System, model: Model, mapping: Mapping) -> dict[str, Any]:
    """What a mapping of a model onto a machine must keep, in words, and whether it does."""
    network, cut = system.network, cut_of(mapping)
    stage = (mapping.pipeline, jnp.where(mapping.stages_inside > 0, 1.0, cut.devices))
    return {
        "groups fill the levels of the machine from the inside": all_true(
            *(network.tiles(span.devices, span.inner) for span in cut.spans())
        ),
        "stages of a pipeline fill the levels of the machine": network.tiles(*stage),
        "all replicas fit the machine, one at least": (mapping.devices * mapping.data <= system.chips())
        & (mapping.data >= 1),
        "every stage has a layer": mapping.pipeline <= model.layers,
        "degrees divide the heads and experts that they cut": model.is_whole(cut),
    }


def is_legal(candidate: Candidate, mapping: Mapping, ready: Ready | None = None) -> Any:
    """True where the degrees tile the machine and the model, and those of other machines theirs."""
    others = [one.legal for one in (ready.filled, ready.apart) if one is not None] if ready else []
    return all_true(*rules(candidate, mapping).values(), *others)


def headroom(machines: Sequence[Machine], found: Steady) -> Headroom:
    """What is left to each limit, on the machine where the least is left."""
    pairs = [(one.system.chip, one.state) for one in machines]
    return Headroom(
        memory=found.memory,
        power=functools.reduce(jnp.minimum, (chip.power_headroom(state) for chip, state in pairs)),
        heat=functools.reduce(jnp.minimum, (chip.heat_headroom(state) for chip, state in pairs)),
        clock=functools.reduce(jnp.minimum, (chip.clock_headroom(state) for chip, state in pairs)),
        latency=found.latency,
    )


def besides(candidate: Candidate, found: Steady, ready: Ready) -> dict[str, Any]:
    """What other machines, and a draft, do: the sections of an answer that only some have."""
    sections: dict[str, Any] = {}
    if ready.filled is not None:
        one, requests = ready.filled, found.rate / candidate.serving.output
        sections["prefill"] = Filling(one.fill, one.transfer, one.rate, requests / one.filling, requests / one.crossing)
        sections["prefill_mapping"] = one.mapping
    if candidate.draft is not None:
        sections["draft"] = Drafting(candidate.draft.gained, found.token.total * candidate.draft.gained)
    if ready.apart is not None:
        sections["draft_mapping"] = ready.apart.mapping
    return sections
