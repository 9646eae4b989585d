"""Families with experts: what each one's configuration file leaves to be known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from models.block import Block
from models.experts import MixtureOfExperts
from models.feedforward import GatedFeedForward
from models.huggingface_dense import LOCAL
from models.huggingface_fields import FULL, YES, Fields, Reader, attention, layer, stack, untied
from models.latent import LatentAttention
from models.transformer import Transformer


def experts(fields: Fields, width: str, **given: Any) -> MixtureOfExperts:
    """Experts by the usual names, their width under its own; `given` are the other fields of the class."""
    routed = fields.count("num_local_experts", "num_experts", "n_routed_experts")
    chosen = fields.count("num_experts_per_tok", "experts_per_token")
    return MixtureOfExperts(routed, chosen, fields.count(width), **given)


def every_layer(fields: Fields, block: Block) -> Transformer:
    """Equal layers."""
    return stack(fields, ["all"] * fields.layers, {"all": block}, untied(fields))


def mixtral(fields: Fields) -> Transformer:
    mixer = attention(fields, window=fields.count("sliding_window", default=0))
    return every_layer(fields, layer(mixer, experts(fields, "intermediate_size")))


def qwen3_moe(fields: Fields) -> Transformer:
    """Every `decoder_sparse_step`-th layer has experts, those of `mlp_only_layers` apart."""
    biased, dim = fields.flag("attention_bias"), fields.count("head_dim")
    mixer = attention(fields, biased=biased, output_biased=biased, norm_weights=2 * dim)
    step, without = fields.count("decoder_sparse_step", default=1, least=1), fields.get("mlp_only_layers", ())
    sparse = [(index + 1) % step == 0 and index not in without for index in range(fields.layers)]
    parts = {"sparse": layer(mixer, experts(fields, "moe_intermediate_size"))}
    if not all(sparse):
        parts = {"dense": layer(mixer, GatedFeedForward(fields.count("intermediate_size")))} | parts
    return stack(fields, ["sparse" if routed else "dense" for routed in sparse], parts, untied(fields))


def minimax_m2(fields: Fields) -> Transformer:
    """Norms of queries and keys run over all heads at once."""
    mixer = attention(fields)
    normed = fields.flag("use_qk_norm") * (mixer.heads + mixer.key_value_heads) * mixer.head_dim
    routed = experts(fields, "intermediate_size", router_biased=fields.flag("use_routing_bias", True))
    return every_layer(fields, layer(replace(mixer, norm_weights=normed), routed))


def gpt_oss(fields: Fields) -> Transformer:
    """Layers in turn see a window and everything; heads have sinks; experts and router have biases."""
    biased = fields.flag("attention_bias", True)
    mixer = attention(fields, biased=biased, output_biased=biased, sinks=YES)
    block = layer(mixer, experts(fields, "intermediate_size", biased=YES, router_biased=YES))
    window = fields.count("sliding_window")
    parts = {"local": replace(block, mixer=replace(mixer, window=window)), "global": block}
    kinds = fields.kinds(lambda index: FULL if index % 2 else LOCAL)
    return stack(fields, ["global" if kind == FULL else "local" for kind in kinds], parts, untied(fields))


def llama4(fields: Fields) -> Transformer:
    """Three of four layers see their chunk; some have experts beside a shared one, some are dense."""
    text = fields.inside("text_config")
    whole = attention(text)
    local = replace(whole, chunk=text.count("attention_chunk_size"))
    width, step = text.count("intermediate_size"), text.count("interleave_moe_layer_step", default=1, least=1)
    routed = replace(experts(text, "intermediate_size"), shared=GatedFeedForward(width))
    sparse = text.get("moe_layers") or [index for index in range(text.layers) if (index + 1) % step == 0]
    chunked = _chunked(text)
    names = [
        f"{'sparse' if index in sparse else 'dense'}_{'local' if chunked[index] else 'global'}"
        for index in range(text.layers)
    ]
    parts = {"sparse_local": layer(local, routed), "sparse_global": layer(whole, routed)}
    if len(set(sparse)) < text.layers:
        dense = GatedFeedForward(text.count("intermediate_size_mlp"))
        parts = {"dense_local": layer(local, dense), "dense_global": layer(whole, dense)} | parts
    return stack(text, names, parts, untied(text))


def _chunked(fields: Fields) -> list[bool]:
    """Which layers see their chunk alone: those with rotary positions, which every fourth lacks if nothing is said."""
    stated = fields.get("no_rope_layers")  # 1 where a layer has rotary positions, against what the name says
    if stated:
        return [bool(one) for one in stated]
    every = fields.count("no_rope_layer_interval", default=4, least=1)
    return [kind != FULL for kind in fields.kinds(lambda index: LOCAL if (index + 1) % every else FULL)]


def deepseek(fields: Fields) -> Transformer:
    """Latent attention; the first layers are dense, of the others every `moe_layer_freq`-th has experts."""
    mixer = LatentAttention(
        heads=fields.count("num_attention_heads"),
        query_rank=fields.count("q_lora_rank"),
        latent_rank=fields.count("kv_lora_rank"),
        plain_dim=fields.count("qk_nope_head_dim"),
        rotary_dim=fields.count("qk_rope_head_dim"),
        value_dim=fields.count("v_head_dim"),
    )
    biased: Any = float(fields.get("topk_method") == "noaux_tc")
    routed = experts(fields, "moe_intermediate_size", router_biased=biased)
    together = fields.count("n_shared_experts", default=0) * routed.width
    routed = replace(routed, shared=GatedFeedForward(together) if together else None)
    first, every = fields.count("first_k_dense_replace", default=0), fields.count("moe_layer_freq", default=1, least=1)
    names = ["sparse" if index >= first and index % every == 0 else "dense" for index in range(fields.layers)]
    dense = GatedFeedForward(fields.count("intermediate_size"))
    parts = {"dense": layer(mixer, dense), "sparse": layer(mixer, routed)}
    return stack(fields, names, parts, untied(fields))


READERS: dict[str, Reader] = {
    "mixtral": mixtral, "qwen3_moe": qwen3_moe, "minimax_m2": minimax_m2, "MiniMaxM2ForCausalLM": minimax_m2,
    "gpt_oss": gpt_oss, "llama4": llama4, "llama4_text": llama4, "deepseek_v2": deepseek, "deepseek_v3": deepseek,
    "kimi_k2": deepseek,
}  # fmt: skip
