"""Video transformers against published sizes, a compiler's count of operations, and their own limits."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from counting import vector_ops
from machines import CONF, candidate, files

from models.batch import Batch, Segment
from models.block import Block
from models.diffusion import VideoTransformer
from models.feedforward import PlainFeedForward
from models.modulation import Modulated, Modulation
from models.operators import CacheProduct, Work
from models.parallelism import Cut
from models.video_attention import (
    CrossAttention,
    FullAttention,
    SpatialAttention,
    TemporalAttention,
    TwoStreamAttention,
    VideoAttention,
)

ALONE = Cut()
SPARE = jax.ShapeDtypeStruct  # arguments that are never there: programs are counted, not run


def model(name: str, *overrides: str) -> VideoTransformer:
    found = candidate(f"model={name}", "serving=video", *overrides).model
    assert isinstance(found, VideoTransformer)
    return found


NAMES = [name for name in files("model") if "diffusion" in (CONF / f"model/{name}.yaml").read_text()]


# ---- sizes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "billions", "tolerance"),
    [
        ("wan2_1_t2v_14b", 14, 0.5 / 14),  # two digits are published
        ("wan2_1_t2v_1_3b", 1.3, 0.1),  # the shape that is published with the weights comes to 1.42, whatever its name
        ("wan2_2_t2v_a14b", 27, 0.06),  # twice 14, published as 27
        ("hunyuanvideo", 13, 0.5 / 13),
        ("cogvideox_2b", 1.7, 0.05 / 1.7),
        ("cogvideox_5b", 5.6, 0.05 / 5.6),
    ],
)
def test_parameters_are_as_many_as_published(name: str, billions: float, tolerance: float) -> None:
    """All weights and biases of the layers and of both ends, modulation and embeddings of patches, text and time
    included; norms of queries and keys apart. The tolerance is that of the published digits, where nothing else is
    said."""
    assert float(model(name).parameters()) / 1e9 == pytest.approx(billions, rel=tolerance)


@pytest.mark.parametrize(
    ("name", "size", "tokens", "frames"),
    [
        ("wan2_1_t2v_14b", (81, 720, 1280), 75_600, 21),
        ("wan2_1_t2v_14b", (81, 480, 832), 32_760, 21),
        ("wan2_1_t2v_1_3b", (81, 480, 832), 32_760, 21),
        ("hunyuanvideo", (129, 720, 1280), 118_800, 33),
        ("cogvideox_2b", (49, 480, 720), 17_550, 13),
        ("cogvideox_5b", (49, 480, 720), 17_550, 13),
        ("latte_xl_2", (16, 256, 256), 4_096, 16),
    ],
)
def test_videos_have_as_many_tokens_as_published(name: str, size: Any, tokens: int, frames: int) -> None:
    extent = [f"model.video.{key}={n}" for key, n in zip(("frames", "height", "width"), size, strict=True)]
    found = model(name, *extent)
    assert float(found.video_tokens) == tokens
    assert float(found.latent_frames) == frames
    step = found.step(1.0, 0.0)
    assert float(step.tokens) == float(found.guidance) * (tokens + float(found.joint * found.text))
    assert float(step.sampled) == float(found.guidance) * tokens


def test_layers_that_alternate_have_as_many_weights_as_their_shape_says() -> None:
    """Eighteen squares of the width in each of 28 layers, whichever way they attend, beside 1 % of all else."""
    found = model("latte_xl_2")
    assert [float(block.layers) for block in found.blocks.values()] == [14, 14]
    assert float(found.parameters()) == pytest.approx(28 * 18 * 1152**2, rel=0.01)


def test_weights_that_wait_their_turn_are_held_but_not_met() -> None:
    one, two = model("wan2_1_t2v_14b"), model("wan2_2_t2v_a14b")
    assert float(two.active_parameters()) == float(one.parameters())
    assert float(two.expert_parameters()) == float(one.layer_parameters())
    assert float(two.held_expert_parameters(Cut(8.0), two.layers)) == float(one.layer_parameters()) / 8
    assert operations(whole(two)) == operations(whole(one))


# ---- operations, counted by a compiler --------------------------------------------------------------------------

HEADS, DIM, HIDDEN, WIDTH, TIME = 4, 64, 256, 1024, 512
FRAMES, PLACES, TEXT = 4, 64, 32
TOKENS = FRAMES * PLACES
Values = Any
SHAPE: Any = {"heads": HEADS, "head_dim": DIM, "biased": 1}


def operations(work: Work) -> float:
    """Operations of all products."""
    return sum(2 * float(operator.macs) for operator in work.operators)


def whole(found: VideoTransformer, cut: Cut = ALONE) -> Work:
    """A step of all layers and the head, on one device."""
    batch = found.step(1.0, 0.0)
    work = found.head(batch.sampled, cut)
    for block in found.blocks.values():
        for _ in range(int(block.layers)):
            work = work.then(block.work(found.hidden, batch, cut))
    return work


def attend(query: Values, key: Values, value: Values) -> Values:
    """[..., tokens, heads * dim]: every query on every key."""
    split = [x.reshape(*x.shape[:-1], HEADS, DIM) for x in (query, key, value)]
    scores = jax.nn.softmax(jnp.einsum("...qhd,...khd->...hqk", *split[:2]) / DIM**0.5, axis=-1)
    mixed = jnp.einsum("...hqk,...khd->...qhd", scores, split[2])
    return mixed.reshape(*mixed.shape[:-2], HEADS * DIM)


def modulated(x: Values, table: Values, row: int) -> Values:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, axis=-1, keepdims=True)) * (1 + table[row]) + table[row + 1]


def forward(x: Values, w: dict[str, Values]) -> Values:
    return jax.nn.gelu(x @ w["up"]) @ w["down"]


def own(x: Values, w: dict[str, Values]) -> Values:
    return attend(x @ w["q"], x @ w["k"], x @ w["v"]) @ w["o"]


def vectors(t: Values, w: dict[str, Values]) -> Values:
    return (t @ w["modulation"]).reshape(6, HIDDEN)


def plain_layer(x: Values, text: Values, t: Values, w: dict[str, Values], grouped: Any) -> Values:
    """A layer of adaptive norms over [tokens, hidden]: its own attention in groups, and the feed-forward."""
    table = vectors(t, w)
    x = x + table[2] * grouped(modulated(x, table, 0), lambda y: own(y, w))
    return x + table[5] * forward(modulated(x, table, 3), w)


def full(x: Values, text: Values, t: Values, w: dict[str, Values]) -> Values:
    return plain_layer(x, text, t, w, lambda y, attention: attention(y))


def spatial(x: Values, text: Values, t: Values, w: dict[str, Values]) -> Values:
    return plain_layer(x, text, t, w, lambda y, own: own(y.reshape(FRAMES, PLACES, HIDDEN)).reshape(TOKENS, HIDDEN))


def temporal(x: Values, text: Values, t: Values, w: dict[str, Values]) -> Values:
    def grouped(y: Values, own: Any) -> Values:
        tracks = y.reshape(FRAMES, PLACES, HIDDEN).swapaxes(0, 1)
        return own(tracks).swapaxes(0, 1).reshape(TOKENS, HIDDEN)

    return plain_layer(x, text, t, w, grouped)


def crossed(x: Values, text: Values, t: Values, w: dict[str, Values]) -> Values:
    """Full attention, then attention to the text beside the video."""
    table = vectors(t, w)
    x = x + table[2] * own(modulated(x, table, 0), w)
    x = x + attend(x @ w["q2"], text @ w["k2"], text @ w["v2"]) @ w["o2"]
    return x + table[5] * forward(modulated(x, table, 3), w)


def two_streams(x: Values, text: Values, t: Values, w: dict[str, Values]) -> Values:
    """Text and video with weights of their own, and one attention over both."""
    table, other = vectors(t, w), (t @ w["modulation2"]).reshape(6, HIDDEN)
    a, b = modulated(x, table, 0), modulated(text, other, 0)
    joined = [jnp.concatenate([a @ w[n], b @ w[n + "2"]]) for n in ("q", "k", "v")]
    mixed = attend(*joined)
    x, text = x + table[2] * (mixed[:TOKENS] @ w["o"]), text + other[2] * (mixed[TOKENS:] @ w["o2"])
    second = {"up": w["up2"], "down": w["down2"]}
    return x + forward(modulated(x, table, 3), w), text + forward(modulated(text, other, 3), second)


def counted(layer: Any) -> float:
    """Operations of a layer as the compiler counts them."""
    inner = HEADS * DIM
    shapes = {"q": (HIDDEN, inner), "k": (HIDDEN, inner), "v": (HIDDEN, inner), "o": (inner, HIDDEN)}
    shapes |= {"up": (HIDDEN, WIDTH), "down": (WIDTH, HIDDEN), "modulation": (TIME, 6 * HIDDEN)}
    shapes |= {f"{name}2": shape for name, shape in shapes.items()}
    weights = {name: SPARE(shape, jnp.float32) for name, shape in shapes.items()}
    inputs = (SPARE(shape, jnp.float32) for shape in ((TOKENS, HIDDEN), (TEXT, HIDDEN), (1, TIME)))
    return jax.jit(layer).lower(*inputs, weights).compile().cost_analysis()["flops"]  # type: ignore[index]


def block(attentions: dict[str, VideoAttention], streams: float = 1.0) -> Block:
    feedforward = PlainFeedForward(width=float(WIDTH), biased=1.0)  # type: ignore[arg-type]
    modulation = Modulation(vectors=6.0, streams=streams, width=float(TIME))  # type: ignore[arg-type]
    text = feedforward if streams > 1 else None
    mixer = Modulated(modulation, OrderedDict(attentions))
    return Block(mixer, feedforward, layers=1.0, text=text)  # type: ignore[arg-type]


KINDS: dict[str, tuple[Any, Block]] = {
    "full": (full, block({"own": FullAttention(**SHAPE)})),
    "spatial": (spatial, block({"own": SpatialAttention(**SHAPE)})),
    "temporal": (temporal, block({"own": TemporalAttention(**SHAPE)})),
    "crossed": (crossed, block({"own": FullAttention(**SHAPE), "text": CrossAttention(**SHAPE)})),
    "two streams": (two_streams, block({"joint": TwoStreamAttention(**SHAPE)}, 2.0)),
}


def batch_of(kind: str) -> Batch:
    joined = TEXT if kind == "two streams" else 0
    return Batch((Segment(1.0, float(TOKENS + joined), 0.0, float(TEXT), float(FRAMES)),), float(TOKENS))


@pytest.mark.parametrize("kind", KINDS)
def test_operations_are_those_that_a_compiler_counts(kind: str) -> None:
    """What is counted beyond products (norms, softmax, curves, modulation) is 2 to 3 % of a layer this narrow."""
    layer, found = KINDS[kind]
    work = found.work(float(HIDDEN), batch_of(kind), ALONE)
    beside = vector_ops(work)
    products, compiled = operations(work), counted(layer)
    assert products <= compiled <= 1.04 * products
    assert 0 < beside < 0.08 * products


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_of_the_products(kind: str) -> None:
    """Weights that products hold still, and a bias for each of their outputs, and the norms."""
    work = KINDS[kind][1].work(float(HIDDEN), batch_of(kind), ALONE)
    held = [operator for operator in work.operators if not isinstance(operator, CacheProduct)]
    expected = sum(float(operator.held_elements + operator.outputs) for operator in held) + 2 * HIDDEN
    assert float(KINDS[kind][1].parameters(float(HIDDEN))) == expected


# ---- limits -----------------------------------------------------------------------------------------------------


def test_one_frame_is_attended_in_space_and_one_place_in_time() -> None:
    full, spatial, temporal = (kind(**SHAPE) for kind in (FullAttention, SpatialAttention, TemporalAttention))
    for tokens, frames, other in ((96.0, 1.0, spatial), (96.0, 96.0, temporal)):
        batch = Batch((Segment(2.0, tokens, 0.0, 0.0, frames),), tokens)
        assert operations(other.work(HIDDEN, batch, ALONE)) == operations(full.work(HIDDEN, batch, ALONE))


def test_attention_grows_with_the_square_of_a_video_and_the_rest_in_proportion() -> None:
    """Twice the frames of tokens: f(2 n) = 2 linear + 4 square."""
    names = ("frames=41", "frames=81", "frames=161")  # 11, 21 and 41 frames of tokens
    sizes = [11.0, 21.0, 41.0]
    work = [operations(whole(model("cogvideox_5b", f"model.video.{name}"))) for name in names]
    slopes = [(work[i + 1] - work[i]) / (sizes[i + 1] - sizes[i]) for i in (0, 1)]
    curvature = (slopes[1] - slopes[0]) / (sizes[2] - sizes[0])
    places, found = 30 * 45, model("cogvideox_5b")
    square = 2 * 2 * 2 * float(found.layers * found.hidden) * places**2  # passes, products, operations
    assert curvature == pytest.approx(square, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_no_cache_grows_and_a_prompt_is_as_good_as_free(name: str) -> None:
    found = model(name)
    assert float(found.cache_elements(1000.0)) == 0.0
    assert float(found.held_cache_elements(1000.0, Cut(8.0, 2.0), found.layers)) == 0.0
    prompt, step = found.prompt(1.0, 512.0), found.step(1.0, 512.0)
    assert 0 < float(prompt.tokens) <= 2 < float(step.tokens) / 1000


def test_guidance_is_a_second_pass() -> None:
    alone, guided = (model("wan2_1_t2v_1_3b", f"model.guidance={n}") for n in (1, 2))
    assert operations(whole(guided)) == 2 * operations(whole(alone))


# ---- shards sum to the whole ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [Cut(2.0), Cut(4.0, 2.0), Cut(8.0, 8.0)], ids=["heads", "both", "context"])
def test_shards_sum_to_the_whole(name: str, cut: Cut) -> None:
    """These degrees divide heads, widths and tokens: operations of all devices are those of one, and so are weights.

    A cut context is rounded up to whole tokens, and 64 outputs of the last projection are not cut.
    """
    found = model(name)
    devices = float(cut.devices)
    assert bool(found.is_whole(cut))
    assert devices * operations(whole(found, cut)) == pytest.approx(operations(whole(found)), rel=1e-4)
    held = float(found.held_parameters(cut, found.layers) + found.held_expert_parameters(cut, found.layers))
    assert devices * held == pytest.approx(float(found.parameters()))


def test_a_whole_device_exchanges_with_nobody() -> None:
    assert all(float(exchange.span.devices) == 1 for exchange in whole(model("hunyuanvideo")).exchanges)


def test_heads_that_devices_do_not_divide_want_a_cut_context() -> None:
    """Twelve heads do not spread over eight devices; over four that share contexts in twos they do."""
    small = model("wan2_1_t2v_1_3b")
    assert not bool(small.is_whole(Cut(8.0)))
    assert bool(small.is_whole(Cut(8.0, 2.0)))
