"""Work against what is known of it: published parameter counts, a compiler's count of operations, and its own parts."""

from __future__ import annotations

import csv
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import candidate, files

from dse.measured import folder
from models.attention import GroupedQueryAttention
from models.feedforward import GatedFeedForward
from models.operators import CacheProduct, WeightProduct, Work
from models.parallelism import attention_shards, attention_shards_are_whole
from models.transformer import Transformer

NAMES = {"llama3_8b": "Llama 3 8B", "llama3_70b": "Llama 3 70B", "llama2_70b": "Llama 2 70B"}
MODELS = files("model")
TABLE = folder() / "model_configs.csv"
SPARE = jax.ShapeDtypeStruct  # arguments that are never there: programs are counted, not run


def model(name: str) -> Transformer:
    return candidate(f"model={name}").model


def published(name: str) -> dict[str, str]:
    """The row of a model in the table of public configurations."""
    if not TABLE.is_file():
        pytest.skip(f"{TABLE} is not there; name its folder in INFERSCAPE_DATA")
    with TABLE.open(newline="") as file:
        return next(row for row in csv.DictReader(file) if row["model"] == NAMES[name])


# ---- parameters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_as_many_as_published(name: str) -> None:
    """0.5 %: the published count is rounded to three digits. The computed one is exact, but leaves out the norms."""
    row, found = published(name), float(model(name).parameters())
    norms = (2 * model(name).layers + 1) * model(name).hidden
    assert found - norms == float(row["params_total_calc"])
    assert found == pytest.approx(float(row["published_params"].rstrip("B")) * 1e9, rel=0.005)


@pytest.mark.parametrize("name", MODELS)
def test_shapes_are_those_of_the_published_configuration(name: str) -> None:
    row, found = published(name), model(name)
    shapes = {
        "n_layers": found.layers, "hidden": found.hidden, "vocab": found.vocabulary, "max_ctx": found.longest_context,
        "n_heads": found.attention.heads, "n_kv_heads": found.attention.key_value_heads,
        "head_dim": found.attention.head_dim, "ffn_dim": found.feedforward.width,
    }  # fmt: skip
    assert {column: float(row[column]) for column in shapes} == shapes
    assert found.untied == (row["tied_embeddings"] == "False")


def test_heads_must_divide_into_groups() -> None:
    with pytest.raises(ValueError, match="key_value_heads must divide heads"):
        GroupedQueryAttention(heads=10, key_value_heads=4, head_dim=64)


# ---- operations, counted by a compiler --------------------------------------------------------------------------

SMALL = Transformer(
    attention=GroupedQueryAttention(heads=8.0, key_value_heads=2.0, head_dim=128.0),
    feedforward=GatedFeedForward(width=3584.0), layers=2.0, hidden=1024.0, vocabulary=4096.0, untied=1.0,
    longest_context=4096.0,
)  # fmt: skip
HEADS, KEYS, DIM, HIDDEN, WIDTH = 8, 2, 128, 1024, 3584
Values = Any


def norm(x: Values, weight: Values) -> Values:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5) * weight


def rotated(x: Values, cosine: Values, sine: Values) -> Values:
    """Rotary embedding of [..., dim]; halves are exchanged, which moves numbers and computes none."""
    half = x.shape[-1] // 2
    return x * cosine + jnp.concatenate([x[..., half:], x[..., :half]], axis=-1) * sine


