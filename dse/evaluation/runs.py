"""A request on its way, and a run of equal passes."""

from __future__ import annotations

from typing import NamedTuple


class Request:
    """A request on its way: what it needs, and how far it is."""

    __slots__ = ("admitted", "arrival", "base", "blocks", "filled", "first", "generated", "held", "hit", "index",
                 "last", "output", "place", "preemptions", "prompt", "ready", "replica", "to_fill")  # fmt: skip

    def __init__(self, index: int, arrival: float, prompt: int, output: int, blocks: tuple[int, ...] = ()) -> None:
        self.index, self.arrival, self.prompt, self.output, self.blocks = index, arrival, prompt, output, blocks
        self.admitted = self.first = self.last = float("nan")
        self.generated, self.filled, self.to_fill, self.hit, self.preemptions = 0, 0, prompt, 0, 0
        self.ready, self.base, self.held, self.replica, self.place = 0.0, 0, 0.0, -1, -1

    @property
    def done(self) -> bool:
        return self.generated == self.output

    @property
    def longest(self) -> int:
        """Tokens in its cache when its last token comes, which is never put in."""
        return self.prompt + self.output - 1


class Run(NamedTuple):
    """Passes of one composition: seconds of each rise evenly from `first` to `last`; tokens are there `early` s before
    a pass ends (late, where the pass is only prompts in a pipeline). No passes: an idle wait."""

    start: float
    passes: int
    first: float
    last: float
    early: float
    decodes: int
    parts: tuple[tuple[Request, int], ...]

    def seconds(self, passes: int) -> float:
        """Seconds of the first so many passes."""
        rise = (self.last - self.first) / (self.passes - 1) if self.passes > 1 else 0.0
        return passes * self.first + rise * passes * (passes - 1) / 2

    @property
    def end(self) -> float:
        return self.start + (self.seconds(self.passes) if self.passes else self.first)

    def until(self, time: float) -> Run:
        """The run cut after the first pass that ends at `time` or later."""
        low, high = 1, self.passes
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.start + self.seconds(middle) >= time else (middle + 1, high)
        if low == self.passes:
            return self
        rise = (self.last - self.first) / (self.passes - 1)
        return self._replace(passes=low, last=self.first + rise * (low - 1))


def chunk_of(parts: list[tuple[Request, int]]) -> tuple[int, float]:
    """Prompt tokens of a pass, and the past that gives one chunk the attention of them all.

    F = sum of f,   past = max(0, sum of f (past_f + f / 2) / F - F / 2)
    """
    if not parts:
        return 0, 0.0
    fresh = sum(tokens for _, tokens in parts)
    if len(parts) == 1:
        return fresh, float(parts[0][0].filled)
    attended = sum(tokens * (request.filled + tokens / 2) for request, tokens in parts)
    return fresh, max(0.0, attended / fresh - fresh / 2)
