"""Tokens: a prompt does what its steps do, however it is cut into chunks, and sequences do not meet."""

from __future__ import annotations

import dataclasses

import pytest
from counting import EVERY_KIND, cache_macs, cache_written, macs, model, prompt, step, weight_macs
from hypothesis import given
from hypothesis import strategies as st
from machines import candidate

from models.attention import GroupedQueryAttention
from models.batch import Segment
from models.block import Block
from models.latent import LatentAttention
from models.parallelism import Cut
from models.reach import attended, reached
from models.state_space import StateSpace

ALONE, HIDDEN = Cut(), 512.0
SEEING = {
    "everything": GroupedQueryAttention(8.0, 2.0, 64.0),
    "window": GroupedQueryAttention(8.0, 2.0, 64.0, window=10.0),
    "chunks": GroupedQueryAttention(8.0, 2.0, 64.0, chunk=12.0),
}
ABSORBED = LatentAttention(8.0, 96.0, 64.0, 32.0, 16.0, 32.0, expanded_weight=1e9)


@given(
    past=st.integers(0, 60), tokens=st.integers(1, 60), window=st.sampled_from([0, 1, 7, 64]),
    chunk=st.sampled_from([0, 1, 8, 48]),
)  # fmt: skip
def test_tokens_attend_to_what_they_see(past: int, tokens: int, window: int, chunk: int) -> None:
    """The closed forms against a count, one token after the other."""
    window = 0 if chunk else window
    places = range(past, past + tokens)
    seen = [(i % chunk) + 1 if chunk else min(i + 1, window) if window else i + 1 for i in places]
    found = attended(Segment(1.0, float(tokens), float(past)), float(window), float(chunk))
    assert float(found) == pytest.approx(sum(seen) / tokens, rel=1e-12)
    assert max(seen) <= float(reached(float(past + tokens), float(window), float(chunk)))


@pytest.mark.parametrize("tokens", [1, 7, 33])
@pytest.mark.parametrize("name", SEEING)
def test_a_prompt_does_what_its_steps_do(name: str, tokens: int) -> None:
    """Exact for weights. A mean of contexts that is no whole number is rounded up, by less than one token."""
    mixer = SEEING[name]
    whole = mixer.work(HIDDEN, prompt(tokens), ALONE)
    steps = [mixer.work(HIDDEN, step(context), ALONE) for context in range(1, tokens + 1)]
    assert weight_macs(whole) == sum(map(weight_macs, steps))
    assert cache_written(whole) == sum(map(cache_written, steps)) == 2 * 2 * 64 * tokens
    exact, one = sum(map(cache_macs, steps)), cache_macs(mixer.work(HIDDEN, step(1), ALONE))
    assert exact <= cache_macs(whole) * (1 + 1e-12)
    assert cache_macs(whole) < exact + tokens * one
    if name == "everything":  # the mean of an odd number of contexts is whole
        assert cache_macs(whole) == exact


@pytest.mark.parametrize("tokens", [1, 7, 33])
def test_a_prompt_of_absorbed_attention_does_what_its_steps_do(tokens: int) -> None:
    whole = ABSORBED.work(HIDDEN, prompt(tokens), ALONE)
    steps = [ABSORBED.work(HIDDEN, step(context), ALONE) for context in range(1, tokens + 1)]
    assert macs(whole) == sum(map(macs, steps))
    assert cache_written(whole) == sum(map(cache_written, steps)) == (64 + 16) * tokens


def test_a_state_space_of_chunks_of_one_does_what_its_steps_do() -> None:
    """Longer chunks do more: they compare the tokens in them."""
    short, usual = (StateSpace(8.0, 64.0, 32.0, 2.0, 4.0, chunk) for chunk in (1.0, 16.0))
    steps = 64 * macs(short.work(HIDDEN, step(1), ALONE))
    assert macs(short.work(HIDDEN, prompt(64), ALONE)) == steps
    assert macs(usual.work(HIDDEN, prompt(64), ALONE)) > steps
    assert macs(usual.work(HIDDEN, step(1), ALONE)) == macs(short.work(HIDDEN, step(1000), ALONE))


