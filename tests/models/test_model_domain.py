"""No kind of layer answers or slopes with what is no number, from the smallest work to the largest."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from counting import EVERY_KIND, model

from models.batch import Batch, Segment
from models.parallelism import Cut

CUTS = {
    "one device": (1.0, 1.0, 1.0, 1.0), "heads": (8.0, 1.0, 1.0, 1.0), "contexts": (16.0, 8.0, 1.0, 1.0),
    "experts": (1.0, 1.0, 16.0, 16.0), "both": (4.0, 2.0, 4.0, 8.0),
}  # fmt: skip
WORK = [
    (1.0, 1.0, 0.0),
    (1.0, 1.0, 1e6),
    (512.0, 1.0, 128.0),
    (1.0, 8192.0, 0.0),
    (3.0, 17.0, 8191.0),
    (0.25, 1.0, 7.5),
]


@functools.partial(jax.jit, static_argnames="structure")
def slopes(leaves: Any, structure: Any, segment: Any, cut: Any) -> tuple[Any, Any]:
    """The sum of everything that a model answers about a batch, and its slopes by every number of the model, the batch
    and the cut."""

    def everything(leaves: Any, segment: Any, cut: Any) -> Any:
        found, one, batch = jax.tree.unflatten(structure, leaves), Cut(*cut), Batch((Segment(*segment),), segment[0])
        works = [block.work(found.hidden, batch, one) for block in found.blocks.values()]
        held = found.held_parameters(one, found.layers / 2) + found.held_cache_elements(segment[2], one, found.layers)
        counts = [found.parameters(), found.active_parameters(), held, found.held_expert_parameters(one, found.layers)]
        answers = jax.tree.leaves((works, found.head(segment[0], one), counts))
        return sum(jnp.asarray(answer, dtype=float) for answer in answers)

    return jax.value_and_grad(everything, argnums=(0, 1, 2))(leaves, segment, cut)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_answers_and_slopes_are_numbers(name: str) -> None:
    leaves, structure = jax.tree.flatten(model(name))
    leaves = [jnp.asarray(leaf, dtype=float) for leaf in leaves]
    for cut in CUTS.values():
        for segment in WORK:
            found = slopes(leaves, structure, segment, cut)
            assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(found)), (cut, segment)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_nothing_is_negative_or_empty(name: str) -> None:
    """An operator has vectors, inputs, outputs and products, of a thousandth at least: engines divide by them."""
    found = model(name)
    for cut in CUTS.values():
        for sequences, tokens, past in WORK:
            batch = Batch((Segment(sequences, tokens, past),), sequences)
            for block in found.blocks.values():
                work = block.work(found.hidden, batch, Cut(*cut))
                for one in work.operators:
                    assert min(map(float, (one.vectors, one.inputs, one.outputs, one.products))) > 1e-3, (one, cut)
                    assert min(map(float, (one.held_elements, one.vector_ops, one.cache_written, *one.around))) >= 0
                assert all(float(one.elements) >= 0 for one in work.exchanges)
