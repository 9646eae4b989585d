"""Dense families: what each one's configuration file leaves to be known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from models.attention import GroupedQueryAttention
from models.block import Block
from models.feedforward import GatedFeedForward, PlainFeedForward
from models.huggingface_fields import FULL, YES, Fields, Reader, attention, layer, stack, untied
from models.transformer import Transformer

LOCAL = "sliding_attention"
NONE: Any = 0.0  # where there is no window
LAYER_NORMS: Any = 4.0  # two layer norms, each with weights and biases


def local_and_global(
    fields: Fields, mixer: GroupedQueryAttention, window: Any, kinds: list[str], block: Block, tied: bool
) -> Transformer:
    """Layers that see a window, and layers that see everything, otherwise equal."""
    parts = {
        "local": replace(block, mixer=replace(mixer, window=window)),
        "global": replace(block, mixer=replace(mixer, window=NONE)),
    }
    names = ["global" if kind == FULL else "local" for kind in kinds]
    return stack(fields, names, parts, untied(fields, tied))


def windowed(fields: Fields, mixer: GroupedQueryAttention) -> Transformer:
    """Gated layers, all of which see the same window, or everything where none is stated."""
    window = fields.count("sliding_window", default=0)
    kinds = fields.kinds(lambda _: LOCAL if window else FULL)
    block = layer(mixer, GatedFeedForward(fields.count("intermediate_size")))
    return local_and_global(fields, mixer, window, kinds, block, tied=False)


def llama(fields: Fields) -> Transformer:
    biased = fields.flag("attention_bias")
    return windowed(fields, attention(fields, biased=biased, output_biased=biased))


def mistral(fields: Fields) -> Transformer:
    return windowed(fields, attention(fields))


def phi3(fields: Fields) -> Transformer:
    return windowed(fields, attention(fields))


def qwen(fields: Fields, mixer: GroupedQueryAttention) -> Transformer:
    """The last layers see a window, where that is switched on."""
    used = fields.flag("use_sliding_window")
    first = fields.count("max_window_layers", default=0)
    kinds = fields.kinds(lambda index: LOCAL if used and index >= first else FULL)
    window = fields.count("sliding_window") if LOCAL in kinds else 0.0
    block = layer(mixer, GatedFeedForward(fields.count("intermediate_size")))
    return local_and_global(fields, mixer, window, kinds, block, tied=False)


def qwen2(fields: Fields) -> Transformer:
    return qwen(fields, attention(fields, biased=YES))


def qwen3(fields: Fields) -> Transformer:
    biased, dim = fields.flag("attention_bias"), fields.count("head_dim", default=128)
    return qwen(fields, attention(fields, head_dim=dim, biased=biased, output_biased=biased, norm_weights=2 * dim))


def gemma2(fields: Fields) -> Transformer:
    """Every second layer sees everything; norms stand before and after both parts."""
    mixer = attention(fields)
    kinds = fields.kinds(lambda index: FULL if index % 2 else LOCAL)
    block = layer(mixer, GatedFeedForward(fields.count("intermediate_size")), norms=4.0)
    return local_and_global(fields, mixer, fields.count("sliding_window", default=4096), kinds, block, tied=True)


def gemma3(fields: Fields) -> Transformer:
    """One layer of six sees everything. Files of this family leave out what has the default of the smallest one."""
    text = fields.inside("text_config")
    mixer = attention(text, heads=8.0, key_value_heads=4.0, head_dim=256.0)
    mixer = replace(mixer, norm_weights=2 * mixer.head_dim)
    every = text.count("sliding_window_pattern", "_sliding_window_pattern", default=6, least=1)
    kinds = text.kinds(lambda index: LOCAL if (index + 1) % every else FULL)
    block = layer(mixer, GatedFeedForward(text.count("intermediate_size")), norms=4.0)
    whole = {"vocab_size": 262208, "max_position_embeddings": 131072} | dict(text.content)
    window = text.count("sliding_window", default=4096)
    return local_and_global(Fields(whole, text.file), mixer, window, kinds, block, tied=True)


def plain(fields: Fields, block: Block, untied: Any, **given: Any) -> Transformer:
    """Equal layers."""
    return stack(fields, ["all"] * fields.layers, {"all": block}, untied, **given)


def phi(fields: Fields) -> Transformer:
    """One layer norm, after which attention and feed-forward run side by side."""
    mixer = attention(fields, biased=YES, output_biased=YES)
    feedforward = PlainFeedForward(fields.count("intermediate_size"), biased=YES)
    return plain(fields, layer(mixer, feedforward, norms=2.0, parallel=YES), untied(fields))


def opt(fields: Fields) -> Transformer:
    """A table of positions that begins two rows late."""
    if fields.get("word_embed_proj_dim", fields.get("hidden_size")) != fields.get("hidden_size"):
        raise fields.refused("word_embed_proj_dim", "embeddings narrower than the layers are not supported")
    mixer = attention(fields, biased=YES, output_biased=YES)
    block = layer(mixer, PlainFeedForward(fields.count("ffn_dim"), biased=YES), norms=LAYER_NORMS)
    return plain(fields, block, untied(fields, True), positions=fields.count("max_position_embeddings") + 2)


def four_times(fields: Fields) -> PlainFeedForward:
    """Four times as wide as the model, where nothing else is said."""
    hidden = fields.count("n_embd", "hidden_size", "n_embed")
    return PlainFeedForward(fields.count("n_inner", "ffn_hidden_size", default=4 * hidden), biased=YES)


def gptj(fields: Fields) -> Transformer:
    """One layer norm, after which attention and feed-forward run side by side."""
    block = layer(attention(fields), four_times(fields), norms=2.0, parallel=YES)
    return plain(fields, block, untied(fields))


def gpt2(fields: Fields) -> Transformer:
    mixer = attention(fields, biased=YES, output_biased=YES)
    block = layer(mixer, four_times(fields), norms=LAYER_NORMS)
    return plain(fields, block, untied(fields, True), positions=fields.count("n_positions"))


def bloom(fields: Fields) -> Transformer:
    """Positions are slopes on the scores, so that contexts have no limit but the one in training."""
    mixer = attention(fields, biased=YES, output_biased=YES)
    block = layer(mixer, four_times(fields), norms=LAYER_NORMS)
    return plain(fields, block, untied(fields, True), longest=fields.count("seq_length", default=2048))


def falcon(fields: Fields) -> Transformer:
    """Two generations: groups of heads and two layer norms, or one head of keys and values and one layer norm."""
    heads, later = fields.count("num_attention_heads", "n_head"), fields.flag("new_decoder_architecture")
    shared = fields.count("num_kv_heads", "n_head_kv", default=heads) if later else heads
    shared = YES if not later and fields.flag("multi_query", True) else shared
    biased, parallel = fields.flag("bias"), YES if later else fields.flag("parallel_attn", True)
    mixer = attention(fields, key_value_heads=shared, biased=biased, output_biased=biased)
    norms = LAYER_NORMS if later or not parallel else LAYER_NORMS / 2
    block = layer(mixer, replace(four_times(fields), biased=biased), norms=norms, parallel=parallel)
    return plain(fields, block, untied(fields, True), longest=2048.0)


READERS: dict[str, Reader] = {
    "llama": llama, "mistral": mistral, "qwen2": qwen2, "qwen3": qwen3, "gemma2": gemma2, "gemma3": gemma3,
    "gemma3_text": gemma3, "phi": phi, "phi3": phi3, "opt": opt, "gptj": gptj, "gpt2": gpt2, "falcon": falcon,
    "bloom": bloom,
}  # fmt: skip
