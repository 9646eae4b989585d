"""Whole numbers of things: rounded up or down exactly, and with a slope to follow where a search wants one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp

_relaxed = ContextVar("relaxed", default=False)


@contextmanager
def relaxed() -> Iterator[None]:
    """What is traced inside has slopes through its whole numbers, as if they were not rounded; values stay exact."""
    before = _relaxed.set(True)
    try:
        yield
    finally:
        _relaxed.reset(before)


def ceil(number: Any) -> Any:
    """The least whole number that is not below; relaxed, with the slope of max(1, number) for what is above 0."""
    whole = jnp.ceil(number)
    return _with_slope_of(jnp.maximum(number, jnp.minimum(whole, 1.0)), whole) if _relaxed.get() else whole


def floor(number: Any) -> Any:
    """The largest whole number that is not above; relaxed, with the slope of the number itself."""
    whole = jnp.floor(number)
    return _with_slope_of(jnp.asarray(number), whole) if _relaxed.get() else whole


def _with_slope_of(smooth: Any, whole: Any) -> Any:
    """The value of the one, the slope of the other."""
    return whole + (smooth - jax.lax.stop_gradient(smooth))
