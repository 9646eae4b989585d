"""Plain stand-ins for a replica's step times, and small traces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dse.traffic.traces import Trace


@dataclass
class Roofline:
    """A pass takes the longer of arithmetic and traffic, and a constant: piecewise linear, as machines are."""

    replicas: int = 1
    slots: int = 1_000_000
    cache_capacity: float = 60e9
    byte: float = 131072.0
    window: float = float("inf")
    pipelined = False

    def cache_bytes(self, context: float) -> float:
        return self.byte * min(context, self.window)

    def step(self, decodes: int, context: float, fresh: int, past: float) -> float:
        tokens = decodes + fresh
        compute = 2e-5 * tokens + 1e-9 * (fresh * (past + fresh / 2) + decodes * context)
        traffic = 8e-3 + 4e-8 * (decodes * context + (past + fresh if fresh else 0))
        return 1e-4 + max(compute, traffic)

    def interval(self, decodes: int, context: float, fresh: int, past: float) -> float:
        return self.step(decodes, context, fresh, past)


@dataclass
class Constant:
    """Every prompt takes the same time and every pass of decoding another, whatever it holds."""

    fill: float = 1.0
    decode: float = 0.01
    replicas: int = 1
    slots: int = 1_000_000
    cache_capacity: float = 1e18
    pipelined = False

    def cache_bytes(self, context: float) -> float:
        return context

    def step(self, decodes: int, context: float, fresh: int, past: float) -> float:
        return self.fill if fresh else self.decode

    interval = step


@dataclass
class Pipeline(Roofline):
    """Stages: a lone prompt makes room for the next after a part of its way, decoders wait for the whole."""

    stages: int = 4
    pipelined = True

    def interval(self, decodes: int, context: float, fresh: int, past: float) -> float:
        whole = self.step(decodes, context, fresh, past)
        return whole if decodes else whole / self.stages


def trace(arrival, prompt, output) -> Trace:
    return Trace("small", np.asarray(arrival, float), np.asarray(prompt, int), np.asarray(output, int))


def poisson(requests: int, rate: float, seed: int, prompt: int = 300, output: int = 40) -> Trace:
    """A Poisson stream of geometric lengths."""
    random = np.random.default_rng(seed)
    lengths = [random.geometric(1 / mean, requests) for mean in (prompt, output)]
    return trace(np.cumsum(random.exponential(1 / rate, requests)), *lengths)
