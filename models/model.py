"""What every AI model is to those who serve it. This file is the contract; one kind of model a file."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections import OrderedDict
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from models.batch import Batch
from models.block import Block
from models.operators import Work
from models.parallelism import Cut, all_true


class Model(eqx.Module):
    """Blocks of equal layers, all `hidden` wide, and what stands before and after them.

    Layers of unlike blocks are spread evenly over the stages of a pipeline. Counts are of elements; every argument may
    be traced. output_noun : what an output token is called, for people.
    """

    output_noun: ClassVar[str]

    blocks: eqx.AbstractVar[OrderedDict[str, Block]]
    hidden: eqx.AbstractVar[Any]
    longest_context: eqx.AbstractVar[Any]

    @abstractmethod
    def end_parameters(self) -> Any:
        """Weights of all that is no layer: embeddings, head, last norm."""

    @abstractmethod
    def stage_end_parameters(self) -> Any:
        """Weights of the larger of both ends, which a stage of a pipeline may have to hold."""

    @abstractmethod
    def prompt(self, sequences: Any, tokens: Any, past: Any = 0.0) -> Batch:
        """What fills prompts of so many new tokens, or as long chunks of them, after `past` tokens that are in the
        cache."""

    @abstractmethod
    def step(self, sequences: Any, context: Any, tokens: Any = 1.0) -> Batch:
        """A step after which each sequence has so many new tokens; the first of them attends to `context` tokens,
        itself included."""

    @abstractmethod
    def head(self, tokens: Any, cut: Cut) -> Work:
        """What follows the last layer on one device, for `tokens` tokens that are sampled."""

    @property
    def layers(self) -> Any:
        """Layers of all blocks."""
        return sum(block.layers for block in self.blocks.values())

    @property
    def experts(self) -> Any:
        """Experts of a layer, of the block that has the most; none where nothing is routed."""
        return functools.reduce(jnp.maximum, (block.feedforward.experts for block in self.blocks.values()), 0.0)

    def over_layers(self, of: Any) -> Any:
        """The sum over all layers of what `of` says about a layer of a block."""
        return sum(block.layers * of(block) for block in self.blocks.values())

    def layer_parameters(self) -> Any:
        """Weights of all layers that every token meets, norms included."""
        return self.over_layers(lambda block: block.parameters(self.hidden))

    def expert_parameters(self) -> Any:
        """Weights of all experts, and of layers whose turn it is not."""
        return self.over_layers(lambda block: block.expert_parameters(self.hidden))

    def parameters(self) -> Any:
        """All weights."""
        return self.layer_parameters() + self.expert_parameters() + self.end_parameters()

    def active_parameters(self) -> Any:
        """Weights that one token meets, those of both ends counted whole."""
        met = self.over_layers(lambda block: block.active_parameters(self.hidden))
        return met + self.end_parameters()

    def cache_elements(self, context: Any) -> Any:
        """Elements that one sequence of `context` tokens holds in the cache, in all layers."""
        return self.over_layers(lambda block: block.mixer.cache_elements(context))

    def held_parameters(self, cut: Cut, layers: Any) -> Any:
        """Weights, experts apart, on one device of a stage with `layers` layers and an end; with all layers, both
        ends."""
        ends = jnp.where(layers < self.layers, self.stage_end_parameters(), self.end_parameters())
        repeated = self.over_layers(lambda block: block.mixer.repeated_parameters(self.hidden, cut))
        even = (layers / self.layers * self.layer_parameters() + ends) / cut.tensor
        return even + layers / self.layers * repeated

    def held_expert_parameters(self, cut: Cut, layers: Any) -> Any:
        """Weights of experts on one device of a stage with `layers` layers."""
        return layers / self.layers * self.expert_parameters() / cut.devices

    def held_cache_elements(self, context: Any, cut: Cut, layers: Any) -> Any:
        """Elements that one sequence of `context` tokens leaves on one device of its attention group in `layers`
        layers."""
        whole = self.over_layers(lambda block: block.mixer.held_cache_elements(context, cut))
        return layers / self.layers * whole

    def is_whole(self, cut: Cut) -> Any:
        """True where the degrees divide what they cut, in every block; without experts, none are spread or shared."""
        parts = [(block.mixer.is_whole(cut), block.feedforward.is_whole(cut)) for block in self.blocks.values()]
        spread = (cut.expert > 1) | (cut.attention_data > 1)
        return all_true(~spread | (self.experts > 0), *(whole for pair in parts for whole in pair))
