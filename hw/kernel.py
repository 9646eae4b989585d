"""Kernels: what a machine runs one after the other, each over all its cores. This file is the contract."""

# No `from __future__ import annotations` here: see hw/engine.py.
import functools
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from models.operators import Operator

SMALLEST = 1e-30  # seconds; a root of nothing at all has no slope


def soft_maximum(times: Sequence[Any], power: Any) -> Any:
    """Seconds of what overlaps, (a^p + b^p + ...)^(1/p): no less than the longest."""
    times = [jnp.maximum(one, SMALLEST) for one in times]
    longest = functools.reduce(jnp.maximum, times)
    return longest * sum((one / longest) ** power for one in times) ** (1 / power)


class Device(NamedTuple):
    """What a kernel runs on: `cores` of so many `operations` a second each on these operands at full rate; a `cache`
    of so many bytes that all share, which gives cache_bandwidth."""

    cores: Any
    operations: Any
    cache: Any
    cache_bandwidth: Any


class Operands(NamedTuple):
    """Bytes of an element of the operand held still, of the one fed, and of the result.

    widened : 1 where the held operand must be widened before it meets the other, 0 where the engine takes it as it is;
    scaled : scales for each input of a product that partial sums are multiplied by, 0 where there are none.
    """

    held: Any
    fed: Any
    result: Any
    widened: Any
    scaled: Any = 0.0


class KernelWork(NamedTuple):
    """Seconds of a kernel's arithmetic; bytes that it moves to and from memory beyond one reading of its held
    operand; time of its memory traffic over that of a long stream; seconds before the first of either."""

    compute: Any
    beside: Any
    slowdown: Any
    start: Any


class Kernel(eqx.Module):
    """How one kind of operator is computed on many cores.

    sharpness : p of (compute^p + memory^p)^(1/p), the time of both; large where they overlap well.
    """

    sharpness: eqx.AbstractVar[Array]

    @abstractmethod
    def work(self, operator: Operator, operands: Operands, device: Device) -> KernelWork:
        """What one operator asks of the device."""
