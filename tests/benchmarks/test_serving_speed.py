"""How fast serving is simulated: `pytest -m benchmark -s tests/benchmarks/test_serving_speed.py`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
from plain_machines import Roofline

from dse.evaluation.rules import Rules
from dse.simulation.latencies import Targets, attainment
from dse.simulation.rates import largest_rate
from dse.simulation.simulate import simulate
from dse.traffic.traces import load

pytestmark = pytest.mark.benchmark
EVALUATION = 10e-6  # s, of looking a step time up in a table


@dataclass
class Slow(Roofline):
    """Takes as long to answer as a table does."""

    asked: list[int] = field(default_factory=lambda: [0])

    def step(self, decodes: int, context: float, fresh: int, past: float) -> float:
        until = time.perf_counter() + EVALUATION
        self.asked[0] += 1
        found = super().step(decodes, context, fresh, past)
        while time.perf_counter() < until:
            pass
        return found


@pytest.mark.parametrize(
    ("rules", "replicas", "capacity"),
    [
        (Rules(), 1, 60e9),
        (Rules(), 16, 60e9),
        (Rules(), 1, 8e9),
        (Rules(chunk=0), 1, 60e9),
        (Rules(chunk=0, continuous=0), 4, 60e9),
        (Rules(chunk=0, prefill_replicas=1), 4, 60e9),
    ],
)
def test_ten_thousand_requests(rules, replicas, capacity):
    """Seconds of 10,000 requests of the synthetic chat, near the rate that the stand-in can serve."""
    trace = load("chat_synthetic", rate=20.0 * max(replicas - rules.prefill_replicas, 1))
    times = Slow(replicas=replicas, cache_capacity=capacity)
    start = time.perf_counter()
    served = simulate(trace, times, rules)
    seconds = time.perf_counter() - start
    print(
        f"\n{len(trace):,} requests on {replicas} replicas, chunk {rules.chunk}, continuous {rules.continuous}: "
        f"{seconds:.2f} s, {times.asked[0]:,} step times, {int(served.preemptions.sum()):,} preemptions"
    )
    assert seconds < 10


def test_the_largest_rate():
    """Seconds of the search for the largest rate, 4,000 requests a simulation."""
    trace, times, rules, targets = load("chat_synthetic", requests=4000), Slow(), Rules(), Targets(2.0, 0.05)

    def attained(rate: float) -> float:
        return attainment(simulate(trace.at(rate), times, rules), rules, targets)

    start = time.perf_counter()
    found = largest_rate(attained, trace.rate, rules.attained_share)
    print(f"\n{len(found.tried)} simulations, {time.perf_counter() - start:.1f} s: {found.rate:.4g} requests/s")
    assert found.bounded
