"""A draft: what a round gives and takes, and where it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pools import DRAFT, best, drafting, serving, small

from dse.evaluation.schedule import micro_batch, passes
from dse.evaluation.speculation import Draft
from dse.problem.template import template

pytestmark = pytest.mark.slow  # nearly every test compiles a program of its own

EXACT = 1e-9  # the same sums in another order
GUESSES = [0, 1, 2, 5, 17]
RIGHT = [0.0, 0.3, 0.7, 1 - 1e-3, 1 - 1e-7, 1.0]


def gained(acceptance: Any, guesses: Any) -> Any:
    return Draft(None, guesses, acceptance).gained  # type: ignore[arg-type]


@pytest.mark.parametrize("guesses", GUESSES)
@pytest.mark.parametrize("right", RIGHT)
def test_a_round_gives_the_guesses_before_the_first_wrong_one_and_one(right: float, guesses: int) -> None:
    """Against the sum itself; the two forms meet with an error of 1e-10."""
    expected = sum(right**n for n in range(guesses + 1))
    assert float(gained(jnp.asarray(right), jnp.asarray(float(guesses)))) == pytest.approx(expected, rel=1e-10)
    slope = float(jax.grad(gained)(jnp.asarray(right), jnp.asarray(float(guesses))))
    assert slope == pytest.approx(sum(n * right ** (n - 1) for n in range(1, guesses + 1)), rel=1e-5, abs=1e-9)
    more = float(jax.grad(gained, argnums=1)(jnp.asarray(right), jnp.asarray(float(guesses))))
    assert np.isfinite(more)


@pytest.mark.parametrize(
    ("right", "guesses", "cost", "faster"),
    [(0.75, 7, 0.02, 3.2), (0.8, 7, 0.04, 3.3), (0.82, 7, 0.11, 2.5), (0.62, 7, 0.02, 2.3), (0.65, 5, 0.02, 2.4)],
)
def test_the_gain_of_a_step_bound_by_its_weights_is_that_of_the_closed_form(
    right: float, guesses: int, cost: float, faster: float
) -> None:
    """Theorem 3.8 of Leviathan et al. 2023, worked out by hand to two digits: (1 - a^(g+1)) / ((1 - a)(g c + 1)), where
    a verification takes as long as a step and a guess `cost` of one."""
    found = float(gained(right, float(guesses))) / (guesses * cost + 1)
    assert found == pytest.approx(faster, abs=0.06)


def plain() -> Any:
    return serving(small(), users=4, prefill_share=0)


def drafted(**given: float) -> Any:
    return drafting(serving(small(*DRAFT), users=4, prefill_share=0), **given)


@pytest.mark.slow
def test_nobody_guesses_nothing_gained() -> None:
    """No guesses: the plain machine, the draft's weights and cache taken from its memory."""
    alone, beside = best(plain()), best(drafted(tokens=0))
    for name in ("time_per_output_token", "tokens_per_second", "energy_per_token", "system_cost"):
        assert float(getattr(beside.metrics, name)) == pytest.approx(float(getattr(alone.metrics, name)), rel=EXACT)
    assert float(beside.headroom.memory) <= float(alone.headroom.memory)


def test_wrong_guesses_cost_what_drafting_and_verifying_cost() -> None:
    """A round gives one token; all right, it gives one more than there are guesses, in the same time."""
    wrong, right = best(drafted(tokens=3, acceptance=0)), best(drafted(tokens=3, acceptance=1))
    assert float(wrong.draft.tokens_per_round) == 1  # type: ignore[union-attr]
    assert float(wrong.metrics.time_per_output_token) > float(best(plain()).metrics.time_per_output_token)
    assert float(right.draft.round_time) == pytest.approx(float(wrong.draft.round_time), rel=EXACT)  # type: ignore[union-attr]
    for name in ("time_per_output_token", "energy_per_token"):
        ratio = float(getattr(wrong.metrics, name)) / float(getattr(right.metrics, name))
        assert ratio == pytest.approx(4, rel=EXACT)


