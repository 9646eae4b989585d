"""Schedulers: their limits, what they must agree on, and who waits for whom."""

from __future__ import annotations

import dataclasses

import pytest
from machines import candidate, files, mapping
from pools import answered

from dse.evaluation.evaluate import Candidate
from dse.evaluation.metrics import Answer, Mapping
from dse.run.precision import arrays

ONE = mapping(8, 1, batch=32)
ROUNDING = 1e-9
NAMES = files("scheduler")


def found(name: str, *overrides: str) -> Candidate:
    return candidate("hw=raptor_card", "model=llama3_8b", "serving=chat", f"scheduler={name}", *overrides)


def answer(name: str, laid: Mapping = ONE, *overrides: str) -> Answer:
    return under(found(name, *overrides), laid)


def under(one: Candidate, laid: Mapping) -> Answer:
    return answered(arrays(one), laid, None)


@pytest.mark.parametrize("name", NAMES)
def test_without_prompts_all_schedulers_step_alike(name: str) -> None:
    elsewhere = ("serving.prefill_share=0",)
    one, other = answer("whole_prompts", ONE, *elsewhere).metrics, answer(name, ONE, *elsewhere).metrics
    for metric in ("time_per_output_token", "tokens_per_second", "energy_per_token"):
        assert float(getattr(other, metric)) == pytest.approx(float(getattr(one, metric)), rel=ROUNDING), metric


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "laid", [ONE, mapping(2, 4, batch=32), mapping(4, 2, batch=3)], ids=["tensor", "stages", "few"]
)
def test_shares_sum_to_one(name: str, laid: Mapping) -> None:
    given = answer(name, laid)
    for part in (given.shares, given.energy_shares):
        assert sum(map(float, vars(part).values())) == pytest.approx(1.0, rel=ROUNDING)
        assert all(float(share) >= 0 for share in vars(part).values())


def test_a_static_batch_trades_its_first_token_for_the_others() -> None:
    """Nobody's prompt interrupts a step, but everybody waits for all prompts; the work is nearly the same."""
    static, mixed = answer("static").metrics, answer("whole_prompts").metrics
    assert float(static.time_per_output_token) < float(mixed.time_per_output_token)
    assert float(static.time_to_first_token) > float(mixed.time_to_first_token)
    assert float(static.tokens_per_second) == pytest.approx(float(mixed.tokens_per_second), rel=0.2)


def test_a_static_batch_makes_all_its_tokens_in_its_time() -> None:
    """Batch times output tokens, in the prefill and the steps of one batch."""
    given, traffic = answer("static"), found("static").serving
    step, first = float(given.metrics.time_per_output_token), float(given.metrics.time_to_first_token)
    seconds = first + float(traffic.output) * step
    assert float(given.metrics.tokens_per_second) == pytest.approx(32 * float(traffic.output) / seconds, rel=ROUNDING)


def test_a_chunk_as_long_as_the_prompt_is_one_mixed_pass() -> None:
    """The prompt beside a step takes no longer than both one after the other, and no less than the longer."""
    found_one = found("chunked", "scheduler.chunk=4096")
    whole, mixed = answer("whole_prompts").metrics, under(found_one, ONE).metrics
    alone = float(answer("whole_prompts", ONE, "serving.prefill_share=0").metrics.time_per_output_token)
    first = float(whole.time_to_first_token)
    assert first * (1 - ROUNDING) <= float(mixed.time_to_first_token) <= (first + alone) * (1 + ROUNDING)
    assert alone < float(mixed.time_per_output_token) <= float(whole.time_per_output_token) * (1 + ROUNDING)


def test_small_chunks_shield_steps_and_delay_first_tokens() -> None:
    answers = [answer("chunked", ONE, f"scheduler.chunk={chunk}") for chunk in (64, 256, 1024)]
    firsts = [float(one.metrics.time_to_first_token) for one in answers]
    assert firsts == sorted(firsts, reverse=True)


def test_prompts_that_come_faster_than_chunks_fill_them_wait() -> None:
    """With 64 tokens a pass and 4096 of prompt for every 8 of answer, few decode and most wait; Little's law holds."""
    traffic = ("serving.prompt=4096", "serving.output=8", "scheduler.chunk=64")
    given, asked = answer("chunked", ONE, *traffic), found("chunked", *traffic).serving
    requests = float(given.metrics.tokens_per_second) / float(asked.output)
    decoding = requests * float(asked.output) * float(given.metrics.time_per_output_token)
    waiting = requests * float(given.metrics.time_to_first_token)
    assert decoding < 4
    assert decoding + waiting == pytest.approx(32, rel=ROUNDING)


@pytest.mark.parametrize("users", [1, 2, 16, 64])
@pytest.mark.parametrize("name", ["chunked", "static"])
@pytest.mark.parametrize("output", [16, 64, 512])
def test_there_are_as_many_users_as_there_are(name: str, users: int, output: int) -> None:
    """Each waits for a first token, then gets the others: requests a second times that are the users (Little's law).

    A static batch has its first tokens at once, and then one step less than tokens."""
    laid = mapping(8, 1, batch=users)
    given = answer(name, laid, f"serving.output={output}", "serving.prompt=4096").metrics
    requests = float(given.tokens_per_second) / output
    inside = requests * float(given.time_to_first_token + output * given.time_per_output_token)
    assert inside == pytest.approx(users, rel=ROUNDING)


def test_a_prefix_in_the_cache_is_not_filled() -> None:
    """Half of the prompt is there already: the rest attends to it, so more than half of the time is left."""
    laid = mapping(8, 1, batch=32)
    cold, warm = answer("whole_prompts", laid), answer("whole_prompts", laid, "serving.hits=0.5")
    share = float(warm.metrics.time_to_first_token / cold.metrics.time_to_first_token)
    assert 0.5 <= share < 0.75
    assert float(warm.metrics.tokens_per_second) > float(cold.metrics.tokens_per_second)
    asked = found("whole_prompts", "serving.hits=1").serving
    assert (float(asked.cached), float(asked.fresh)) == (float(asked.prompt) - 1, 1)


def test_attention_groups_and_stages_share_a_batch() -> None:
    """Sixteen sequences over two stages and two groups: four take a step together."""
    from dse.evaluation.schedule import in_flight, micro_batch

    laid = dataclasses.replace(mapping(1, 2, batch=16), attention_data=2.0)
    assert (float(micro_batch(laid)), float(in_flight(laid))) == (4.0, 2.0)
