"""The tables of pass times: exact on their grid, near between, and a lone request takes what the steady state says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from machines import mapping
from plain_machines import trace
from pools import answered

from dse.evaluation.mapping import Wanted
from dse.evaluation.metrics import Answer, Mapping
from dse.evaluation.rules import Rules
from dse.problem.template import Template, template
from dse.run.precision import arrays
from dse.simulation import latencies
from dse.simulation.serve import crossing
from dse.simulation.simulate import Served, simulate
from dse.simulation.step_times import Replica, Table, filling_times, replica, spaced, steady_state, step_times

MACHINES = {
    "array": ("hw=corsair_card", "format=mxint8"),
    "stack": ("hw=raptor_card", "format=mxint4_weights"),
    "tiles": ("hw=dgx_h100", "format=fp8"),
}
LONG, SLOTS, CHUNK = 4096, 64, 512
LAID = {"array": {"tensor": 8, "weights": 1, "cache": 1}, "stack": {"tensor": 8}, "tiles": {"tensor": 4}}
Tables = tuple[Template, Replica, Replica]
NEAR = 0.02  # of the steady state: the tables are linear between their points, the passes have steps


def found(name: str, *more: str) -> Template:
    return template([*MACHINES[name], "model=llama3_8b", "serving=chat", *more])


@pytest.fixture(scope="module", params=["array", pytest.param("stack", marks=pytest.mark.slow), "tiles"])
def machine(request: pytest.FixtureRequest) -> Tables:
    one = found(request.param)
    prompts = [int(one.candidate.serving.prompt)]
    return (
        one,
        replica(one.candidate, laid(one, 1), SLOTS, LONG, CHUNK),
        replica(one.candidate, laid(one, 1), SLOTS, LONG, 0, prompts),
    )


def laid(one: Template, batch: int) -> Mapping:
    """The mapping that goes with a machine."""
    name = next(name for name, words in MACHINES.items() if words[0] in one.overrides)
    return mapping(**LAID[name], batch=batch)


def steady(one: Template, batch: int) -> Answer:
    """What the steady state says of so many sequences."""
    return answered(arrays(one.candidate), laid(one, batch), None)


def test_a_table_is_linear_between_its_points_and_beyond_the_last() -> None:
    table = Table([[0, 1, 3], [0, 10]], np.array([[0.0, 10.0], [1.0, 11.0], [5.0, 15.0]]))
    assert table(0, 0) == 0
    assert table(2, 5) == pytest.approx(3 + 5)
    assert table(5, 20) == pytest.approx(9 + 20)
    assert Table([[7]], np.array([4.0]))(9) == 4


def test_points_are_spaced_by_powers_of_two() -> None:
    assert spaced(1, 20, (1, 1.5)) == [1, 2, 3, 4, 6, 8, 12, 16, 20]
    assert spaced(1, 1, (1,)) == [1]


@pytest.mark.parametrize("decodes", [1, 5, 48, 64])
def test_a_step_takes_what_the_steady_state_says(machine: Tables, decodes: int) -> None:
    one, times, _whole = machine
    quiet = found_quiet(one)
    asked = steady(quiet, decodes).metrics
    context = float(quiet.candidate.serving.mean_context)
    assert times.step(decodes, context, 0, 0.0) == pytest.approx(float(asked.time_per_output_token), rel=NEAR)


def found_quiet(one: Template) -> Template:
    """The same machine, its prompts filled elsewhere."""
    return template([*one.overrides, "serving.prefill_share=0"])


def served(one: Template, times: Replica, chunk: float) -> tuple[Served, Rules]:
    """A few requests, far apart, as long as the traffic says."""
    serving = one.candidate.serving
    count = 5
    requests = trace(np.arange(count) * 1e3, [int(serving.prompt)] * count, [int(serving.output)] * count)
    rules = Rules(chunk=chunk, warm_up=0, drain=0)
    return simulate(requests, times, rules), rules


def test_at_low_load_a_trace_is_the_steady_state(machine: Tables) -> None:
    """A request alone: its first token after its prompt, then a token a step; the prompts of others are far away."""
    one, _times, whole = machine
    asked = steady(found_quiet(one), 1).metrics
    columns = latencies.latencies(served(one, whole, chunk=0)[0])
    print(f"\n{' '.join(one.overrides[:2])}")
    for name in ("time_to_first_token", "time_per_output_token"):
        said, simulated = float(getattr(asked, name)), float(np.mean(columns[name]))
        print(f"  {name}: {said * 1e3:.4f} ms, simulated {simulated * 1e3:.4f} ms {simulated / said - 1:+.2%}")
        assert simulated == pytest.approx(said, rel=NEAR)


def test_at_low_load_chunks_are_the_steady_state_too(machine: Tables) -> None:
    """A prompt alone in chunks: as many passes as chunks, of which the last may be short."""
    one, times, _whole = machine
    chunked = template([*one.overrides, "serving.prefill_share=0", "scheduler=chunked"])
    asked = steady(chunked, 1).metrics
    columns = latencies.latencies(served(one, times, chunk=CHUNK)[0])
    assert np.mean(columns["time_per_output_token"]) == pytest.approx(float(asked.time_per_output_token), rel=NEAR)
    assert np.mean(columns["time_to_first_token"]) <= float(asked.time_to_first_token) * (1 + NEAR)


def test_a_replica_holds_what_memory_leaves(machine: Tables) -> None:
    """As many sequences as fill its memory fit by the headroom of the steady state, and one more does not."""
    one, times, _whole = machine
    serving = one.candidate.serving
    most = int(times.cache_capacity / times.cache_bytes(float(serving.last_context)))
    if most == 0:
        pytest.skip("weights leave no room in the fastest tier")
    left = [float(steady(one, batch).headroom.memory) for batch in (most - 1, most + 2)]
    assert left[1] < 0
    assert left[0] >= -0.02 * times.cache_capacity


@pytest.mark.slow
def test_two_pools_at_low_load_are_the_steady_state() -> None:
    """A node fills, a card decodes: the prompt, the cache over the link, then steps of one sequence."""
    one = template(
        ["hw=raptor_card", "format=mxint8", "model=llama3_8b", "serving=chat", "prefill=dgx_h100", "serving.users=1"]
    )
    wanted = Wanted("time_per_output_token")
    serving, rules = one.candidate.serving, Rules(chunk=0, warm_up=0, drain=0)
    rules = dataclasses.replace(rules, **crossing(one.candidate.prefill.link))
    requests = trace(np.arange(3) * 1e3, [int(serving.prompt)] * 3, [int(serving.output)] * 3)
    times, chosen = step_times(one, wanted, rules, requests)
    columns = latencies.latencies(simulate(requests, times, rules, filling_times(one, chosen, rules, requests)))
    said = steady_state(one, wanted, chosen, requests, 1.0)
    for name in ("time_to_first_token", "time_per_output_token"):
        assert np.mean(columns[name]) == pytest.approx(said[name], rel=NEAR), name


@pytest.mark.parametrize("groups", [1, 4])
def test_groups_fill_prompts_side_by_side(groups: int) -> None:
    """Prompts alone, however many attention groups: as many a second as the steady state of a pool that fills."""
    one = template(["hw=dgx_h100", "format=bf16", "model=mixtral_8x7b", "serving=chat"])
    laid = mapping(2, 1, attention_data=groups, expert=groups, batch=groups)
    prompt = int(one.candidate.serving.prompt)
    times = replica(one.candidate, laid, SLOTS, LONG, 0, [prompt])
    alone = float(answered(arrays(one.candidate), laid, None).metrics.time_to_first_token)
    assert times.step(0, 0, prompt, 0.0) == pytest.approx(alone, rel=1e-6)
    assert times.interval(0, 0, prompt, 0.0) == pytest.approx(alone / groups, rel=1e-6)
    assert times.pipelined == (groups > 1)
