"""One replica as it serves: who waits, who is in flight, and what its next passes are.

All sequences that decode move on together, a token a pass. A sequence keeps `base`, its context less the replica's
count of passes, which stays the same while it decodes; so many passes are one run, and a run costs two or three
evaluations of the step time.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import deque

import numpy as np

from dse.evaluation.prefixes import Prefixes
from dse.evaluation.rules import Rules, StepTimes
from dse.evaluation.runs import Request, Run, chunk_of

CLOSE = 1e-3  # relative error of the time of a run


class Replica(ABC):
    """One copy of the AI model, its queue and its batch; how passes are made up is the policy's."""

    def __init__(self, number: int, times: StepTimes, rules: Rules, table: list[float], decodes: bool) -> None:
        self.number, self.times, self.rules, self.table = number, times, rules, table
        self.array, self.capacity, self.decode_here = np.asarray(table), float(times.cache_capacity), decodes
        self.slots, self.chunk = int(min(times.slots, rules.slots)), int(rules.chunk)
        self.pipelined = getattr(times, "pipelined", True)
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []  # in the order of admission
        self.decoding: dict[int, Request] = {}
        self.joining: list[Request] = []  # filled, their first token still on its way
        self.leaving: list[float] = []  # heap: when those who are done leave
        self.ends: list[tuple[int, int]] = []  # heap: the count of passes at which a sequence has its last token
        self.reserved, self.passes, self.total_base, self.in_flight, self.version = 0.0, 0, 0, 0, 0
        self.bases: np.ndarray | None = None
        self.run: Run | None = None
        self.admissions: list[int] = []
        self.log: list[tuple[float, float, int, int, int, int, float]] = []
        self.queue_log: list[tuple[float, int]] = []
        self.prefixes = Prefixes(rules, table)

    # ---- the clock ----

    def arrive(self, request: Request, now: float) -> None:
        """A request is dealt to this replica; a run that it may join is cut short."""
        request.replica = self.number
        self.in_flight += 1
        alone = not self.waiting
        self.enqueue(request, now)
        if self.run is None:
            self.begin(now)
        elif alone and self.run.passes > 1 and self.may_join():
            self.replan(self.run.until(now))
        elif not self.run.passes and self.run.start <= now:
            self.replan(self.run._replace(first=now - self.run.start))

    def enqueue(self, request: Request, now: float, front: bool = False) -> None:
        (self.waiting.appendleft if front else self.waiting.append)(request)
        self.queue_log.append((now, 1))

    def replan(self, run: Run | None) -> None:
        self.run = run
        self.version += 1

    def load(self, now: float) -> int:
        """Requests in flight or waiting here."""
        while self.leaving and self.leaving[0] <= now:
            heapq.heappop(self.leaving)
            self.in_flight -= 1
        return self.in_flight

    def finish_run(self) -> list[Request]:
        """Do what the run says, begin the next; the requests that are done here."""
        run = self.run
        assert run is not None
        end, done = run.end, []
        if run.passes:
            fresh = sum(tokens for _, tokens in run.parts)
            held = self.used(run.passes - 1 if run.decodes else -1)
            self.log.append((run.start, end, run.passes, run.decodes, len(self.running), fresh, held))
        for request, fresh in run.parts:
            request.filled += fresh
            if request.filled == request.to_fill:
                self.filled(request, end - run.early, done)
        if run.decodes:
            self.passes += run.passes
            self.decoded(end - run.early, done)
        self.released(done, end)
        self.begin(end)
        return done

    def filled(self, request: Request, at: float, done: list[Request]) -> None:
        """A prompt is filled: its next token is there."""
        self.token(request, at)
        self.prefixes.remember(request)
        if request.done or not self.decode_here:
            done.append(request)
        else:
            request.ready = at
            self.joining.append(request)

    def token(self, request: Request, at: float, tokens: int = 1) -> None:
        if request.generated == 0:
            request.first = at
        request.generated += tokens
        request.last = at

    def decoded(self, at: float, done: list[Request]) -> None:
        """Those whose last token has come."""
        while self.ends and self.ends[0][0] <= self.passes:
            due, index = heapq.heappop(self.ends)
            request = self.decoding.get(index)
            if request is None or request.place != due:
                continue  # it was put back meanwhile
            request.generated, request.last, request.place = request.output, at, -1
            done.append(request)

    def leave(self, request: Request, at: float) -> None:
        """Give back what a request holds."""
        self.drop(request)
        heapq.heappush(self.leaving, at)

    def drop(self, request: Request) -> None:
        self.running.remove(request)
        if self.decoding.pop(request.index, None) is not None:
            self.total_base -= request.base
            self.bases = None
        else:
            self.reserved -= request.held
            if request in self.joining:
                self.joining.remove(request)
        if not self.running:
            self.reserved = 0.0  # what rounding has left

    # ---- cache ----

    def used(self, ahead: int = 0) -> float:
        """Bytes in use, in the pass that is `ahead` of the next."""
        if not self.decoding:
            return self.reserved
        if self.bases is None:
            self.bases = np.fromiter((one.base for one in self.decoding.values()), np.int64, len(self.decoding))
        return float(self.array[self.bases + (self.passes + ahead)].sum()) + self.reserved

    def room(self, most: int) -> int:
        """How many of the next passes fit into the cache; at least one, once others were put back."""
        if self.used(most - 1) <= self.capacity:
            return most
        low, high = 1, most
        while low < high - 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.used(middle - 1) <= self.capacity else (low, middle)
        return low

    def make_room(self, now: float) -> bool:
        """Put the last admitted back into the queue until the next pass fits; whether anyone was."""
        freed = False
        while len(self.running) > 1 and self.used() > self.capacity:
            victim, freed = self.running[-1], True
            if victim.index in self.decoding:
                victim.generated = victim.output - (victim.place - self.passes)
            self.drop(victim)
            victim.preemptions += 1
            victim.filled, victim.to_fill = 0, victim.prompt + victim.generated
            self.enqueue(victim, now, front=True)
        return freed

    # ---- admission ----

    def may_join(self) -> bool:
        """Whether there is a place for one more."""
        return len(self.running) < self.slots

    def fits(self, request: Request) -> bool:
        """Whether a request's prompt and its next token fit beside what is held."""
        return self.used() + self.table[min(request.to_fill + 1, request.longest)] <= self.capacity

    def admit(self, now: float) -> Request:
        """Take the head of the queue into flight; a prefix that is held need not be filled."""
        request = self.waiting.popleft()
        self.queue_log.append((now, -1))
        self.running.append(request)
        self.admissions.append(request.index)
        if request.admitted != request.admitted:
            request.admitted = now
        request.held = self.table[request.to_fill]
        self.reserved += request.held
        if request.filled < request.to_fill:
            request.filled = self.prefixes.held(request)
            request.hit += request.filled
        else:
            request.ready = now
            self.joining.append(request)
        return request

    def join(self, now: float) -> None:
        """Those whose first token is there begin to decode."""
        for request in [one for one in self.joining if one.ready <= now]:
            self.joining.remove(request)
            self.reserved -= request.held
            request.base = request.prompt + request.generated - self.passes
            request.place = self.passes + request.output - request.generated
            heapq.heappush(self.ends, (request.place, request.index))
            self.decoding[request.index] = request
            self.total_base += request.base
            self.bases = None

    # ---- the next run ----

    def begin(self, now: float) -> None:
        """Decide what comes next from `now` on; nothing, where nobody is here."""
        self.join(now)
        parts = self.compose(now)
        if parts or (self.decoding and self.may_decode()):
            self.replan(self.planned(now, parts))
        elif self.joining:
            wait = min(one.ready for one in self.joining) - now
            self.replan(Run(now, 0, wait, 0.0, 0.0, 0, ()))
        else:
            self.replan(None)

    @abstractmethod
    def compose(self, now: float) -> list[tuple[Request, int]]:
        """Put back, admit, and say how many tokens of which prompts the next pass fills."""

    @abstractmethod
    def released(self, done: list[Request], now: float) -> None:
        """Let those leave who are done."""

    def may_decode(self) -> bool:
        """Whether those who are ready decode without those whose first token is on its way."""
        return True

    def together(self) -> bool:
        """Whether sequences decode while prompts are filled."""
        return self.chunk > 0

    def planned(self, now: float, parts: list[tuple[Request, int]]) -> Run:
        """The run that begins now."""
        decodes = len(self.decoding) if not parts or self.together() else 0
        context = self.total_base / decodes + self.passes if decodes else 0.0
        fresh, past = chunk_of(parts)
        if parts or not decodes:
            first, early = self.seconds(decodes, context, fresh, past)
            return Run(now, 1, first, first, early, decodes, tuple(parts))
        most = self.room(self.ends_in())
        found = self.stretch(now, most, decodes, context)
        if self.joining:
            found = found.until(min(one.ready for one in self.joining))
        return found

    def ends_in(self) -> int:
        """Passes until the next sequence has its last token."""
        while True:
            due, index = self.ends[0]
            if index in self.decoding and self.decoding[index].place == due:
                return due - self.passes
            heapq.heappop(self.ends)

    def stretch(self, now: float, most: int, decodes: int, context: float) -> Run:
        """As many passes as a straight line between first and last gives to `CLOSE`, judged in the middle."""
        first, early = self.seconds(decodes, context, 0, 0.0)
        if most == 1:
            return Run(now, 1, first, first, early, decodes, ())
        while True:
            last, early = self.seconds(decodes, context + most - 1, 0, 0.0)
            if most == 2 or abs(last - first) <= 2 * CLOSE * min(first, last):
                break
            middle, _ = self.seconds(decodes, context + (most - 1) / 2, 0, 0.0)
            if abs(middle - (first + last) / 2) <= CLOSE * middle:
                break
            most = (most + 1) // 2
        return Run(now, most, first, last, early, decodes, ())

    def seconds(self, decodes: int, context: float, fresh: int, past: float) -> tuple[float, float]:
        """Seconds of a pass, and how long before its end its tokens are there."""
        there = self.times.step(decodes, context, fresh, past)
        if not self.pipelined:
            return there, 0.0
        next_pass = self.times.interval(decodes, context, fresh, past)
        length = max(next_pass, there) if decodes else next_pass
        return length, length - there
