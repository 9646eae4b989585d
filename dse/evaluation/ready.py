"""What is settled once for a candidate: its chips, and the mappings of the machines beside the one that decodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from dse.evaluation.evaluate import Candidate, laid_out
from dse.evaluation.grids import Grids, wanted_of
from dse.evaluation.mapping import Grid, Wanted, best, first_by, laid, picked
from dse.evaluation.metrics import Answer
from dse.evaluation.pools import fill
from dse.evaluation.schedule import micro_batch, passes
from dse.evaluation.speculation import Apart, pair_of
from dse.evaluation.steady import Ready
from models.parallelism import all_true


def best_of(candidate: Candidate, grids: Grids, wanted: Wanted) -> Answer:
    """The answer about a candidate, every machine under its best mapping."""
    return best(candidate, grids.own, wanted, prepared(candidate, grids, wanted))


def picked_of(candidate: Candidate, grids: Grids, wanted: Wanted) -> Answer:
    """The same, its goodput apart."""
    return picked(candidate, grids.own, wanted, prepared(candidate, grids, wanted))


def prepared(candidate: Candidate, grids: Grids, wanted: Wanted) -> Ready:
    """What is settled once: a clock and its temperatures on every kind of chip, and the mappings beside."""
    ready = Ready(candidate.hw.chip.settle(candidate.format))
    if candidate.prefill is not None and grids.prefill is not None:
        ready = ready._replace(filled=best_filled(candidate, grids.prefill, wanted_of(wanted, "prefill")))
    if candidate.draft is not None and grids.draft is not None:
        ready = ready._replace(apart=best_apart(candidate, grids.draft, wanted_of(wanted, "draft")))
    return ready


def best_filled(candidate: Candidate, choices: Grid, wanted: Wanted) -> Any:
    """The pool under the mapping that fills the most prompts per second, of the legal ones that miss the fewest bytes
    and of these are least late with the first token."""
    pool, model, serving = candidate.prefill, candidate.model, candidate.serving
    assert pool is not None
    state = pool.hw.chip.settle(candidate.format if pool.format is None else pool.format)

    def tried(choice: Grid) -> Any:
        mapping = laid(pool.hw, choice, wanted, serving.users)
        legal = all_true(*laid_out(pool.hw, model, mapping).values())
        return fill(pool, state, model, candidate.format, serving, mapping, legal)

    found = jax.vmap(tried, out_axes=0)(choices)
    late = jnp.maximum(0.0, found.first - serving.time_to_first_token_target)
    return _picked(found, [_unlike(found.legal), jnp.maximum(0.0, -found.memory), late, -found.filling])


def best_apart(candidate: Candidate, choices: Grid, wanted: Wanted) -> Any:
    """The draft's own machine under the mapping of the shortest step for all users, of those that fit."""
    draft, serving = candidate.draft, candidate.serving
    assert draft is not None
    assert draft.hw is not None
    system, formats = draft.hw, candidate.format if draft.format is None else draft.format
    state = system.chip.settle(formats)

    def tried(choice: Grid) -> tuple[Apart, Any, Any]:
        mapping = laid(system, choice, wanted, serving.users)
        step = draft.model.step(micro_batch(mapping), serving.mean_context)
        done = passes(system, state, draft.model, formats, mapping, [step])[0]
        apart = Apart(state, mapping, all_true(*laid_out(system, draft.model, mapping).values()))
        pair = pair_of(draft, system, state, formats, apart)
        return apart, pair.memory(serving, serving.users), done.times.total

    found, memory, times = jax.vmap(tried)(choices)
    return _picked(found, [_unlike(found.legal), jnp.maximum(0.0, -memory), times])


def _unlike(legal: Any) -> Any:
    return jnp.where(legal, 0.0, 1.0)


def _picked(found: Any, keys: Sequence[Any]) -> Any:
    """The first by the keys, of answers stacked over mappings."""
    chosen = first_by(keys)
    return jax.tree.map(lambda column: column[chosen], found)
