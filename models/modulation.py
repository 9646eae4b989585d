"""Attentions in the layers of a diffusion transformer, modulated by the noise that is left (adaptive layer norm)."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from models.batch import Batch
from models.counts import ceil
from models.fields import count
from models.mixer import Mixer
from models.operators import Elementwise, Gather, WeightProduct, Work
from models.parallelism import Cut, all_true


class Modulation(eqx.Module):
    """Shifts, scales and gates of one layer: `vectors` vectors as wide as the model, that a token meets.

    streams : sets of them, as where text has its own; width : of what each layer computes them from, once a sequence;
    without it they are computed once for all layers, and a layer only adds vectors of its own.
    Source: Peebles and Xie 2023 (adaLN-Zero).
    """

    vectors: Array = count()
    streams: Array = count(default=1.0)
    width: Array | None = count(default=None)

    def parameters(self, hidden: Any) -> Any:
        """Weights and biases of one layer."""
        rows = 0.0 if self.width is None else self.width
        return (rows + 1) * self.streams * self.vectors * hidden

    def work(self, hidden: Any, sequences: Any, cut: Cut) -> Work:
        """The vectors of so many sequences, on one device; nothing where no layer computes its own."""
        if self.width is None:
            return Work()
        outputs = self.streams * self.vectors * hidden
        product = WeightProduct(sequences, self.width, ceil(outputs / cut.tensor))
        return Work((product,), (Gather(sequences * outputs, cut.tensor_span),))


class Modulated(Mixer):
    """Attentions one after the other, after the vectors that modulate them and the feed-forward."""

    modulation: Modulation
    attentions: OrderedDict[str, Mixer] = eqx.field(converter=OrderedDict)

    @property
    def cache_heads(self) -> Any:
        return functools.reduce(jnp.minimum, (attention.cache_heads for attention in self.attentions.values()))

    def parameters(self, hidden: Any) -> Any:
        """Weights of all attentions, and of the modulation."""
        mixed = sum(attention.parameters(hidden) for attention in self.attentions.values())
        return mixed + self.modulation.parameters(hidden)

    def cache_elements(self, context: Any) -> Any:
        return sum(attention.cache_elements(context) for attention in self.attentions.values())

    def held_cache_elements(self, context: Any, cut: Cut) -> Any:
        return sum(attention.held_cache_elements(context, cut) for attention in self.attentions.values())

    def is_whole(self, cut: Cut) -> Any:
        return all_true(*(attention.is_whole(cut) for attention in self.attentions.values()))

    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        work = self.modulation.work(hidden, batch.sequences, cut)
        for attention in self.attentions.values():
            work = work.then(attention.work(hidden, batch, cut))
        elements = self.modulation.vectors * batch.tokens * hidden
        return work.beside(Elementwise(elements, elements, 2.0))
