"""Families with experts: what each one's configuration file leaves to be known."""

from __future__ import annotations

from dataclasses import replace

from models.block import Block
from models.experts import MixtureOfExperts
from models.feedforward import GatedFeedForward
from models.huggingface_dense import LOCAL
from models.huggingface_fields import FULL, Fields, Reader, attention, stack, untied
from models.latent import LatentAttention
from models.transformer import Transformer


def experts(fields: Fields, width: str, **given: float) -> MixtureOfExperts:
    """Experts by the usual names, their width under its own; `given` are the other fields of the class."""
    routed = fields.number("num_local_experts", "num_experts", "n_routed_experts")
    chosen = fields.number("num_experts_per_tok", "experts_per_token")
    return MixtureOfExperts(routed, chosen, fields.number(width), **given)


def every_layer(fields: Fields, block: Block) -> Transformer:
    """Equal layers."""
    return stack(fields, ["all"] * fields.layers, {"all": block}, untied(fields))


def mixtral(fields: Fields) -> Transformer:
    mixer = attention(fields, window=fields.number("sliding_window", default=0))
    return every_layer(fields, Block(mixer, experts(fields, "intermediate_size"), 1.0))


def qwen3_moe(fields: Fields) -> Transformer:
    """Every `decoder_sparse_step`-th layer has experts, those of `mlp_only_layers` apart."""
    biased, dim = fields.flag("attention_bias"), fields.number("head_dim")
    mixer = attention(fields, biased=biased, output_biased=biased, norm_weights=2 * dim)
    step, without = fields.number("decoder_sparse_step", default=1), fields.get("mlp_only_layers", ())
    sparse = [(layer + 1) % step == 0 and layer not in without for layer in range(fields.layers)]
    parts = {"sparse": Block(mixer, experts(fields, "moe_intermediate_size"), 1.0)}
    if not all(sparse):
        parts = {"dense": Block(mixer, GatedFeedForward(fields.number("intermediate_size")), 1.0)} | parts
    return stack(fields, ["sparse" if routed else "dense" for routed in sparse], parts, untied(fields))


def minimax_m2(fields: Fields) -> Transformer:
    """Norms of queries and keys run over all heads at once."""
    mixer = attention(fields)
    normed = fields.flag("use_qk_norm") * (mixer.heads + mixer.key_value_heads) * mixer.head_dim
    routed = experts(fields, "intermediate_size", router_biased=fields.flag("use_routing_bias", True))
    return every_layer(fields, Block(replace(mixer, norm_weights=normed), routed, 1.0))


def gpt_oss(fields: Fields) -> Transformer:
    """Layers in turn see a window and everything; heads have sinks; experts and router have biases."""
    biased = fields.flag("attention_bias", True)
    mixer = attention(fields, biased=biased, output_biased=biased, sinks=1.0)
    block = Block(mixer, experts(fields, "intermediate_size", biased=1.0, router_biased=1.0), 1.0)
    window = fields.number("sliding_window")
    parts = {"local": replace(block, mixer=replace(mixer, window=window)), "global": block}
    kinds = fields.kinds(lambda layer: FULL if layer % 2 else LOCAL)
    return stack(fields, ["global" if kind == FULL else "local" for kind in kinds], parts, untied(fields))


def llama4(fields: Fields) -> Transformer:
    """Three of four layers see their chunk; some have experts beside a shared one, some are dense."""
    text = fields.inside("text_config")
    whole = attention(text)
    local = replace(whole, chunk=text.number("attention_chunk_size"))
    width, step = text.number("intermediate_size"), text.number("interleave_moe_layer_step", default=1)
    routed = replace(experts(text, "intermediate_size"), shared=GatedFeedForward(width))
    sparse = text.get("moe_layers") or [layer for layer in range(text.layers) if (layer + 1) % step == 0]
    chunked = _chunked(text)
    names = [
        f"{'sparse' if layer in sparse else 'dense'}_{'local' if chunked[layer] else 'global'}"
        for layer in range(text.layers)
    ]
    parts = {"sparse_local": Block(local, routed, 1.0), "sparse_global": Block(whole, routed, 1.0)}
    if len(set(sparse)) < text.layers:
        dense = GatedFeedForward(text.number("intermediate_size_mlp"))
        parts = {"dense_local": Block(local, dense, 1.0), "dense_global": Block(whole, dense, 1.0)} | parts
    return stack(text, names, parts, untied(text))


def _chunked(fields: Fields) -> list[bool]:
    """Which layers see their chunk alone: those with rotary positions, which every fourth lacks if nothing is said."""
    stated = fields.get("no_rope_layers")  # 1 where a layer has rotary positions, against what the name says
    if stated:
        return [bool(one) for one in stated]
    every = fields.number("no_rope_layer_interval", default=4)
    return [kind != FULL for kind in fields.kinds(lambda layer: LOCAL if (layer + 1) % every else FULL)]


def deepseek(fields: Fields) -> Transformer:
    """Latent attention; the first layers are dense, of the others every `moe_layer_freq`-th has experts."""
    mixer = LatentAttention(
        heads=fields.number("num_attention_heads"),
        query_rank=fields.number("q_lora_rank"),
        latent_rank=fields.number("kv_lora_rank"),
        plain_dim=fields.number("qk_nope_head_dim"),
        rotary_dim=fields.number("qk_rope_head_dim"),
        value_dim=fields.number("v_head_dim"),
    )
    biased = float(fields.get("topk_method") == "noaux_tc")
    routed = experts(fields, "moe_intermediate_size", router_biased=biased)
    together = fields.number("n_shared_experts", default=0) * routed.width
    routed = replace(routed, shared=GatedFeedForward(together) if together else None)
    first, every = fields.number("first_k_dense_replace", default=0), fields.number("moe_layer_freq", default=1)
    names = ["sparse" if layer >= first and layer % every == 0 else "dense" for layer in range(fields.layers)]
    dense = GatedFeedForward(fields.number("intermediate_size"))
    parts = {"dense": Block(mixer, dense, 1.0), "sparse": Block(mixer, routed, 1.0)}
    return stack(fields, names, parts, untied(fields))


READERS: dict[str, Reader] = {
    "mixtral": mixtral, "qwen3_moe": qwen3_moe, "minimax_m2": minimax_m2, "MiniMaxM2ForCausalLM": minimax_m2,
    "gpt_oss": gpt_oss, "llama4": llama4, "llama4_text": llama4, "deepseek_v2": deepseek, "deepseek_v3": deepseek,
    "kimi_k2": deepseek,
}  # fmt: skip
