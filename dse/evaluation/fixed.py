"""A candidate with all its mappings given: what moves when a number moves and nothing is chosen anew."""

from __future__ import annotations

from dse.evaluation.evaluate import Candidate, evaluate, laid_out
from dse.evaluation.metrics import Answer, Mapping
from dse.evaluation.pools import Filled, fill
from dse.evaluation.runners import Point, indexed
from dse.evaluation.speculation import Apart
from dse.evaluation.steady import Ready
from models.parallelism import all_true

Mappings = dict[str, Mapping]  # `mapping`, and `prefill_mapping` and `draft_mapping` where there are such machines


def evaluate_fixed(candidate: Candidate, mappings: Mappings) -> Answer:
    """All answers under these mappings, its goodput apart; the sequences that decode beside a pool follow anew."""
    ready = Ready(candidate.hw.chip.settle(candidate.format))
    if "prefill_mapping" in mappings:
        ready = ready._replace(filled=filled(candidate, mappings["prefill_mapping"]))
    if "draft_mapping" in mappings:
        ready = ready._replace(apart=apart(candidate, mappings["draft_mapping"]))
    return evaluate(candidate, mappings["mapping"], ready)


def filled(candidate: Candidate, mapping: Mapping) -> Filled:
    """What the pool that fills prompts gives under one mapping."""
    pool, model = candidate.prefill, candidate.model
    assert pool is not None
    state = pool.hw.chip.settle(candidate.format if pool.format is None else pool.format)
    legal = all_true(*laid_out(pool.hw, model, mapping).values())
    return fill(pool, state, model, candidate.format, candidate.serving, mapping, legal)


def apart(candidate: Candidate, mapping: Mapping) -> Apart:
    """The draft's own machine under one mapping."""
    draft = candidate.draft
    assert draft is not None
    assert draft.hw is not None
    state = draft.hw.chip.settle(candidate.format if draft.format is None else draft.format)
    return Apart(state, mapping, all_true(*laid_out(draft.hw, draft.model, mapping).values()))


def mappings_of(point: Point, candidate: Candidate) -> Mappings:
    """The mappings of a point, with the tiers by their places."""
    tiers = {"mapping": candidate.hw.chip.memory}
    if candidate.prefill is not None:
        tiers["prefill_mapping"] = candidate.prefill.hw.chip.memory
    if candidate.draft is not None and candidate.draft.hw is not None:
        tiers["draft_mapping"] = candidate.draft.hw.chip.memory
    return {name: Mapping(**indexed(point[name], list(held))) for name, held in tiers.items()}
