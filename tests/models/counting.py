"""What the tests of models share: shipped models, sums over their work, and a compiler's count of operations."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from machines import CONF, candidate, files

from dse.configuration.measured import folder
from models.batch import Batch, Segment
from models.operators import CacheProduct, ExpertProduct, WeightProduct, Work
from models.transformer import Transformer

MODELS = [name for name in files("model") if "models.diffusion" not in (CONF / f"model/{name}.yaml").read_text()]
TABLE = folder() / "model_configs.csv"
EVERY_KIND = ("llama3_8b", "llama4_maverick", "gpt_oss_20b", "gemma3_4b", "deepseek_v3", "mamba2_2_7b", "nemotron_h_8b",
              "falcon_180b", "opt_13b")  # fmt: skip
Shape = tuple[int, ...]


def model(name: str) -> Transformer:
    return candidate(f"model={name}").model


def published() -> dict[str, dict[str, str]]:
    """The rows of the table of public configurations by the published name."""
    if not TABLE.is_file():
        pytest.skip(f"{TABLE} is not there; name its folder in INFERSCAPE_DATA")
    with TABLE.open(newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file) if row["params_total_calc"]}


def prompt(tokens: float, past: float = 0.0, sequences: float = 1.0) -> Batch:
    return Batch((Segment(float(sequences), float(tokens), float(past)),), float(sequences))


def step(context: float, sequences: float = 1.0) -> Batch:
    """One new token of each sequence, which attends to `context` tokens."""
    return prompt(1.0, context - 1.0, sequences)


def macs(work: Work, *kinds: type) -> float:
    """Multiply-accumulates of the operators of these kinds, of all where none is named."""
    return sum(float(one.macs) for one in work.operators if not kinds or isinstance(one, kinds))


def weight_macs(work: Work) -> float:
    return macs(work, WeightProduct, ExpertProduct)


def cache_macs(work: Work) -> float:
    return macs(work, CacheProduct)


def cache_read(work: Work) -> float:
    return sum(float(one.held_elements) for one in work.operators if isinstance(one, CacheProduct))


def cache_written(work: Work) -> float:
    return sum(float(one.cache_written) for one in work.operators)


def vector_ops(work: Work) -> float:
    """Elementwise operations of the work, within its products and around them."""
    return sum(float(one.vector_ops) + float(one.around.operations) for one in work.operators)


def compiled(function: Callable[..., Any], *shapes: Any) -> float:
    """Operations of a function as the compiler counts them: a multiply-accumulate is two, an exponential none.

    shapes : of its arguments, or dictionaries of such; nothing is run.
    """
    arguments = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s, jnp.float32), shapes, is_leaf=lambda s: is_shape(s))
    return float(jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"])


def is_shape(given: Any) -> bool:
    return isinstance(given, tuple) and all(isinstance(length, int) for length in given)


def hidden_pairs(tokens: int, past: int, sees: Callable[[int, int], bool]) -> int:
    """Pairs of a new token and one of the context that a mask hides, of those that a layer without one computes."""
    return sum(not sees(past + query, key) for query in range(tokens) for key in range(past + tokens))


def causal(query: int, key: int) -> bool:
    return key <= query
