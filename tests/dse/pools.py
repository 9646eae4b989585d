"""A small machine that decodes, pools that fill its prompts, drafts: candidates of a few layers, quick to compile."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from dse.evaluation.evaluate import Candidate, evaluate
from dse.evaluation.grids import grids, own_fanouts
from dse.evaluation.mapping import Wanted
from dse.evaluation.metrics import Answer, Mapping
from dse.evaluation.ready import best_of, prepared
from dse.evaluation.steady import Ready
from dse.evaluation.step import in_loops
from dse.problem.template import template
from dse.run.precision import arrays

MODEL = ("model=llama3_8b", "model.blocks.all.layers=4", "model.vocabulary=8192")
SMALL = ("hw=corsair_card", *MODEL, "serving=chat", "serving.users=8")
SAME = ("prefill=pool", "hw@prefill.hw=corsair_card")
DRAFT = ("draft=here", "draft.model.blocks.all.layers=1", "draft.model.vocabulary=8192")
ONE_WAY = Wanted("time_per_output_token", tensor=8, pipeline=1, prefill=Wanted("", tensor=8, pipeline=1))


@functools.cache
def small(*overrides: str) -> Candidate:
    """The small candidate with these overrides, its leaves arrays."""
    return arrays(template([*SMALL, *overrides]).candidate)


@functools.partial(jax.jit, static_argnames="wanted")
def _best(candidate: Candidate, choices: Any, wanted: Wanted) -> Answer:
    with in_loops():
        return best_of(candidate, choices, wanted)


@functools.partial(jax.jit, static_argnames="wanted")
def _ready(candidate: Candidate, choices: Any, wanted: Wanted) -> Ready:
    with in_loops():
        return prepared(candidate, choices, wanted)


@jax.jit
def answered(candidate: Candidate, mapping: Mapping, ready: Ready) -> Answer:
    """The answer under a mapping, goodput apart."""
    with in_loops():
        return evaluate(candidate, mapping, ready)


def best(candidate: Candidate, wanted: Wanted = ONE_WAY) -> Answer:
    """The answer under the best mapping."""
    return _best(candidate, grids([candidate], own_fanouts(candidate), wanted), wanted)


def ready(candidate: Candidate, wanted: Wanted = ONE_WAY) -> Ready:
    """What is settled once for the candidate."""
    return _ready(candidate, grids([candidate], own_fanouts(candidate), wanted), wanted)


def serving(candidate: Candidate, **given: float) -> Candidate:
    """The candidate with other traffic."""
    leaves = {name: jnp.asarray(value, float) for name, value in given.items()}
    return replace(candidate, serving=replace(candidate.serving, **leaves))


def linked(candidate: Candidate, **given: float) -> Candidate:
    """The candidate with another link between its pools."""
    assert candidate.prefill is not None
    link = replace(candidate.prefill.link, **{name: jnp.asarray(value, float) for name, value in given.items()})
    return replace(candidate, prefill=replace(candidate.prefill, link=link))


def drafting(candidate: Candidate, **given: float) -> Candidate:
    """The candidate with another draft."""
    assert candidate.draft is not None
    leaves = {name: jnp.asarray(value, float) for name, value in given.items()}
    return replace(candidate, draft=replace(candidate.draft, **leaves))
