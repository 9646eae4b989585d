"""A decoder-only transformer as work: what a step computes, holds, moves and exchanges."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from models.batch import Batch, Segment
from models.block import NORM_OPS, Block
from models.counts import ceil
from models.fields import count
from models.model import Model
from models.operators import Elementwise, Gather, WeightProduct, Work
from models.parallelism import Cut

SAMPLED_ELEMENTS = 4.0  # best logit and its index, of each device
ENDS = 3.0  # kernels: the table of tokens, the last norm, the choice of a token


class Transformer(Model):
    """Blocks of layers between an embedding and a head.

    untied : 1 where the head has weights of its own, 0 where it shares the embedding's;
    positions : rows of a learned table of positions, 0 where there is none.
    Left out: biases of the last norm and of the head, a vector each.
    """

    output_noun: ClassVar[str] = "token"
    blocks: OrderedDict[str, Block] = eqx.field(converter=OrderedDict)
    hidden: Array = count()
    vocabulary: Array = count()
    untied: Array = count(least=0)
    longest_context: Array = count()
    positions: Array = count(least=0, default=0.0)

    @classmethod
    def from_huggingface(cls, path: str) -> Transformer:
        """The transformer that a `config.json` of the Hugging Face hub describes."""
        from models.huggingface import read  # which needs this class

        return read(path)

    def embedding_parameters(self) -> Any:
        """Weights of the table of tokens; the head, where it is untied, has as many again."""
        return self.vocabulary * self.hidden

    def end_parameters(self) -> Any:
        return (1 + self.untied) * self.embedding_parameters() + (self.positions + 1) * self.hidden

    def stage_end_parameters(self) -> Any:
        return self.embedding_parameters() + jnp.maximum(self.positions, 1.0) * self.hidden

    def prompt(self, sequences: Any, tokens: Any, past: Any = 0.0) -> Batch:
        return Batch((Segment(sequences, tokens, past),), sequences)

    def step(self, sequences: Any, context: Any, tokens: Any = 1.0) -> Batch:
        return Batch((Segment(sequences, tokens, context - 1),), sequences * tokens)

    def head(self, tokens: Any, cut: Cut) -> Work:
        """The last norm and the projection to the vocabulary, for `tokens` tokens that are sampled."""
        columns = ceil(self.vocabulary / cut.tensor)
        elements = tokens * (2 * self.hidden + columns)
        around = Elementwise(tokens * (NORM_OPS * self.hidden + columns), elements, ENDS)
        product = WeightProduct(tokens, self.hidden, columns, around=around)
        return Work((product,), (Gather(tokens * SAMPLED_ELEMENTS * cut.tensor, cut.tensor_span),))
