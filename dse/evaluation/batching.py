"""The ways to make up a pass: in chunks, whole prompts first, static batches."""

from __future__ import annotations

import itertools

from dse.evaluation.replica import Replica
from dse.evaluation.rules import Rules
from dse.evaluation.runs import Request


class Continuous(Replica):
    """Requests join and leave between passes; who came last is put back when the cache is full."""

    def compose(self, now: float) -> list[tuple[Request, int]]:
        """Fill what was begun, then admit in order of arrival while tokens, places and cache are left.

        Without chunks one whole prompt is filled at a time. Nobody is admitted in a pass that put someone back.
        """
        freed = self.make_room(now)
        parts: list[tuple[Request, int]] = []
        left = self.chunk
        begun = self.running[-1] if self.running else None
        if begun is not None and begun.filled < begun.to_fill:
            parts.append((begun, min(left, begun.to_fill - begun.filled)))
            left -= parts[-1][1]
        while self.waiting and not freed and self.may_join():
            head = self.waiting[0]
            filled = head.filled == head.to_fill
            if not (filled or (left > 0 if self.chunk else not parts)) or not self.fits(head):
                break
            request = self.admit(now)
            if filled:
                self.join(now)
                continue
            fresh = request.to_fill - request.filled
            parts.append((request, min(left, fresh) if self.chunk else fresh))
            left -= parts[-1][1]
        return parts

    def released(self, done: list[Request], now: float) -> None:
        for request in done:
            self.leave(request, max(now, request.last))


class Static(Replica):
    """A batch is filled, decoded until its longest answer ends, and only then gives up its places and its cache."""

    def may_join(self) -> bool:
        return False

    def compose(self, now: float) -> list[tuple[Request, int]]:
        """The next prompt, or its next chunk; a new batch once the last one is gone."""
        if not self.running:
            for _ in range(self.room_for()):
                self.admit(now)
        for request in self.running:
            if left := request.to_fill - request.filled:
                return [(request, min(self.chunk or left, left))]
        return []

    def room_for(self) -> int:
        """How many of those who wait fit as one batch: each is held as long as the longest answer takes."""
        prompts, longest = [], 0
        for request in itertools.islice(self.waiting, self.slots):
            longest = max(longest, request.output)
            prompts.append(request.prompt)
            if sum(self.table[prompt + longest - 1] for prompt in prompts) > self.capacity:
                return len(prompts) - 1
        return len(prompts)

    def may_decode(self) -> bool:
        return not self.joining

    def together(self) -> bool:
        return False

    def released(self, done: list[Request], now: float) -> None:
        if all(request.done or (not self.decode_here and request.generated) for request in self.running):
            for request in list(self.running):
                self.leave(request, max(now, request.last))


def policy(rules: Rules) -> type[Replica]:
    """The class of replica that follows these rules."""
    return Continuous if rules.continuous else Static