@pytest.mark.parametrize("mixer", [*SEEING.values(), ABSORBED], ids=[*SEEING, "absorbed"])
def test_chunks_of_a_prompt_do_what_the_whole_does(mixer: object) -> None:
    """Of 9 x 11 tokens, chunks of 11, each after those before it: all are odd, so that no mean is rounded where
    everything is seen; where less is, each mean is rounded by less than one token."""
    assert isinstance(mixer, (GroupedQueryAttention, LatentAttention))
    whole = mixer.work(HIDDEN, prompt(99), ALONE)
    chunks = [mixer.work(HIDDEN, prompt(11, past), ALONE) for past in range(0, 99, 11)]
    assert cache_written(whole) == sum(map(cache_written, chunks))
    assert weight_macs(whole) == sum(map(weight_macs, chunks))
    partly = isinstance(mixer, GroupedQueryAttention) and bool(mixer.window + mixer.chunk)
    slack = 1 / 5 if partly else 1e-12  # a token of the five and more that are seen on average
    assert cache_macs(whole) == pytest.approx(sum(map(cache_macs, chunks)), rel=slack)


def test_chunks_of_states_carry_on_where_they_end() -> None:
    mixer = StateSpace(8.0, 64.0, 32.0, 2.0, 4.0, 16.0)
    whole = mixer.work(HIDDEN, prompt(96), ALONE)
    parts = [mixer.work(HIDDEN, prompt(32, past), ALONE) for past in (0, 32, 64)]
    assert macs(whole) == sum(map(macs, parts))


def test_latent_attention_takes_the_form_that_costs_less() -> None:
    """Prompts expand keys and values, steps do not; a forced form costs no less."""
    shapes = (128.0, 1536.0, 512.0, 128.0, 64.0, 128.0)
    free, never, always = (LatentAttention(*shapes, expanded_weight=weight) for weight in (1.0, 0.0, 1e9))
    assert bool(free.absorbs(Segment(1.0, 1.0, 4096.0)))
    assert not bool(free.absorbs(Segment(1.0, 4096.0)))
    for batch in (prompt(4095), prompt(63, 8192), step(4096), prompt(1023, 1024)):
        costs = [macs(mixer.work(7168.0, batch, ALONE)) for mixer in (free, never, always)]
        assert costs[0] == min(costs)


def test_a_cached_prefix_is_expanded_too() -> None:
    never = LatentAttention(8.0, 96.0, 64.0, 32.0, 16.0, 32.0, expanded_weight=0.0)
    fresh, later = (weight_macs(never.work(HIDDEN, prompt(33, past), ALONE)) for past in (0, 100))
    assert later - fresh == 100 * 64 * 8 * (32 + 32)


def test_latents_are_fetched_once_for_keys_and_values() -> None:
    """A step of absorbed attention reads what the cache holds, and no more."""
    work = ABSORBED.work(HIDDEN, step(500, 3), ALONE)
    read = sum(float(one.held_elements) for one in work.operators if type(one).__name__ == "CacheProduct")
    assert read == pytest.approx(3 * ABSORBED.cache_elements(500.0), rel=1e-12)


@given(sequences=st.integers(1, 64), context=st.integers(1, 4096))
def test_sequences_are_independent(sequences: int, context: int) -> None:
    for name in EVERY_KIND:
        block: Block = next(iter(model(name).blocks.values()))
        batch, one = (block.mixer.work(HIDDEN, step(context, n), Cut(8.0)) for n in (sequences, 1))
        assert macs(batch) == pytest.approx(sequences * macs(one), rel=1e-12)


# ---- traffic ----------------------------------------------------------------------------------------------------


@given(prompt_tokens=st.integers(1, 3000), output=st.integers(2, 500), hits=st.floats(0, 1))
def test_contexts_are_the_means_of_what_tokens_see(prompt_tokens: int, output: int, hits: float) -> None:
    """The prompt gives the first token; each later one attends to the prompt, those before it and itself."""
    traffic = candidate("serving=chat").serving
    traffic = dataclasses.replace(traffic, prompt=float(prompt_tokens), output=float(output), hits=hits)
    steps = [prompt_tokens + step for step in range(1, output)]
    assert traffic.mean_context == pytest.approx(sum(steps) / len(steps), rel=1e-12)  # sums of whole numbers
    assert traffic.last_context == prompt_tokens + output > max(steps)
    assert traffic.cached + traffic.fresh == prompt_tokens
    assert 1 <= traffic.fresh <= prompt_tokens
