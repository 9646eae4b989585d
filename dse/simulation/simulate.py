"""A trace served: requests dealt to replicas, batched, filled, decoded, from the first arrival to the last token."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.evaluation.batching import policy
from dse.evaluation.replica import Replica
from dse.evaluation.rules import Rules, StepTimes
from dse.evaluation.runs import Request
from dse.traffic.traces import Trace

EXACT = 4096  # tokens up to which the bytes of a sequence are asked for one by one; beyond, between points
POINTS = 4096
ARRIVES, ENDS = 0, 1  # of two things at once, who arrives goes first


@dataclass(frozen=True)
class Served:
    """What became of every request, and what every replica did.

    admitted, first, last : [request], s: filling begins, first and last token; NaN where it was refused, because its
    cache fits no replica. hits : [request], prompt tokens that a cache of prefixes held.
    passes : [run, (start, end, passes, decodes, in flight, fresh, bytes, replica)], runs of equal passes;
    queue : [change, (time, by)]; tokens of a run: passes x decodes, and one for each prompt that it completes.
    """

    trace: Trace
    admitted: np.ndarray
    first: np.ndarray
    last: np.ndarray
    preemptions: np.ndarray
    hits: np.ndarray
    replica: np.ndarray
    passes: np.ndarray
    queue: np.ndarray
    admissions: list[list[int]]
    left_over: float
    replicas: int
    slots: int
    cache_capacity: float

    @property
    def refused(self) -> np.ndarray:
        return np.isnan(self.last)


def simulate(trace: Trace, times: StepTimes, rules: Rules, filling: StepTimes | None = None) -> Served:
    """Serve a trace; with `rules.prefill_replicas`, or replicas of their own for `filling`, in two pools."""
    return _Pools(trace, times, rules, filling).serve()


class _Pools:
    """The replicas, the requests and what happens next."""

    def __init__(self, trace: Trace, times: StepTimes, rules: Rules, filling: StepTimes | None) -> None:
        self.trace, self.rules, self.times = trace, rules, times
        fill, decode = pools(times, rules, filling)
        table = cache_table(times, int(trace.prompt.max() + trace.output.max()))
        fill_table = table if filling is None else cache_table(filling, len(table) - 1)
        kind = policy(rules)
        self.decoders = [kind(i, times, rules, table, True) for i in range(decode)]
        self.fillers = [kind(decode + i, filling or times, rules, fill_table, False) for i in range(fill)]
        self.entrance = self.fillers or self.decoders
        self.turn, self.order = itertools.count(), itertools.count()
        self.events: list[tuple[float, int, int, Any, Any]] = []
        self.requests = self.read()

    def read(self) -> list[Request]:
        trace = self.trace
        blocks = trace.blocks or [()] * len(trace)
        columns = (trace.arrival.tolist(), trace.prompt.tolist(), trace.output.tolist(), blocks)
        return [Request(i, *one) for i, one in enumerate(zip(*columns, strict=True))]

    def serve(self) -> Served:
        for request in self.requests:
            if self.fits(request):
                self.push(request.arrival, ARRIVES, request, self.entrance)
        while self.events:
            now, kind, _, subject, more = heapq.heappop(self.events)
            if kind == ARRIVES:
                replica = self.choose(more, now)
                self.watch(replica, replica.arrive, subject, now)
            elif subject.version == more:
                done = self.watch(subject, subject.finish_run)
                if not subject.decode_here:
                    self.hand_over(done)
        return self.answer()

    def fits(self, request: Request) -> bool:
        """Whether a replica of each pool could hold the request by itself."""
        return all(pool[0].table[request.longest] <= pool[0].capacity for pool in (self.fillers, self.decoders) if pool)

    def push(self, time: float, kind: int, subject: Any, more: Any) -> None:
        heapq.heappush(self.events, (time, kind, next(self.order), subject, more))

    def choose(self, pool: list[Replica], now: float) -> Replica:
        """The replica with the fewest requests, or the next in turn."""
        if len(pool) == 1:
            return pool[0]
        if self.rules.round_robin:
            return pool[next(self.turn) % len(pool)]
        return min(pool, key=lambda replica: replica.load(now))

    def watch(self, replica: Replica, act: Any, *given: Any) -> Any:
        """Let a replica act, and note when its next run ends."""
        before = replica.version
        found = act(*given)
        if replica.version != before and replica.run is not None:
            self.push(replica.run.end, ENDS, replica, replica.version)
        return found

    def hand_over(self, done: list[Request]) -> None:
        """Filled caches cross the link, each message alone on it. The first token of an answer is there when the cache
        is, as in the steady state of two pools."""
        rules = self.rules
        for request in done:
            if request.output > 1:
                size = self.decoders[0].table[request.prompt]
                there = request.first + rules.transfer_latency + size / rules.transfer_bandwidth
                request.first, request.filled = there, request.prompt
                request.to_fill = request.prompt
                self.push(there, ARRIVES, request, self.decoders)

    def answer(self) -> Served:
        every, requests = [*self.decoders, *self.fillers], self.requests
        lost = [one.index for one in requests if self.fits(one) and one.generated != one.output]
        if lost:
            raise RuntimeError(f"{len(lost)} requests were never finished, the first is number {lost[0]}")
        columns = {name: np.array([getattr(one, name) for one in requests])
                   for name in ("admitted", "first", "last", "preemptions", "replica")}  # fmt: skip
        rows = [(*row, one.number) for one in every for row in one.log]
        changes = sorted(change for one in every for change in one.queue_log)
        return Served(
            self.trace,
            **columns,
            hits=np.array([one.hit for one in requests]),
            passes=np.array(sorted(rows), dtype=float).reshape(len(rows), 8),
            queue=np.array(changes, dtype=float).reshape(len(changes), 2),
            admissions=[one.admissions for one in every],
            left_over=sum(one.used() for one in every),
            replicas=len(every),
            slots=every[0].slots,
            cache_capacity=sum(one.capacity for one in every),
        )


def pools(times: StepTimes, rules: Rules, filling: StepTimes | None) -> tuple[int, int]:
    """How many replicas fill prompts, and how many decode; none fill where one pool does both."""
    if filling is not None:
        return filling.replicas, times.replicas
    fill = int(rules.prefill_replicas)
    if fill >= times.replicas:
        raise ValueError(
            f"simulation.prefill_replicas: {fill} of {times.replicas} replicas fill prompts, and none is left to "
            "decode answers; write fewer, or a mapping with more replicas"
        )
    return fill, times.replicas - fill


def cache_table(times: StepTimes, most: int) -> list[float]:
    """Bytes of one sequence of 0 to `most` tokens."""
    asked = np.unique(np.r_[np.arange(min(most, EXACT) + 1), np.geomspace(EXACT, max(most, EXACT), POINTS).astype(int)])
    asked = asked[asked <= most]
    sizes = [float(times.cache_bytes(float(context))) for context in asked]
    return np.interp(np.arange(most + 1), asked, np.maximum.accumulate(sizes)).tolist()
