"""Work cut over devices: shards sum to the whole along every axis, and a device exchanges nothing with itself."""

from __future__ import annotations

import pytest
from counting import EVERY_KIND, MODELS, cache_macs, cache_read, cache_written, macs, model, prompt, step, weight_macs

from models.attention import GroupedQueryAttention
from models.batch import Batch
from models.block import Block
from models.experts import MixtureOfExperts
from models.feedforward import GatedFeedForward
from models.latent import LatentAttention
from models.operators import AllReduce, ExpertProduct, WeightProduct
from models.parallelism import Cut
from models.state_space import StateSpace

ALONE = Cut()
TENSOR = (1, 2, 4, 8)  # divide every width and head of these models
BATCHES = {"prompts": prompt(255, 0, 3), "steps": step(4096, 6)}  # the mean of an odd prompt is whole


def blocks(name: str) -> list[Block]:
    return list(model(name).blocks.values())


def kept_by_each(block: Block, hidden: float, batch: Batch) -> float:
    """Multiply-accumulates that every device that shares a token does: the projection down to latents."""
    if not isinstance(block.mixer, LatentAttention):
        return 0.0
    return float(batch.tokens) * float(hidden) * float(block.mixer.query_rank + block.mixer.kept)


def held_twice(block: Block, hidden: float, tensor: int, sequence: int = 1) -> float:
    """Weights of a device beyond its share: those of keys and values, where devices are more than such heads."""
    mixer = block.mixer
    if not isinstance(mixer, GroupedQueryAttention):
        return 0.0
    own = max(1.0, float(mixer.key_value_heads) * sequence / tensor) / sequence
    return hidden * 2 * float(mixer.head_dim) * (own - float(mixer.key_value_heads) / tensor)


@pytest.mark.parametrize("tensor", TENSOR)
@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("name", EVERY_KIND)
def test_shards_of_heads_sum_to_the_whole(name: str, batch: Batch, tensor: int) -> None:
    """Exact where everything divides: counts are whole numbers below 2^53. Groups of states are seen by several devices
    once these are more than the groups."""
    found = model(name)
    for block in blocks(name):
        whole, part = (block.work(found.hidden, batch, Cut(float(t))) for t in (1, tensor))
        each = kept_by_each(block, float(found.hidden), batch)
        if isinstance(block.mixer, StateSpace) and float(block.mixer.groups) < tensor:
            assert macs(whole) <= macs(part) * tensor <= macs(whole) * 1.3  # the larger part of B and C, 7 times more
            continue
        twice = float(batch.tokens) * held_twice(block, float(found.hidden), tensor)
        assert (macs(part) - each - twice) * tensor == pytest.approx(macs(whole) - each, rel=1e-12)
        assert cache_macs(part) * tensor == pytest.approx(cache_macs(whole), rel=1e-12)