def test_a_round_is_so_many_steps_of_the_draft_and_one_pass_of_the_model() -> None:
    """Both models' passes by themselves, added up."""
    candidate = drafted(tokens=3)
    found, mapping = best(candidate), best(candidate).mapping
    state, context = candidate.hw.chip.settle(candidate.format), candidate.serving.mean_context

    def alone(model: Any, tokens: float) -> Any:
        step = model.step(micro_batch(mapping), context, tokens)
        return passes(candidate.hw, state, model, candidate.format, mapping, [step])[0]

    verified, guess = alone(candidate.model, 4.0), alone(candidate.draft.model, 1.0)
    seconds = float(verified.times.total + 3 * guess.times.total)
    assert float(found.draft.round_time) == pytest.approx(seconds, rel=EXACT)  # type: ignore[union-attr]


@pytest.mark.slow
def test_the_draft_takes_memory_where_the_model_is() -> None:
    candidate = drafted(tokens=3)
    layers = [jnp.asarray(n) for n in (1.0, 2.0)]
    left = []
    for n in layers:
        blocks = type(candidate.draft.model.blocks)(all=replace(candidate.draft.model.blocks["all"], layers=n))
        model = replace(candidate.draft.model, blocks=blocks)
        left.append(best(replace(candidate, draft=replace(candidate.draft, model=model))))
    mapping = left[0].mapping
    layer = candidate.draft.model.layer_parameters() * candidate.format.weights.bytes / mapping.tensor
    context = candidate.serving.last_context
    cache = (
        mapping.batch * candidate.draft.model.cache_elements(context) * candidate.format.cache.bytes / mapping.tensor
    )
    fewer = float(left[0].headroom.memory - left[1].headroom.memory)
    assert [float(one.mapping.weights) for one in left] == [float(one.mapping.cache) for one in left]
    assert fewer == pytest.approx(float(layer + cache), rel=1e-6)


@pytest.mark.slow
def test_a_machine_of_its_own_adds_its_time_its_price_and_two_crossings() -> None:
    """The same chips, guesses that cross in no time: the round of one machine, the price of two."""
    apart = [*DRAFT, "draft=apart", "hw@draft.hw=corsair_card"]
    candidate = drafting(serving(small(*apart), users=4, prefill_share=0), tokens=3)
    assert candidate.draft is not None
    assert candidate.draft.link is not None
    link = {name: jnp.asarray(value) for name, value in (("latency", 0.0), ("bandwidth", 1e30), ("part_cost", 0.0))}
    quick = replace(candidate, draft=replace(candidate.draft, link=replace(candidate.draft.link, **link)))
    here, found, slow = best(drafted(tokens=3)), best(quick), best(candidate)
    assert float(found.metrics.system_cost) == pytest.approx(2 * float(here.metrics.system_cost), rel=EXACT)
    assert float(found.headroom.memory) >= float(here.headroom.memory)
    waited = float(slow.draft.round_time - found.draft.round_time)  # type: ignore[union-attr]
    assert waited == pytest.approx(2 * float(candidate.draft.link.send(8.0 * 3 * 4)), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["chunked", "static"])
def test_schedulers_carry_a_draft(scheduler: str) -> None:
    """Right guesses against wrong ones: the same rounds give up to g + 1 tokens for one, less where prompts that are
    filled here take their time all the same."""
    candidate = serving(small(f"scheduler={scheduler}", *DRAFT), users=8)
    wrong, right = (best(drafting(candidate, tokens=3, acceptance=a)).metrics for a in (0, 1))
    assert 1 < float(right.tokens_per_second / wrong.tokens_per_second) <= 4 * (1 + EXACT)
    unfilled = serving(candidate, prefill_share=0)
    wrong, right = (best(drafting(unfilled, tokens=3, acceptance=a)).metrics for a in (0, 1))
    assert float(right.tokens_per_second / wrong.tokens_per_second) == pytest.approx(4, rel=EXACT)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("draft.acceptance=1.2",), "draft.*acceptance.*at most 1"),
        (("draft.tokens=-1",), "draft.*tokens.*at least 0"),
        (("draft.tokens=256",), "draft.tokens: 256 guesses a round"),
        (("draft.model.longest_context=512",), "draft.model attends to 512 at most"),
    ],
)
def test_bad_drafts_are_refused(overrides: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        template(["hw=corsair_card", "model=llama3_8b", "serving=chat", "draft=here", *overrides])


def test_a_draft_of_another_tongue_is_warned_of() -> None:
    words = ["hw=corsair_card", "model=llama3_8b", "serving=chat", "draft=here"]
    assert not template(words).cautions
    assert "32,000 tokens" in template([*words, "draft.model.vocabulary=32000"]).cautions[0]
