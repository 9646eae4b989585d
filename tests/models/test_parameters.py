"""Parameters, shapes and bytes of the shipped models against what is published of them."""

from __future__ import annotations

import re

import pytest
from counting import MODELS, model, published
from machines import candidate

from dse.evaluation.holding import weight_bytes
from models.attention import GroupedQueryAttention
from models.block import Block
from models.experts import MixtureOfExperts
from models.latent import LatentAttention
from models.parallelism import Cut
from models.state_space import StateSpace
from models.transformer import Transformer

ODD = {  # published name -> file name, where that is not the same in lower case with underscores
    "Mistral 7B v0.1": "mistral_7b", "GPT-J 6B": "gptj_6b", "GPT-3 175B": "gpt3_175b", "Phi-2": "phi2",
    "Megatron GPT 530B": "megatron_530b", "Phi-3 mini": "phi3_mini", "Phi-4 14B": "phi4_14b", "Phi-4 mini": "phi4_mini",
}  # fmt: skip
EXACT = {  # every weight that their authors or hubs count, to the last
    "llama3_8b": 8_030_261_248, "qwen3_8b": 8_190_735_360, "qwen2_5_7b": 7_615_616_512, "mixtral_8x7b": 46_702_792_704,
    "gpt_oss_20b": 20_914_757_184, "gpt_oss_120b": 116_829_156_672, "deepseek_v3": 671_026_419_200,
    "nemotron_h_8b": 8_100_852_736,
}  # fmt: skip
OTHERWISE = {"mistral_7b": ("max_ctx",)}  # the table has its window there; 32768 is what its own file says
NOT_IN_TABLE = ("mamba2_2_7b", "nemotron_h_8b")


def file_name(title: str) -> str:
    plain = re.sub(r"^(llama|gemma|qwen)[ -]?(?=\d)", r"\1", title.lower().replace(" (text)", ""))
    return ODD.get(title) or re.sub(r"[ .\-]+", "_", plain)


ROWS = [name for name in MODELS if name not in NOT_IN_TABLE]


def row(name: str) -> dict[str, str]:
    return next(row for title, row in published().items() if file_name(title) == name)


def norms(found: Transformer) -> float:
    """Weights of all norms of layers and of the last."""
    return float(found.over_layers(lambda block: block.norms * found.hidden) + found.hidden)


def biases(found: Transformer) -> float:
    """Weights that the table leaves out: biases, norms inside of attention, sinks."""
    return float(found.over_layers(lambda block: left_out(block, found.hidden)))


def left_out(block: Block, hidden: float) -> float:
    mixer, after = block.mixer, block.feedforward
    if isinstance(mixer, LatentAttention):
        inside = mixer.query_rank + mixer.latent_rank
    else:
        assert isinstance(mixer, GroupedQueryAttention)
        inside = mixer.biased * (mixer.heads + 2 * mixer.key_value_heads) * mixer.head_dim
        inside += mixer.output_biased * hidden + mixer.norm_weights + mixer.sinks * mixer.heads
    if isinstance(after, MixtureOfExperts):
        each = after.biased * ((1 + after.gated) * after.width + hidden) + after.router_biased
        return inside + after.routed * each
    return inside + getattr(after, "biased", 0.0) * (after.width + hidden)


