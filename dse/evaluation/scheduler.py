"""How prompts and decode steps share one pool. The contract, and one kind a class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from dse.evaluation.metrics import Mapping
from dse.evaluation.schedule import in_flight, micro_batch, waiting
from dse.evaluation.step import Energies, Pass, Times, absent, total
from hw.units import count
from models.batch import Batch
from models.counts import ceil
from models.model import Model
from models.serving import Serving


class Service(NamedTuple):
    """What one replica gives each of its sequences in the steady state.

    token : seconds between a sequence's tokens, by cause; first : seconds until its first token; energies : joules of
    one token; decoding : sequences that get tokens, of those in flight.
    """

    token: Times
    first: Any
    energies: Energies
    decoding: Any


class Turn(NamedTuple):
    """What an attention group does in one pass, whatever the model; none where it does no such thing.

    steps : sequences that take a decode step; prompts : those that get `tokens` new tokens after `past`.
    """

    steps: Any = None
    prompts: Any = None
    tokens: Any = 0.0
    past: Any = 0.0

    def batch(self, model: Model, context: Any, tokens: Any = 1.0) -> Batch:
        """The pass through a model, with `tokens` new tokens of each sequence that steps at `context`."""
        parts = [] if self.steps is None else [model.step(self.steps, context, tokens)]
        parts += [] if self.prompts is None else [model.prompt(self.prompts, self.tokens, self.past)]
        return Batch(sum((part.segments for part in parts), ()), sum(part.sampled for part in parts))


class Scheduler(eqx.Module):
    """Says which turns it takes, and what the passes of these come to.

    The turn in which all sequences decode comes first; passes come in the order of the turns. A simulation of requests
    (`dse/simulation/serve.py`) goes by `beside` and `continuous` alone: kinds that these do not tell apart
    are simulated alike.
    continuous : whether requests join and leave between passes, or begin and end together.
    The load is closed: `batch` sequences are always in flight, and who ends is followed by the next. An answer takes
    `serving.output` decode steps; where steps give several tokens, those who ask set it to fewer.
    """

    continuous: ClassVar[bool]

    @property
    @abstractmethod
    def beside(self) -> Any:
        """Most prompt tokens of a pass beside those who decode; 0 where a prompt has a pass to itself."""

    @abstractmethod
    def turns(self, serving: Serving, mapping: Mapping) -> tuple[Turn, ...]:
        """The turns whose passes it needs."""

    @abstractmethod
    def service(self, serving: Serving, mapping: Mapping, passes: Sequence[Pass]) -> Service:
        """What the passes come to, of decode steps as if each gave a token."""

    @abstractmethod
    def widest(self, serving: Serving, mapping: Mapping, tokens: Any = 1.0) -> Any:
        """The most tokens of an attention group in one pass, with `tokens` of each sequence that steps."""

    def batches(self, model: Model, serving: Serving, mapping: Mapping) -> tuple[Batch, ...]:
        """The passes of its turns through a model, in the middle of answers."""
        return tuple(turn.batch(model, serving.mean_context) for turn in self.turns(serving, mapping))


def fills(serving: Serving, mapping: Mapping) -> Any:
    """Prompts of an attention group that are filled for each decode step of all in flight, so that answers end as
    often as prompts begin; those of other pools apart."""
    return serving.prefill_share * mapping.batch / serving.output / mapping.attention_data


def stepped(mapping: Mapping, decode: Pass) -> tuple[Times, Energies]:
    """A decode step of all in flight: seconds for each, and joules of all."""
    return decode.times._replace(bubble=waiting(mapping, decode)), scaled(decode.energies, in_flight(mapping))


def scaled(parts: Any, share: Any) -> Any:
    """So much of every part, seconds or joules."""
    return type(parts)(*(part if absent(part) else part * share for part in parts))


class Decoding(Scheduler):
    """Prompts come filled from another pool: decode steps alone."""

    continuous: ClassVar[bool] = True

    @property
    def beside(self) -> Any:
        return 0.0

    def turns(self, serving: Serving, mapping: Mapping) -> tuple[Turn, ...]:
        return (Turn(micro_batch(mapping)),)

    def service(self, serving: Serving, mapping: Mapping, passes: Sequence[Pass]) -> Service:
        times, energies = stepped(mapping, passes[0])
        return Service(times, 0.0, scaled(energies, 1 / mapping.batch), mapping.batch)

    def widest(self, serving: Serving, mapping: Mapping, tokens: Any = 1.0) -> Any:
        return micro_batch(mapping) * tokens


class WholePrompts(Scheduler):
    """A prompt is filled in one pass, between decode steps, while those that decode wait.

    time_per_output_token = t_decode + (batch / output) t_prefill
    """

    continuous: ClassVar[bool] = True

    @property
    def beside(self) -> Any:
        return 0.0

    def turns(self, serving: Serving, mapping: Mapping) -> tuple[Turn, ...]:
        return Turn(micro_batch(mapping)), Turn(None, 1.0, serving.fresh, serving.cached)

    def service(self, serving: Serving, mapping: Mapping, passes: Sequence[Pass]) -> Service:
        decode, prefill = passes
        times, energies = stepped(mapping, decode)
        filled = fills(serving, mapping)
        token = total(times, prefill.times, filled * prefill.pace / prefill.times.total)
        energies = scaled(total(energies, prefill.energies, filled), 1 / mapping.batch)
        return Service(token, prefill.times.total, energies, mapping.batch)

    def widest(self, serving: Serving, mapping: Mapping, tokens: Any = 1.0) -> Any:
        filled = jnp.where(serving.prefill_share > 0, serving.fresh, 0.0)
        return jnp.maximum(filled, micro_batch(mapping) * tokens)


class Static(Scheduler):
    """A batch begins and ends together: all its prompts in one pass, then steps until the last token.

    first token after t_prefill(batch);   a token every t_decode;   batch output / (t_prefill + output t_decode)
    """

    continuous: ClassVar[bool] = False

    @property
    def beside(self) -> Any:
        return 0.0

    def turns(self, serving: Serving, mapping: Mapping) -> tuple[Turn, ...]:
        together = micro_batch(mapping)
        return Turn(together), Turn(None, together, serving.fresh, serving.cached)

    def service(self, serving: Serving, mapping: Mapping, passes: Sequence[Pass]) -> Service:
        decode, prefill = passes
        times, energies = stepped(mapping, decode)
        first = prefill.times.total + jnp.maximum(in_flight(mapping) - 1, 0.0) * prefill.pace
        filled = serving.prefill_share * first / serving.output
        decoding = mapping.batch * times.total / (times.total + filled)
        energies = total(energies, prefill.energies, serving.prefill_share * in_flight(mapping) / serving.output)
        return Service(times, first, scaled(energies, 1 / mapping.batch), decoding)

    def widest(self, serving: Serving, mapping: Mapping, tokens: Any = 1.0) -> Any:
        return micro_batch(mapping) * jnp.maximum(tokens, jnp.where(serving.prefill_share > 0, serving.fresh, 1.0))


class Chunked(Scheduler):
    """Steps carry chunks of prompts: a pass has every sequence that decodes, and up to `chunk` prompt tokens beside.

    Of B users, b decode and the others have their prompts filled, or wait for that. With fresh prompt tokens P in
    R = ceil(P / chunk) chunks, output G, n micro-batches and a attention groups, in the steady state

        share = b R / (G n a) of the passes carry a chunk, at most all
        time_per_output_token = t_decode + share (t_mixed - t_decode)
        b (G time_per_output_token + R t_mixed) = B G time_per_output_token                             (Little's law)

    which is quadratic in b. Where share would pass 1, b = G n a / R decode and the others queue for their prompts, so
    time_to_first_token = max(R t_mixed, (B - b) G time_per_output_token / b). Steps are those of all B; a chunk stands
    in the middle of its prompt. Source: Sarathi-Serve (Agrawal et al., OSDI 2024).
    """

    continuous: ClassVar[bool] = True

    chunk: Array = count(default=512.0)

    @property
    def beside(self) -> Any:
        return self.chunk

    def _tokens(self, serving: Serving) -> Any:
        return jnp.minimum(self.chunk, serving.fresh)

    def _chunks(self, serving: Serving) -> Any:
        return ceil(serving.fresh / self.chunk)

    def _share(self, serving: Serving, mapping: Mapping) -> Any:
        """Share of the passes that carry a chunk, did all sequences decode; above 1 where they are too many."""
        return fills(serving, mapping) * self._chunks(serving) / in_flight(mapping)

    def turns(self, serving: Serving, mapping: Mapping) -> tuple[Turn, ...]:
        together = micro_batch(mapping)
        fewer = jnp.maximum(1.0, together / jnp.maximum(1.0, self._share(serving, mapping)))
        size = serving.fresh / self._chunks(serving)
        return Turn(together), Turn(fewer, 1.0, size, serving.cached + (serving.fresh - size) / 2)

    def service(self, serving: Serving, mapping: Mapping, passes: Sequence[Pass]) -> Service:
        decode, mixed = passes
        alone, energy = stepped(mapping, decode)
        beside, more = stepped(mapping, mixed)
        slope = self._share(serving, mapping) / mapping.batch
        filled = self._chunks(serving) * beside.total
        decoding = self._decoding(serving, mapping, alone.total, beside.total, slope)
        share = jnp.minimum(slope * decoding, 1.0)
        token = total(scaled(alone, 1 - share), beside, share)
        first = jnp.maximum(filled, (mapping.batch - decoding) * token.total * serving.output / decoding)
        energies = total(scaled(energy, 1 - share), more, share)
        return Service(token, first, scaled(energies, 1 / decoding), decoding)

    def _decoding(self, serving: Serving, mapping: Mapping, alone: Any, beside: Any, slope: Any) -> Any:
        """Sequences that decode: the positive root, or as many as make every pass carry a chunk."""
        output, users = serving.output, mapping.batch
        filled = serving.prefill_share * self._chunks(serving) * beside
        square = output * slope * (beside - alone)
        linear = output * alone + filled - users * square
        root = jnp.sqrt(linear**2 + 4 * jnp.maximum(square, 0.0) * users * output * alone)
        found = 2 * users * output * alone / (linear + root)
        most = jnp.where(slope > 0, 1 / jnp.where(slope > 0, slope, 1.0), users)
        return jnp.minimum(jnp.minimum(found, most), users)

    def widest(self, serving: Serving, mapping: Mapping, tokens: Any = 1.0) -> Any:
        return micro_batch(mapping) * tokens + jnp.where(serving.prefill_share > 0, self._tokens(serving), 0.0)
