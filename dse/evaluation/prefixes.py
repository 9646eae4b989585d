"""What of a prompt is held already, and need not be filled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from dse.evaluation.rules import Rules
from dse.evaluation.runs import Request
from dse.traffic.traces import BLOCK


class Prefixes:
    """A replica's cache of prompts' beginnings: whole blocks, the least recently used out first; or a share of each."""

    def __init__(self, rules: Rules, table: Sequence[float]) -> None:
        """`table` : bytes of a sequence by its tokens."""
        block = table[min(BLOCK, len(table) - 1)]
        self.share, self.most = rules.hits, int(rules.prefix_cache / block) if block > 0 else 0
        self.blocks: OrderedDict[int, None] = OrderedDict()

    def held(self, request: Request) -> int:
        """Tokens of a prompt that are held; at least one is always filled."""
        if not (self.most and request.blocks):
            return min(int(self.share * request.prompt), request.prompt - 1)
        known = 0
        for block in request.blocks:
            if block not in self.blocks:
                break
            self.blocks.move_to_end(block)
            known += 1
        return min(known * BLOCK, request.prompt - 1)

    def remember(self, request: Request) -> None:
        """Keep a prompt's blocks; its last ones go first, as prefixes are of use only from their start."""
        if not (self.most and request.blocks):
            return
        for block in reversed(request.blocks):
            self.blocks[block] = None
            self.blocks.move_to_end(block)
        while len(self.blocks) > self.most:
            self.blocks.popitem(last=False)