def attended(query: Values, keys: Values, values: Values) -> Values:
    """[s, q, heads, dim] queries on [s, c, keys, dim]: every query on the whole context, nothing masked."""
    grouped = query.reshape(*query.shape[:2], KEYS, HEADS // KEYS, DIM)
    scores = jax.nn.softmax(jnp.einsum("sqkgd,sckd->skgqc", grouped, keys) / DIM**0.5, axis=-1)
    return jnp.einsum("skgqc,sckd->sqkgd", scores, values).reshape(*query.shape[:2], HEADS * DIM)


def layer(x: Values, w: dict[str, Values], old: Values, cosine: Values, sine: Values) -> Values:
    """A Llama layer of [sequences, tokens, hidden] after `old` keys and values [2, sequences, context, keys, dim]."""
    inside = norm(x, w["n1"])
    query = rotated((inside @ w["q"]).reshape(*x.shape[:2], HEADS, DIM), cosine, sine)
    key = rotated((inside @ w["k"]).reshape(*x.shape[:2], KEYS, DIM), cosine, sine)
    value = (inside @ w["v"]).reshape(*x.shape[:2], KEYS, DIM)
    keys, values = jnp.concatenate([old[0], key], axis=1), jnp.concatenate([old[1], value], axis=1)
    x = x + attended(query, keys, values) @ w["o"]
    inside = norm(x, w["n2"])
    return x + (jax.nn.silu(inside @ w["gate"]) * (inside @ w["up"])) @ w["down"], keys, values


def compiled_operations(sequences: int, tokens: int, context: int) -> float:
    """Operations of the layer as the compiler counts them: a multiply-accumulate is two, an exponential none."""
    shapes = {"q": (HIDDEN, HEADS * DIM), "k": (HIDDEN, KEYS * DIM), "v": (HIDDEN, KEYS * DIM)}
    shapes |= {"o": (HEADS * DIM, HIDDEN), "gate": (HIDDEN, WIDTH), "up": (HIDDEN, WIDTH), "down": (WIDTH, HIDDEN)}
    weights = {name: SPARE(shape, jnp.float32) for name, shape in (shapes | {"n1": (HIDDEN,), "n2": (HIDDEN,)}).items()}
    old = SPARE((2, sequences, context - tokens, KEYS, DIM), jnp.float32)
    turn = SPARE((tokens, 1, DIM), jnp.float32)
    lowered = jax.jit(layer).lower(SPARE((sequences, tokens, HIDDEN), jnp.float32), weights, old, turn, turn)
    return lowered.compile().cost_analysis()["flops"]


def operations(work: Work) -> tuple[float, float]:
    """Operations of the products, and those beside them."""
    products = sum(2 * float(operator.macs) for operator in work.operators)
    return products, sum(float(operator.vector_ops) for operator in work.operators)


@pytest.mark.parametrize(
    ("sequences", "tokens", "context"),
    [(1, 96, 96), (1, 32, 512), (8, 1, 512)],
    ids=["prompt", "rest of a prompt", "step of eight"],
)
def test_operations_are_those_that_a_compiler_counts(sequences: int, tokens: int, context: int) -> None:
    """The plain layer attends to all of the context, so the context is asked for, not its causal mean.

    Products alone: norms, rotary, softmax, gates and sums are 0.2 % of a layer of this size. Those by themselves: 10 %,
    since the compiler counts no exponential and no maximum, and fuses what it likes; it comes to 6 % at most.
    """
    counted = compiled_operations(sequences, tokens, context)
    products, beside = operations(SMALL.layer(float(sequences * tokens), float(sequences), float(context), 1.0))
    assert counted == pytest.approx(products, rel=0.005)
    assert counted - products == pytest.approx(beside, rel=0.1)


def test_the_head_is_one_product() -> None:
    lowered = jax.jit(jnp.matmul).lower(SPARE((16, HIDDEN), jnp.float32), SPARE((HIDDEN, 4096), jnp.float32))
    products, _ = operations(SMALL.head(16.0, 1.0))
    assert lowered.compile().cost_analysis()["flops"] == products


# ---- shards sum to the whole ------------------------------------------------------------------------------------

WHOLE = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # divide every width, head and vocabulary of the shipped models
UNEVEN = (24, 40, 48, 72)  # cut the context in 3, 5, 6, 9, and some widths unevenly


@pytest.mark.parametrize("tensor", WHOLE)
@pytest.mark.parametrize("name", MODELS)
def test_shards_sum_to_the_whole(name: str, tensor: int) -> None:
    """Exact where everything divides: counts are whole numbers below 2^53. The context is 4096: 32 shares of 128."""
    found, devices = model(name), float(tensor)
    whole, part = (found.layer(6.0, 3.0, 4096.0, t) for t in (1.0, devices))
    for one, other in zip(part.operators, whole.operators, strict=True):
        assert float(one.macs) * tensor == float(other.macs)
        assert float(one.held_elements) * tensor == float(other.held_elements)
        assert float(one.cache_written) * tensor == float(other.cache_written)
    assert float(found.head(3.0, devices).operators[0].macs) * tensor == float(found.head(3.0, 1.0).operators[0].macs)
    assert float(found.held_parameters(devices, found.layers)) * tensor == found.parameters()
    assert float(found.held_cache_elements(devices, found.layers)) * tensor == found.cache_elements()


@pytest.mark.parametrize("tensor", UNEVEN)
@pytest.mark.parametrize("name", MODELS)
def test_uneven_shards_do_at_least_the_whole(name: str, tensor: int) -> None:
    """The fullest device has at most one column, or one token of context, more than an even share."""
    found = model(name)
    whole, part = (found.layer(6.0, 3.0, 4097.0, float(t)) for t in (1, tensor))
    for one, other in zip(part.operators, whole.operators, strict=True):
        shares, widest = float(one.macs) * tensor / float(other.macs), max(1, tensor / float(min(one[1:3])))
        assert 1 - 1e-12 <= shares <= 1 + widest, one  # 1e-12: the quotient of two whole numbers


@pytest.mark.parametrize("name", MODELS)
def test_stages_sum_to_the_whole(name: str) -> None:
    """Layers once each; of the ends, each stage is charged the larger one."""
    found, layers = model(name), float(model(name).layers)
    ends = found.parameters() - layers * found.layer_parameters()
    for stages in (2, 4, 8, 16):
        held = stages * float(found.held_parameters(1.0, layers / stages))
        assert held - layers * found.layer_parameters() >= ends
        assert held >= found.parameters()
        assert stages * float(found.held_cache_elements(1.0, layers / stages)) == found.cache_elements()


@given(tensor=st.integers(1, 512), heads=st.sampled_from([1, 2, 4, 8, 16]))
def test_a_group_is_cut_over_heads_and_context(tensor: int, heads: int) -> None:
    shards = attention_shards(float(tensor), float(heads))
    assert float(shards.heads * shards.context) == pytest.approx(tensor, rel=1e-12)  # a quotient and its product
    assert float(shards.heads) <= heads
    whole = tensor % heads == 0 or heads % tensor == 0
    assert bool(attention_shards_are_whole(float(tensor), float(heads))) == whole


@pytest.mark.parametrize("tensor", [1, 8, 64])
def test_one_device_exchanges_only_with_itself(tensor: int) -> None:
    """The exchanges are there for every degree; groups of one make them free. Their sizes do not grow with it."""
    one, other = (model("llama3_8b").layer(4.0, 4.0, 1000.0, float(t)).exchanges for t in (1, tensor))
    assert [type(exchange) for exchange in one] == [type(exchange) for exchange in other]
    for small, large in zip(other, one, strict=True):
        assert float(small.elements) <= float(large.elements)


# ---- tokens -----------------------------------------------------------------------------------------------------


def weight_macs(work: Work) -> float:
    return sum(float(operator.macs) for operator in work.operators if isinstance(operator, WeightProduct))


def cache_macs(work: Work) -> float:
    return sum(float(operator.macs) for operator in work.operators if isinstance(operator, CacheProduct))


@given(tokens=st.integers(1, 8192), tensor=st.sampled_from([1, 8, 64]))
def test_a_prompt_multiplies_weights_as_often_as_its_steps(tokens: int, tensor: int) -> None:
    found = model("llama3_8b")
    prompt = found.layer(float(tokens), 1.0, (tokens + 1) / 2, float(tensor))
    step = found.layer(1.0, 1.0, 100.0, float(tensor))
    assert weight_macs(prompt) == tokens * weight_macs(step)
    assert sum(float(o.cache_written) for o in prompt.operators) == tokens * found.attention.cache_elements() / tensor


@pytest.mark.parametrize("tokens", [1, 2, 101, 1155])
def test_a_prompt_attends_as_often_as_its_steps(tokens: int) -> None:
    """Token i attends to i tokens, itself included. Of an even count the mean is no whole number and is rounded up."""
    found = model("llama3_8b")
    prompt = cache_macs(found.layer(float(tokens), 1.0, (tokens + 1) / 2, 1.0))
    steps = sum(range(1, tokens + 1)) * cache_macs(found.layer(1.0, 1.0, 1.0, 1.0))
    assert steps <= prompt <= steps * (1 + 1 / (tokens + 1))


@given(sequences=st.integers(1, 64), context=st.integers(1, 4096))
def test_sequences_are_independent(sequences: int, context: int) -> None:
    found = model("llama2_70b")
    batch = found.layer(float(sequences), float(sequences), float(context), 8.0)
    assert cache_macs(batch) == sequences * cache_macs(found.layer(1.0, 1.0, float(context), 8.0))
    held = [float(operator.held_elements) for operator in batch.operators if isinstance(operator, CacheProduct)]
    assert sum(held) * 8 == sequences * context * found.attention.cache_elements()


# ---- traffic ----------------------------------------------------------------------------------------------------


@given(prompt=st.integers(1, 3000), output=st.integers(2, 500))
def test_contexts_are_the_means_of_what_tokens_see(prompt: int, output: int) -> None:
    """The prompt gives the first token; each later one attends to the prompt, those before it and itself."""
    traffic = candidate("serving=chat").serving
    traffic = jax.tree.unflatten(jax.tree.structure(traffic), [float(prompt), float(output), 1.0, 1.0, 1.0, 1.0])
    steps = [prompt + step for step in range(1, output)]
    assert traffic.mean_context == pytest.approx(sum(steps) / len(steps), rel=1e-12)  # sums of whole numbers
    assert traffic.prefill_context == sum(range(1, prompt + 1)) / prompt
    assert traffic.last_context == prompt + output > max(steps)
