"""The fields of a configuration file, and layers from them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from models.attention import GroupedQueryAttention
from models.block import Block
from models.feedforward import FeedForward
from models.mixer import Mixer
from models.transformer import Transformer

FULL = "full_attention"  # of the words in `layer_types`


class Fields:
    """Fields by name; what is missing or no number is an error that names the field and the file."""

    def __init__(self, content: Mapping[str, Any], file: str) -> None:
        self.content, self.file = content, file

    def get(self, name: str, default: Any = None) -> Any:
        """A field as it stands; null counts as absent."""
        found = self.content.get(name)
        return default if found is None else found

    def refused(self, name: str, words: str) -> ValueError:
        """The error of a field."""
        return ValueError(f"{self.file}: {name}: {words}")

    def count(self, *names: str, default: Any = None, least: int = 0) -> Any:
        """The first of these fields that is there: families name the same thing differently."""
        for name in names:
            found = self.get(name)
            if found is None:
                continue
            if isinstance(found, bool) or not isinstance(found, int) or found < least:
                raise self.refused(name, f"{found!r} is no whole number from {least}")
            return float(found)
        if default is None:
            raise self.refused(names[0], "this field is missing; the file of the model itself has it")
        return float(default)

    def flag(self, name: str, default: bool = False) -> Any:
        """1 where a field is true, 0 where it is false."""
        return float(bool(self.get(name, default)))

    def inside(self, name: str) -> Fields:
        """The fields of a part, as of the text model in a model of text and images; else these."""
        found = self.get(name)
        return Fields(found, f"{self.file}: {name}") if isinstance(found, Mapping) else self

    @property
    def layers(self) -> int:
        return int(self.count("num_hidden_layers", "n_layer"))

    def kinds(self, kind: Callable[[int], str]) -> list[str]:
        """The word of `layer_types` for every layer, or, in files without it, `kind` of the layer's index."""
        stated = self.get("layer_types") or [kind(index) for index in range(self.layers)]
        if len(stated) != self.layers:
            raise self.refused("layer_types", f"{len(stated)} words for {self.layers} layers")
        return [str(word) for word in stated]


Reader = Callable[[Fields], Transformer]
YES: Any = 1.0  # of fields that are 1 or 0


def layer(mixer: Mixer, feedforward: FeedForward, norms: Any = 2.0, parallel: Any = 0.0) -> Block:
    """A layer by itself."""
    return Block(mixer, feedforward, YES, norms, parallel)


def attention(fields: Fields, **given: Any) -> GroupedQueryAttention:
    """Attention by the usual names; `given` are the other fields of the class, or stand in for missing ones."""
    heads = fields.count("num_attention_heads", "n_head", default=given.pop("heads", None), least=1)
    shared = fields.count("num_key_value_heads", default=given.pop("key_value_heads", heads))
    hidden = fields.count("hidden_size", "n_embd", "n_embed")
    dim = fields.count("head_dim", default=given.pop("head_dim", hidden // heads))
    return GroupedQueryAttention(heads, shared, dim, **given)


def stack(fields: Fields, names: Sequence[str], parts: Mapping[str, Block], untied: Any, **given: Any) -> Transformer:
    """A transformer whose layers are, one after the other, the parts of these names."""
    counts = Counter(names)
    blocks = OrderedDict((name, replace(parts[name], layers=float(counts[name]))) for name in parts if counts[name])
    if len(blocks) == 1:
        blocks = OrderedDict(all=next(iter(blocks.values())))
    return Transformer(
        blocks=blocks,
        hidden=fields.count("hidden_size", "n_embd", "n_embed"),
        vocabulary=fields.count("vocab_size", default=given.pop("vocabulary", None)),
        untied=untied,
        longest_context=fields.count("max_position_embeddings", "n_positions", default=given.pop("longest", None)),
        **given,
    )


def untied(fields: Fields, tied: bool = False) -> Any:
    """1 where the head has weights of its own; `tied` is what the family does where the file says nothing."""
    return 1 - fields.flag("tie_word_embeddings", tied)
