"""Diffusion transformers for video as work: a step removes some noise from all tokens of a video at once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array

from models.batch import Batch, Segment
from models.block import NORM_OPS, Block
from models.counts import ceil, floor
from models.fields import count
from models.model import Model
from models.operators import AllReduce, Elementwise, Gather, WeightProduct, Work
from models.parallelism import Cut


class Extent(eqx.Module):
    """Frames, height and width."""

    frames: Array = count()
    height: Array = count()
    width: Array = count()

    @property
    def volume(self) -> Any:
        """Their product."""
        return self.frames * self.height * self.width


class Dense(eqx.Module):
    """`layers` equal projections with biases."""

    inputs: Array = count()
    outputs: Array = count()
    layers: Array = count(default=1.0)

    def parameters(self) -> Any:
        """Weights and biases of all of them."""
        return self.layers * (self.inputs + 1) * self.outputs

    def work(self, vectors: Any, cut: Cut) -> Work:
        """All of them on one device, for so many vectors each; with several layers, as one for as many more."""
        product = WeightProduct(vectors, self.inputs, self.layers * ceil(self.outputs / cut.tensor))
        return Work((product,), (Gather(self.layers * vectors * self.outputs, cut.tensor_span),))


class VideoTransformer(Model):
    """Blocks between patches of a compressed video and the noise that is predicted for them.

    An output token is one denoising step of one video; a prompt is the text that describes it.
    video : frames, height and width; strides : of the autoencoder; patch : of the compressed video that is a token.
    channels, predicted : of the compressed video, and of what is said of it.
    text : tokens of text, to which shorter texts are filled up; joint : 1 where they pass through the layers beside the
    video's, 0 where these only attend to them. guidance : passes of a step, 2 with classifier-free guidance.
    longest_context : text, and the most steps. text_layers, time_layers : projections before the layers, of each token
    of the text, and once a sequence.
    Left out: the text encoder, so that filling a prompt is as good as free; the autoencoder; attention among the text
    before the layers.
    """

    output_noun: ClassVar[str] = "denoising step"
    blocks: OrderedDict[str, Block] = eqx.field(converter=OrderedDict)
    text_layers: OrderedDict[str, Dense] = eqx.field(converter=OrderedDict, metadata={"may_be_empty": True})
    time_layers: OrderedDict[str, Dense] = eqx.field(converter=OrderedDict)
    video: Extent
    strides: Extent
    patch: Extent
    hidden: Array = count()
    channels: Array = count()
    predicted: Array = count()
    text: Array = count(least=0)
    joint: Array = count(least=0)
    guidance: Array = count()
    longest_context: Array = count()

    @property
    def latent_frames(self) -> Any:
        """Frames of tokens: the first frame is compressed by itself, and `strides.frames` together after it."""
        kept = floor((self.video.frames - 1) / self.strides.frames) + 1
        return ceil(kept / self.patch.frames)

    @property
    def video_tokens(self) -> Any:
        """Tokens of one video."""
        rows = floor(self.video.height / self.strides.height / self.patch.height)
        columns = floor(self.video.width / self.strides.width / self.patch.width)
        return self.latent_frames * rows * columns

    def _first(self) -> Dense:
        return Dense(self.patch.volume * self.channels, self.hidden)

    def _last(self) -> Dense:
        return Dense(self.hidden, self.patch.volume * self.predicted)

    def end_parameters(self) -> Any:
        """Weights of both ends, the last norm or its modulation included."""
        return self.stage_end_parameters() + self._last().parameters() + 2 * self.hidden

    def stage_end_parameters(self) -> Any:
        before = (self._first(), *self.text_layers.values(), *self.time_layers.values())
        return sum(layer.parameters() for layer in before)

    def _batch(self, sequences: Any, video: Any, text: Any, frames: Any) -> Batch:
        segment = Segment(sequences, video + self.joint * text, 0.0, text, frames)
        return Batch((segment,), sequences * video)

    def prompt(self, sequences: Any, tokens: Any, past: Any = 0.0) -> Batch:
        """One token of video and one of text: the text encoder is left out."""
        return self._batch(sequences, 1.0, 1.0, 1.0)

    def step(self, sequences: Any, context: Any, tokens: Any = 1.0) -> Batch:
        """Denoising steps of so many videos; several of one video are as much work as of several."""
        passes = sequences * tokens * self.guidance
        return self._batch(passes, self.video_tokens, self.text, self.latent_frames)

    def head(self, tokens: Any, cut: Cut) -> Work:
        """What stands before and after the layers, for `tokens` tokens of video."""
        sequences = tokens / self.video_tokens
        work = self._first().work(tokens, cut)
        for layer in self.text_layers.values():
            work = work.then(layer.work(sequences * self.text, cut))
        for layer in self.time_layers.values():
            work = work.then(layer.work(sequences, cut))
        last = self._last()
        inputs = ceil(last.inputs / cut.tensor)
        normed = Elementwise(NORM_OPS * tokens * self.hidden, 2 * tokens * self.hidden, 1.0)
        product = WeightProduct(tokens, inputs, last.outputs, around=normed)
        return work.then(Work((product,), (AllReduce(tokens * last.outputs, cut.tensor_span),)))
