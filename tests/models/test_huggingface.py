"""Models read from their own files: the same as the shipped ones, and words for what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from configurations import FALCON_7B, GPT2, LLAMA3, PUBLISHED
from counting import model
from machines import CONF, candidate, composed, names

from dse.configuration.reading import node_of
from dse.configuration.schema import build
from dse.problem.template import template
from models.huggingface import READERS, read, transformer
from models.transformer import Transformer

LLAMA = PUBLISHED["llama3_8b"]
OTHERWISE = {"phi3_mini": ("window", 2048)}  # the shipped model follows another source than its own file


def shipped(name: str) -> dict[str, Any]:
    found = yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text())
    return {key: value for key, value in found.items() if key != "aliases"}


def replaced(node: Any, name: str, value: float) -> Any:
    if not isinstance(node, dict):
        return node
    return {key: value if key == name else replaced(inner, name, value) for key, inner in node.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "config.json"
    found.write_text(json.dumps(LLAMA))
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_file_gives_the_shipped_model(name: str) -> None:
    found = node_of(transformer(PUBLISHED[name]))
    found = replaced(found, *OTHERWISE[name]) if name in OTHERWISE else found
    if name == "phi3_mini":  # a window in every layer is a block of its own there
        found = json.loads(json.dumps(found).replace('"local"', '"all"'))
    assert found == shipped(name)


@pytest.mark.parametrize(
    ("content", "weights", "left_out"), [(GPT2, 124_439_808, 768), (FALCON_7B, 6_921_720_704, 4544)]
)
def test_files_of_models_that_are_not_shipped(content: dict[str, Any], weights: int, left_out: int) -> None:
    """Exact, but for the bias of the last norm."""
    assert float(transformer(content).parameters()) == weights - left_out


def test_every_family_is_read_here() -> None:
    """By its type or by its architecture."""
    known = [
        *PUBLISHED.values(),
        GPT2,
        *(content["text_config"] for content in PUBLISHED.values() if "text_config" in content),
    ]
    keys = {key for content in known for key in (content.get("model_type"), *content.get("architectures", ()))}
    assert set(READERS) - keys == {"deepseek_v2", "minimax_m2"}  # built as others of these


def test_words_for_layers_and_patterns_say_the_same() -> None:
    """New files list every layer, old ones state a pattern."""
    for name in ("gemma2_9b", "gemma3_1b", "gpt_oss_20b"):
        content = PUBLISHED[name]
        kinds = [
            "full_attention" if (i + 1) % (6 if "3" in name else 2) == 0 else "sliding_attention" for i in range(99)
        ]
        listed = content | {"layer_types": kinds[: content["num_hidden_layers"]]}
        plain = {field: value for field, value in content.items() if field != "layer_types"}
        assert node_of(transformer(listed)) == node_of(transformer(plain)) == shipped(name)


def test_sparse_layers_among_dense_ones() -> None:
    content = PUBLISHED["qwen3_30b_a3b"] | {"decoder_sparse_step": 2, "mlp_only_layers": [1, 3]}
    blocks = transformer(content).blocks
    assert {name: float(block.layers) for name, block in blocks.items()} == {"dense": 26, "sparse": 22}


def test_a_component_and_its_node_are_the_same() -> None:
    for name in ("gpt_oss_20b", "deepseek_v3", "nemotron_h_8b"):
        assert build(node_of(model(name)), "model") == model(name)


# ---- from the command line --------------------------------------------------------------------------------------


def test_a_file_or_its_folder_may_be_named(file: Path) -> None:
    assert read(file) == read(file.parent) == Transformer.from_huggingface(str(file))
    assert float(read(file).parameters()) == float(model("llama3_8b").parameters())


def test_what_is_read_stands_where_a_shipped_model_would(file: Path) -> None:
    """The same tree, so that keys, messages and searches are the same."""
    overrides = ("model=huggingface", f"model.path={file}")
    node = composed(*overrides)["model"]
    assert {key: value for key, value in node.items() if key != "about"} == shipped("llama3_8b")
    assert names(candidate(*overrides)) == names(candidate("model=llama3_8b"))
    assert template(overrides).candidate.model == model("llama3_8b")


def test_values_are_laid_over_what_is_read(file: Path) -> None:
    given = ("model=huggingface", f"model.path={file}", "+model.hidden=2048", "+model.blocks.all.layers=3")
    found = candidate(*given).model
    assert (float(found.hidden), float(found.layers), float(found.vocabulary)) == (2048, 3, 128256)


def test_a_wrong_value_laid_over_is_refused_as_in_a_shipped_model(file: Path) -> None:
    with pytest.raises(ValueError, match=r"\+model.hidden=0.5: model.hidden: 0.5 must be"):
        template(["model=huggingface", f"model.path={file}", "+model.hidden=0.5"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "model.path: name the file"),
        (["model.path=nowhere.json"], "model.path: nowhere.json: there is no such file"),
    ],
)
def test_a_file_that_is_not_there_is_said(given: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        template(["model=huggingface", *given])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "this is not JSON"),
        ("[]", "a map of fields is expected, not list"),
        ("{}", "neither model_type nor architectures"),
        (json.dumps({"model_type": "llama5"}), "llama5 is not supported; did you mean 'llama'.* known are: .*mixtral"),
        (json.dumps({"model_type": "t5", "architectures": ["T5"]}), "T5 / t5 is not supported"),
        (json.dumps({k: v for k, v in LLAMA.items() if k != "hidden_size"}), "hidden_size: this field is missing"),
        (json.dumps(LLAMA | {"vocab_size": "many"}), "vocab_size: 'many' is no whole number from 0"),
        (json.dumps(LLAMA | {"num_attention_heads": 0}), "num_attention_heads: 0 is no whole number from 1"),
        (json.dumps(LLAMA | {"num_hidden_layers": 1.5}), "num_hidden_layers: 1.5 is no whole number"),
        (json.dumps(LLAMA | {"layer_types": ["full_attention"]}), "layer_types: 1 words for 32 layers"),
        (json.dumps(LLAMA | {"num_key_value_heads": 5}), "key_value_heads must divide heads"),
        (json.dumps(PUBLISHED["nemotron_h_8b"] | {"hybrid_override_pattern": "ME*"}), "'ME[*]' is no row of M"),
        (json.dumps(PUBLISHED["opt_13b"] | {"word_embed_proj_dim": 512}), "narrower than the layers"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_name_of_the_file(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=words) as raised:
        composed("model=huggingface", f"model.path={file}")
    assert str(raised.value).startswith(f"model.path: {file}: ")


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="this is not JSON"):
        read(tmp_path)


def test_a_field_inside_a_part_is_named_with_the_part() -> None:
    text = {key: value for key, value in PUBLISHED["llama4_scout"]["text_config"].items() if key != "hidden_size"}
    with pytest.raises(ValueError, match=r"config.json: text_config: hidden_size"):
        transformer({"model_type": "llama4", "text_config": text})
    assert LLAMA3["model_type"] == "llama"