@pytest.mark.parametrize(("tensor", "sequence"), [(4, 2), (16, 2), (16, 4)])
@pytest.mark.parametrize("name", ["llama3_8b", "gemma3_4b", "deepseek_v3"])
def test_shards_of_contexts_sum_to_the_whole(name: str, tensor: int, sequence: int) -> None:
    """The context of 4096 and the windows of 1024 divide by all these."""
    found, cut, batch = model(name), Cut(float(tensor), float(sequence)), step(4096, 4)
    for block in blocks(name):
        whole, part = (block.work(found.hidden, batch, c) for c in (ALONE, cut))
        each = kept_by_each(block, float(found.hidden), batch)
        shares = min(tensor // sequence, int(block.mixer.cache_heads)) * sequence
        twice = float(batch.tokens) * held_twice(block, float(found.hidden), tensor, sequence)
        assert (macs(part) - each - twice) * tensor == pytest.approx(macs(whole) - each, rel=1e-12)
        assert cache_read(part) * shares == pytest.approx(cache_read(whole), rel=1e-12)
        assert cache_written(part) * shares == pytest.approx(cache_written(whole), rel=1e-12)


@pytest.mark.parametrize(("tensor", "groups", "expert"), [(1, 1, 1), (2, 4, 8), (1, 8, 8), (4, 2, 2), (8, 1, 4)])
@pytest.mark.parametrize("name", ["mixtral_8x7b", "llama4_maverick", "gpt_oss_20b", "deepseek_v3"])
def test_shards_of_experts_sum_to_the_whole(name: str, tensor: int, groups: int, expert: int) -> None:
    """So many groups with tokens of their own do what one device does with the tokens of all. The batch is so large
    that a set has work for one expert at least; what follows from the number of experts alone is exact."""
    found, tokens = model(name), 512.0
    cut = Cut(float(tensor), 1.0, float(groups), float(expert))
    for after in (block.feedforward for block in blocks(name) if isinstance(block.feedforward, MixtureOfExperts)):
        assert bool(after.is_whole(cut))
        whole, part = after.work(found.hidden, tokens * groups, ALONE), after.work(found.hidden, tokens, cut)
        devices = tensor * groups
        assert macs(part, ExpertProduct) * devices == pytest.approx(macs(whole, ExpertProduct), rel=1e-12)
        assert macs(part, WeightProduct) * devices == pytest.approx(macs(whole, WeightProduct), rel=1e-12)
        read = [sum(float(o.held_elements) for o in w.operators if isinstance(o, ExpertProduct)) for w in (whole, part)]
        assert read[1] * devices == pytest.approx(read[0], rel=1e-12)
        held = found.held_expert_parameters(cut, found.layers)
        assert float(held) * devices == pytest.approx(float(found.expert_parameters()), rel=1e-12)


@pytest.mark.parametrize("tensor", [3, 24, 48, 72])
@pytest.mark.parametrize("name", ["llama3_70b", "mixtral_8x7b", "opt_13b", "deepseek_v3", "nemotron_h_8b"])
def test_uneven_shards_do_at_least_the_whole(name: str, tensor: int) -> None:
    found = model(name)
    for block in blocks(name):
        whole, part = (block.work(found.hidden, step(4097, 3), Cut(float(t))) for t in (1, tensor))
        assert weight_macs(part) * tensor >= weight_macs(whole) * (1 - 1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_devices_and_stages_hold_the_whole(name: str) -> None:
    """Layers once each; of the ends, each stage is charged the larger one."""
    found, layers = model(name), float(model(name).layers)
    ends, plain = float(found.end_parameters()), float(found.layer_parameters())
    for tensor in (1, 4):
        cut = Cut(float(tensor))
        twice = sum(float(b.layers) * held_twice(b, float(found.hidden), tensor) for b in blocks(name))
        held = float(found.held_parameters(cut, layers)) - twice
        assert held * tensor == pytest.approx(ends + plain, rel=1e-12)
        for stages in (2, 4):
            held = stages * tensor * float(found.held_parameters(cut, layers / stages))
            assert held - plain >= ends * (1 - 1e-12)
    assert float(found.head(3.0, Cut(8.0)).operators[0].macs) * 8 >= float(found.head(3.0, ALONE).operators[0].macs)


# ---- exchanges --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY_KIND)
def test_one_device_exchanges_only_with_itself(name: str) -> None:
    for block in blocks(name):
        for exchange in block.work(model(name).hidden, step(1000, 4), ALONE).exchanges:
            assert float(exchange.span.devices) == 1


@pytest.mark.parametrize("name", EVERY_KIND)
def test_one_group_exchanges_what_tensor_parallel_layers_do(name: str) -> None:
    """One all-reduce a layer and part, whatever the experts' sets are; one where both parts run side by side."""
    found, tokens = model(name), 12.0
    for block in blocks(name):
        for expert in (1.0, 8.0) if float(block.feedforward.experts) else (1.0,):
            exchanges = block.work(found.hidden, step(100, tokens), Cut(8.0, expert=expert)).exchanges
            used = [one for one in exchanges if float(one.span.devices) > 1]
            parts = 1 if block.parallel or float(block.norms) == 1 else 2
            assert [type(one) for one in used] == [AllReduce] * parts
            assert all(float(one.elements) == tokens * found.hidden for one in used)


def test_layers_side_by_side_need_one_exchange_less() -> None:
    mixer, after = GroupedQueryAttention(8.0, 8.0, 64.0), GatedFeedForward(2048.0)
    apart, beside = (Block(mixer, after, 1.0, parallel=p).work(512.0, step(10), Cut(4.0)) for p in (0.0, 1.0))
    used = [sum(float(e.span.devices) > 1 for e in work.exchanges) for work in (apart, beside)]
    assert used == [2, 1]
    assert macs(apart) == macs(beside)
