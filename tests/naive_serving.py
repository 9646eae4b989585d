"""A second opinion on serving: pass by pass, every sequence by itself, in the plainest Python; shares no code."""

from __future__ import annotations

from typing import Any


class Sequence:
    def __init__(self, index: int, arrival: float, prompt: int, output: int) -> None:
        self.index, self.arrival, self.prompt, self.output = index, arrival, prompt, output
        self.got, self.cached, self.goal = 0, 0, prompt
        self.stamps: list[float] = []
        self.put_back = 0

    @property
    def full(self) -> bool:
        return self.cached >= self.goal


def serve(trace: Any, times: Any, chunk: int, slots: int, hits: float = 0.0) -> dict[str, Any]:
    """One replica of continuous batching, passes without a pipeline."""
    coming = [Sequence(i, *row) for i, row in enumerate(zip(trace.arrival, trace.prompt, trace.output, strict=True))]
    everyone = list(coming)
    coming = [s for s in coming if times.cache_bytes(s.prompt + s.output - 1) <= times.cache_capacity]
    queue: list[Sequence] = []
    flight: list[Sequence] = []
    now, most_held, admitted = 0.0, 0.0, []

    def size(sequence: Sequence) -> float:
        """Bytes that a sequence holds in the pass that comes."""
        decodes = sequence.full and sequence.got > 0
        return times.cache_bytes(sequence.prompt + sequence.got if decodes else sequence.goal)

    def held() -> float:
        return sum(size(sequence) for sequence in flight)

    while coming or queue or flight:
        while coming and coming[0].arrival <= now:
            queue.append(coming.pop(0))
        if not queue and not flight:
            now = coming[0].arrival
            continue
        back = False
        while len(flight) > 1 and held() > times.cache_capacity:
            last = flight.pop()
            last.put_back, last.cached, last.goal, back = last.put_back + 1, 0, last.prompt + last.got, True
            queue.insert(0, last)
        work = []
        budget = chunk if chunk else 1
        for sequence in flight:
            if not sequence.full:
                work.append((sequence, min(budget, sequence.goal - sequence.cached)))
                budget -= work[-1][1]
        while queue and not back and budget > 0 and len(flight) < slots:
            head = queue[0]
            next_size = times.cache_bytes(min(head.goal + 1, head.prompt + head.output - 1))
            if held() + next_size > times.cache_capacity:
                break
            flight.append(queue.pop(0))
            admitted.append(head.index)
            head.cached = min(int(hits * head.prompt), head.prompt - 1)
            work.append((head, min(budget, head.goal - head.cached) if chunk else head.goal - head.cached))
            budget -= work[-1][1]
        decoding = [s for s in flight if s.full and s.got > 0] if chunk or not work else []
        most_held = max(most_held, held())
        context = sum(s.prompt + s.got for s in decoding) / len(decoding) if decoding else 0.0
        fresh = sum(n for _, n in work)
        attended = sum(n * (s.cached + n / 2) for s, n in work)
        past = max(0.0, attended / fresh - fresh / 2) if fresh else 0.0
        now += times.step(len(decoding), context, fresh, past)
        for sequence, n in work:
            sequence.cached += n
            if sequence.full:
                sequence.got += 1
                sequence.stamps.append(now)
        for sequence in decoding:
            sequence.got += 1
            sequence.stamps.append(now)
        flight = [s for s in flight if s.got < s.output]
    return {"sequences": everyone, "most_held": most_held, "admitted": admitted}
