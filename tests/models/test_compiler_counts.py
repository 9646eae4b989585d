"""Operations of every kind of layer against a compiler's count of a plain one, which hides nothing from anybody."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from counting import causal, compiled, hidden_pairs, macs, prompt, step, vector_ops

from models.attention import GroupedQueryAttention
from models.block import Block
from models.experts import MixtureOfExperts
from models.feedforward import GatedFeedForward, PlainFeedForward
from models.latent import LatentAttention
from models.parallelism import Cut
from models.state_space import StateSpace
from models.transformer import Transformer

HEADS, KEYS, DIM, HIDDEN, WIDTH = 8, 2, 128, 1024, 3584
ATTENTION = GroupedQueryAttention(float(HEADS), float(KEYS), float(DIM))
LAYER = Block(ATTENTION, GatedFeedForward(float(WIDTH)), 1.0)
ALONE = Cut()
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
    """A layer of [sequences, tokens, hidden] after `old` keys and values [2, sequences, context, keys, dim]."""
    inside = norm(x, w["n1"])
    query = rotated((inside @ w["q"]).reshape(*x.shape[:2], HEADS, DIM), cosine, sine)
    key = rotated((inside @ w["k"]).reshape(*x.shape[:2], KEYS, DIM), cosine, sine)
    value = (inside @ w["v"]).reshape(*x.shape[:2], KEYS, DIM)
    keys, values = jnp.concatenate([old[0], key], axis=1), jnp.concatenate([old[1], value], axis=1)
    x = x + attended(query, keys, values) @ w["o"]
    inside = norm(x, w["n2"])
    return x + (jax.nn.silu(inside @ w["gate"]) * (inside @ w["up"])) @ w["down"], keys, values


def compiled_layer(sequences: int, tokens: int, context: int) -> float:
    weights = {"q": (HIDDEN, HEADS * DIM), "k": (HIDDEN, KEYS * DIM), "v": (HIDDEN, KEYS * DIM), "n1": (HIDDEN,),
               "o": (HEADS * DIM, HIDDEN), "gate": (HIDDEN, WIDTH), "up": (HIDDEN, WIDTH), "down": (WIDTH, HIDDEN),
               "n2": (HIDDEN,)}  # fmt: skip
    old, turn = (2, sequences, context - tokens, KEYS, DIM), (tokens, 1, DIM)
    return compiled(layer, (sequences, tokens, HIDDEN), weights, old, turn, turn)


@pytest.mark.parametrize(
    ("sequences", "tokens", "context"),
    [(1, 95, 95), (1, 31, 512), (8, 1, 512)],
    ids=["prompt", "rest of a prompt", "step of eight"],
)
def test_a_layer_of_grouped_attention(sequences: int, tokens: int, context: int) -> None:
    """The plain layer attends to all of the context, so that is what is asked for, not the causal mean.

    Products alone: norms, rotary, softmax, gates and sums are 0.2 % of a layer of this size. Those by themselves: 10 %,
    since the compiler counts no exponential and no maximum, and fuses what it likes; it comes to 6 % at most.
    """
    counted = compiled_layer(sequences, tokens, context)
    work = LAYER.work(float(HIDDEN), prompt(tokens, context - (tokens + 1) / 2, sequences), ALONE)
    assert counted == pytest.approx(2 * macs(work), rel=0.005)
    assert counted - 2 * macs(work) == pytest.approx(vector_ops(work), rel=0.1)


@pytest.mark.parametrize(("tokens", "past"), [(65, 0), (33, 64), (1, 300)])
@pytest.mark.parametrize(("window", "chunk"), [(0, 0), (48, 0), (0, 40)], ids=["all", "window", "chunks"])
def test_products_of_attention_that_sees_a_part(tokens: int, past: int, window: int, chunk: int) -> None:
    """A plain layer computes every pair; those that the mask hides are counted one by one. Exact, but for the mean that
    is rounded up to whole tokens, at most one of 40."""
    shapes = (1, tokens, HEADS, DIM), (1, past + tokens, KEYS, DIM), (1, past + tokens, KEYS, DIM)

    def products(query: Values, keys: Values, values: Values) -> Values:
        grouped = query.reshape(1, tokens, KEYS, HEADS // KEYS, DIM)
        scores = jnp.einsum("sqkgd,sckd->skgqc", grouped, keys)
        return jnp.einsum("skgqc,sckd->sqkgd", scores, values)

    def sees(query: int, key: int) -> bool:
        near = query - key < window if window else query // chunk == key // chunk if chunk else True
        return causal(query, key) and near

    seen = compiled(products, *shapes) / 2 - hidden_pairs(tokens, past, sees) * HEADS * 2 * DIM
    mixer = GroupedQueryAttention(float(HEADS), float(KEYS), float(DIM), window=float(window), chunk=float(chunk))
    found = sum(float(one.macs) for one in mixer.work(float(HIDDEN), prompt(tokens, past), ALONE).operators[1:-1])
    assert seen <= found * (1 + 1e-12)
    assert found == pytest.approx(seen, rel=1 / 20)


QUERY, RANK, PLAIN, TURNED, VALUE = 96, 64, 32, 16, 32
UP = {"queries": (QUERY, HEADS, PLAIN + TURNED), "keys": (RANK, HEADS, PLAIN), "values": (RANK, HEADS, VALUE)}


def latents(x: Values, w: dict[str, Values]) -> tuple[Values, Values]:
    """The queries, and latents and rotary keys of the new tokens."""
    down = x @ w["down"]
    queries = jnp.einsum("str,rhd->sthd", down[..., :QUERY], w["queries"])
    return queries, down[..., QUERY:]


def expanded(x: Values, w: dict[str, Values], old: Values) -> Values:
    """Keys and values of every head made from the latents of the whole context [s, c, rank + rotary]."""
    queries, new = latents(x, w)
    context = jnp.concatenate([old, new], axis=1)
    keys = jnp.einsum("scr,rhd->schd", context[..., :RANK], w["keys"])
    values = jnp.einsum("scr,rhd->schd", context[..., :RANK], w["values"])
    turned = jnp.broadcast_to(context[:, :, None, RANK:], (*context.shape[:2], HEADS, TURNED))
    scores = jnp.einsum("sthd,schd->shtc", queries, jnp.concatenate([keys, turned], axis=-1))
    return jnp.einsum("shtc,schd->sthd", scores, values).reshape(*x.shape[:2], -1) @ w["out"]


def absorbed(x: Values, w: dict[str, Values], old: Values) -> Values:
    """Queries in the latent space, where the latents are keys and values of all heads."""
    queries, new = latents(x, w)
    context = jnp.concatenate([old, new], axis=1)
    inside = jnp.einsum("sthd,rhd->sthr", queries[..., :PLAIN], w["keys"])
    query = jnp.concatenate([inside, queries[..., PLAIN:]], axis=-1)
    scores = jnp.einsum("sthr,scr->shtc", query, context)
    mixed = jnp.einsum("shtc,scr->sthr", scores, context[..., :RANK])
    return jnp.einsum("sthr,rhd->sthd", mixed, w["values"]).reshape(*x.shape[:2], -1) @ w["out"]


@pytest.mark.parametrize("form", [expanded, absorbed])
@pytest.mark.parametrize(("sequences", "tokens", "past"), [(1, 65, 0), (2, 33, 64), (4, 1, 200)])
def test_both_forms_of_latent_attention(form: Any, sequences: int, tokens: int, past: int) -> None:
    """Exact: the plain layer has products alone, and the pairs that a mask would hide are counted one by one."""
    weight = 0.0 if form is expanded else 1e9
    mixer = LatentAttention(
        float(HEADS), float(QUERY), float(RANK), float(PLAIN), float(TURNED), float(VALUE), expanded_weight=weight
    )
    weights = {"down": (HIDDEN, QUERY + RANK + TURNED), "out": (HEADS * VALUE, HIDDEN), **UP}
    counted = compiled(form, (sequences, tokens, HIDDEN), weights, (sequences, past, RANK + TURNED))
    pair = 2 * RANK + TURNED if form is absorbed else PLAIN + TURNED + VALUE
    hidden = sequences * hidden_pairs(tokens, past, causal) * HEADS * pair
    found = macs(mixer.work(float(HIDDEN), prompt(tokens, past, sequences), ALONE))
    assert counted / 2 - hidden == pytest.approx(found, rel=1e-12)


def test_plain_feed_forward() -> None:
    """Exact in products; the activation itself is what the compiler finds for it, a handful an element."""

    def plain(x: Values, up: Values, down: Values) -> Values:
        return jax.nn.relu(x @ up) @ down

    work = PlainFeedForward(float(WIDTH)).work(float(HIDDEN), 64.0, ALONE)
    counted = compiled(plain, (64, HIDDEN), (HIDDEN, WIDTH), (WIDTH, HIDDEN))
    assert 0 <= counted - 2 * macs(work) <= vector_ops(work)


def test_experts_to_which_all_tokens_are_sent() -> None:
    """Every expert gets its even share of the visits. Exact in products; softmax and gates are 0.1 % of the rest."""
    routed, chosen, width, tokens = 8, 2, 512, 64

    def layer(x: Values, w: dict[str, Values]) -> Values:
        shares = jax.nn.softmax(x @ w["router"], axis=-1)
        sent = jnp.tile(x, (chosen, 1)).reshape(routed, tokens * chosen // routed, HIDDEN)
        gate, up = jnp.einsum("ech,ehw->ecw", sent, w["gate"]), jnp.einsum("ech,ehw->ecw", sent, w["up"])
        back = jnp.einsum("ecw,ewh->ech", jax.nn.silu(gate) * up, w["down"]).reshape(chosen, tokens, HIDDEN)
        shared = (jax.nn.silu(x @ w["sg"]) * (x @ w["su"])) @ w["sd"]
        return shares, (back[0] + back[1]) + shared

    weights = {
        "router": (HIDDEN, routed),
        "gate": (routed, HIDDEN, width),
        "up": (routed, HIDDEN, width),
        "down": (routed, width, HIDDEN),
        "sg": (HIDDEN, width),
        "su": (HIDDEN, width),
        "sd": (width, HIDDEN),
    }
    experts = MixtureOfExperts(float(routed), float(chosen), float(width), shared=GatedFeedForward(float(width)))
    work = experts.work(float(HIDDEN), float(tokens), ALONE)
    counted = compiled(layer, (tokens, HIDDEN), weights)
    assert counted == pytest.approx(2 * macs(work), rel=0.002)
    assert counted > 2 * macs(work)


SPACE = StateSpace(heads=8.0, head_dim=64.0, state=32.0, groups=2.0, convolution=4.0, chunk=64.0)


def scan(x: Values, b: Values, c: Values, decay: Values, carried: Values) -> Values:
    """The products of a state-space layer over chunks: x [m, q, g, h, p], B and C [m, q, g, n], states [m, g, h, n, p],
    decays of pairs of tokens [m, q, k, g, h]."""
    scores = jnp.einsum("mqgn,mkgn->mgqk", c, b)
    own = jnp.einsum("mqkgh,mkghp->mqghp", decay, x) + scores.sum()
    state = jnp.einsum("mkgn,mkghp->mghnp", b, x)
    return own + jnp.einsum("mqgn,mghnp->mqghp", c, carried), state


@pytest.mark.parametrize("tokens", [64, 256])
def test_chunks_of_a_state_space(tokens: int) -> None:
    """Four products a chunk; the sum that keeps the scores alive is 0.1 % of them."""
    length, chunks = 64, tokens // 64
    shapes = (chunks, length, 2, 4, 64), (chunks, length, 2, 32), (chunks, length, 2, 32)
    counted = compiled(scan, *shapes, (chunks, length, length, 2, 4), (chunks, 2, 4, 32, 64))
    found = macs(SPACE.work(float(HIDDEN), prompt(tokens), ALONE), type(SPACE.work(1.0, prompt(1), ALONE).operators[1]))
    assert counted == pytest.approx(2 * found, rel=0.01)


def test_a_step_of_a_state_space() -> None:
    """h = a h + B x, y = C h: five operations an element of the state. What is one multiplication in the plain step,
    B x, is a multiply-accumulate in a chunk of one, into which the sum falls; a score a group and channel remains."""

    def once(state: Values, a: Values, b: Values, x: Values, c: Values) -> Values:
        state = a[:, None, None] * state + b[:, :, None] * x[:, None, :]
        return state, jnp.einsum("hn,hnp->hp", c, state)

    counted = compiled(once, (8, 32, 64), (8,), (8, 32), (8, 64), (8, 32))
    first, *scanned, last = SPACE.work(float(HIDDEN), step(1000.0), ALONE).operators
    found = sum(2 * float(one.macs) + float(one.vector_ops) for one in scanned)
    elements = 8 * 32 * 64
    assert counted == pytest.approx(5 * elements, rel=0.01)
    assert found == pytest.approx(counted, rel=0.04)  # the scores and skips: 4 an element of the 512 channels, and 64
    assert float(first.macs) + float(last.macs) == HIDDEN * (2 * 512 + 2 * 64 + 8 + 512)


def test_the_head_is_one_product() -> None:
    shapes = {"hidden": float(HIDDEN), "vocabulary": 4096.0, "untied": 1.0, "longest_context": 4096.0}
    head = Transformer(blocks=OrderedDict(all=LAYER), **shapes).head(16.0, ALONE)
    assert compiled(jnp.matmul, (16, HIDDEN), (HIDDEN, 4096)) == 2 * macs(head)
