"""How requests are batched: what a scheduler may do, and what it asks of the machine."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol

from hw.units import Rule


class StepTimes(Protocol):
    """Seconds of one replica's passes under one mapping; a replica is one copy of the AI model.

    An object may also say `pipelined = False`: then `interval` is `step`, and is not asked for.
    """

    @property
    def replicas(self) -> int:
        """Copies, to which requests are dealt."""
        ...

    @property
    def slots(self) -> int:
        """Most sequences in flight of one replica."""
        ...

    @property
    def cache_capacity(self) -> float:
        """Bytes of cache that one replica holds."""
        ...

    def cache_bytes(self, context: float) -> float:
        """Bytes of cache that one sequence of this many tokens holds."""
        ...

    def step(self, decodes: int, context: float, fresh: int, past: float) -> float:
        """Seconds until the tokens of one pass are there.

        `decodes` sequences get a token each and attend to `context` tokens on average; beside them `fresh` tokens of
        prompt follow `past` ones. Either may be 0.
        """
        ...

    def interval(self, decodes: int, context: float, fresh: int, past: float) -> float:
        """Seconds after which the replica can begin its next pass."""
        ...


def _field(rule: Rule, default: float) -> Any:
    return dataclasses.field(default=default, metadata=rule.metadata())


SWITCH = Rule(least=0, most=1, whole=True)
SHARE = Rule(least=0, most=1)
COUNT = Rule(least=0, whole=True)


@dataclass(frozen=True)
class Rules:
    """Rules of batching.

    chunk : most prompt tokens of a pass, beside the tokens of those who decode; 0: a whole prompt, and nobody decodes.
    slots : most sequences in flight of a replica.
    continuous : 1: requests join and leave between passes; 0: a batch is filled, decoded to its end, then the next.
    hits : share of each prompt that a cache of prefixes holds; prefix_cache : bytes of it in each replica, for traces
    that name the blocks of their prompts, least recently used out first.
    round_robin : 1: requests are dealt in turn; 0: to the replica with the fewest in flight.
    prefill_replicas : of the replicas, those that only fill prompts; the cache then crosses a link to the others.
    warm_up, drain : shares of the requests, first and last, that are served but whose latencies are not counted.
    attained_share : of the requests, those that must meet both targets where the largest rate is looked for,
    with the first `search_requests` of the trace; 0: it is not.
    """

    chunk: float = _field(COUNT, 512)
    slots: float = _field(Rule(least=1, whole=True), 256)
    continuous: float = _field(SWITCH, 1)
    hits: float = _field(SHARE, 0)
    prefix_cache: float = _field(Rule("B", least=0), 0)
    round_robin: float = _field(SWITCH, 0)
    prefill_replicas: float = _field(COUNT, 0)
    transfer_bandwidth: float = _field(Rule("B/s", above=0), 50e9)
    transfer_latency: float = _field(Rule("s", least=0), 0)
    warm_up: float = _field(Rule(least=0, most=0.5), 0.1)
    drain: float = _field(Rule(least=0, most=0.4), 0.1)
    attained_share: float = _field(Rule(above=0, most=1), 0.9)
    search_requests: float = _field(COUNT, 10000)