def test_every_published_language_model_is_there() -> None:
    assert sorted(file_name(title) for title in published()) == sorted(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_parameters_are_as_many_as_published(name: str) -> None:
    """Exact, once what the table leaves out is taken away: norms and biases, 0.05 % at most."""
    found, whole = model(name), float(row(name)["params_total_calc"])
    assert float(found.parameters()) - norms(found) - biases(found) == whole
    assert float(found.parameters()) == pytest.approx(whole, rel=0.0005)


@pytest.mark.parametrize(("name", "weights"), EXACT.items())
def test_parameters_are_those_of_the_published_weights(name: str, weights: int) -> None:
    assert float(model(name).parameters()) == weights


def test_parameters_of_a_state_space_model() -> None:
    """Published as 2.7 B, two digits."""
    assert float(model("mamba2_2_7b").parameters()) == pytest.approx(2.7e9, rel=0.02)


@pytest.mark.parametrize("name", ROWS)
def test_active_parameters_are_as_many_as_published(name: str) -> None:
    """1 %. Of models with experts the table leaves out the table of tokens, of which a token reads one row."""
    found = model(name)
    looked_up = float(found.embedding_parameters()) if float(found.experts) else 0.0
    active = float(found.active_parameters()) - looked_up
    assert active == pytest.approx(float(row(name)["params_active_calc"]), rel=0.01)


@pytest.mark.parametrize("name", ROWS)
def test_shapes_are_those_of_the_published_configuration(name: str) -> None:
    stated, found = row(name), model(name)
    first, *_, last = [*found.blocks.values()] * 2
    mixer, after = first.mixer, last.feedforward
    shapes = {
        "n_layers": found.layers, "hidden": found.hidden, "vocab": found.vocabulary, "max_ctx": found.longest_context,
        "n_heads": mixer.heads,
    }  # fmt: skip
    if isinstance(mixer, GroupedQueryAttention):
        shapes |= {"n_kv_heads": mixer.key_value_heads, "head_dim": mixer.head_dim}
        shapes |= {"sliding_window": mixer.window + mixer.chunk} if stated["sliding_window"] else {}
    else:
        shapes |= {"kv_lora_rank": mixer.latent_rank, "q_lora_rank": mixer.query_rank, "v_head_dim": mixer.value_dim}
        shapes |= {"qk_nope_dim": mixer.plain_dim, "qk_rope_dim": mixer.rotary_dim}
    if isinstance(after, MixtureOfExperts):
        shapes |= {"n_experts": after.routed, "top_k": after.top_k, "moe_ffn_dim": after.width}
    else:
        shapes |= {"ffn_dim": after.width}
    for column in OTHERWISE.get(name, ()):
        del shapes[column]
    assert {column: float(stated[column]) for column in shapes} == shapes
    assert found.untied == (stated["tied_embeddings"] == "False")


@pytest.mark.parametrize("name", ROWS)
def test_layers_of_each_kind_are_as_many_as_published(name: str) -> None:
    stated, blocks = row(name), model(name).blocks.values()
    seeing = [b for b in blocks if isinstance(b.mixer, GroupedQueryAttention) and not (b.mixer.window + b.mixer.chunk)]
    dense = [block for block in blocks if not float(block.feedforward.experts)]
    if stated["sliding_window"]:
        assert sum(block.layers for block in seeing) == float(stated["global_layers"] or 0)
    if stated["n_dense_layers"]:
        assert sum(block.layers for block in dense) == float(stated["n_dense_layers"])
    if stated["moe_every"]:
        assert sum(block.layers for block in dense) * float(stated["moe_every"]) == model(name).layers


# ---- bytes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "gigabytes"), [("gpt_oss_120b", 65.28), ("gpt_oss_20b", 13.74)])
def test_experts_have_a_format_of_their_own(name: str, gigabytes: float) -> None:
    """Published checkpoints weigh 60.8 and 12.8 GiB (arXiv 2508.10925, table 1). 1 %: biases of experts are in BF16
    there, and all weights of an expert are in its format here."""
    found = candidate(f"model={name}", "format=gpt_oss")
    held = found.model.parameters() - found.model.expert_parameters()
    size = held * found.format.weights.bytes + found.model.expert_parameters() * found.format.expert_weights.bytes
    assert float(size) == pytest.approx(gigabytes * 1e9, rel=0.01)
    assert found.format.expert_weights.bits == 4.25


def test_all_weights_of_a_machine_are_those_of_the_model() -> None:
    from machines import mapping

    found = candidate("model=gpt_oss_20b", "format=gpt_oss")
    held = weight_bytes(found.model, found.format, mapping(), found.model.layers)
    split = weight_bytes(found.model, found.format, mapping(tensor=2, attention_data=2, expert=4), found.model.layers)
    experts = found.model.expert_parameters() * found.format.expert_weights.bytes
    assert float(split) == pytest.approx(float((held - experts) / 2 + experts / 4), rel=1e-12)


@pytest.mark.parametrize("context", [1, 100, 5000, 100_000])
def test_cache_holds_what_each_kind_leaves(context: int) -> None:
    """Per sequence and token: 70 272 B of a latent model in BF16 (DeepSeek-V3: 61 layers of 576), windows and chunks
    full, states the same for every context."""
    assert float(model("deepseek_v3").cache_elements(float(context))) == 61 * 576 * context
    near = min(context, 8192)
    assert float(model("llama4_scout").cache_elements(float(context))) == 2 * 8 * 128 * (36 * near + 12 * context)
    seen = min(context, 128)
    assert float(model("gpt_oss_20b").cache_elements(float(context))) == 2 * 8 * 64 * 12 * (seen + context)
    state = 64 * (80 * 64 * 128 + 3 * (80 * 64 + 2 * 128))
    assert float(model("mamba2_2_7b").cache_elements(float(context))) == state


@pytest.mark.parametrize("name", MODELS)
def test_cache_of_shards_is_that_of_the_whole(name: str) -> None:
    found = model(name)
    heads = int(min(block.mixer.cache_heads for block in found.blocks.values()))
    for tensor, sequence in ((1, 1), (heads, 1), (4 * heads, 4)):
        cut = Cut(float(tensor), float(sequence))
        held = float(found.held_cache_elements(4096.0, cut, found.layers)) * tensor
        if all(isinstance(b.mixer, StateSpace) or b.mixer.cache_heads == heads for b in found.blocks.values()):
            assert held == pytest.approx(float(found.cache_elements(4096.0)), rel=1e-12)
        assert float(found.held_cache_elements(4096.0, cut, found.layers / 2)) * tensor == pytest.approx(held / 2)


def test_heads_must_divide_into_groups() -> None:
    with pytest.raises(ValueError, match="key_value_heads must divide heads"):
        GroupedQueryAttention(heads=10, key_value_heads=4, head_dim=64)


def test_a_token_cannot_go_to_more_experts_than_there_are() -> None:
    with pytest.raises(ValueError, match="top_k must be at most routed"):
        MixtureOfExperts(routed=4, top_k=8, width=64)
