"""How long a space takes, and what to do with one that takes too long."""

from __future__ import annotations

import math

from dse.problem.problem import Problem
from dse.problem.space import Interval, Space

RATE = 1e8  # candidate x mapping evaluations a second of chips x systems, on two cores; docs/enumerate.md has it
WRITTEN = ((31_557_600, "years"), (86_400, "days"), (3600, "hours"), (60, "minutes"), (0, "seconds"))


def seconds(size: float, mappings: float, rate: float = RATE) -> float:
    """Seconds that so many designs of so many mappings take at `rate` evaluations a second."""
    return size * mappings / rate


def duration(time: float) -> str:
    """A time in two digits and the largest unit that it has three of, or seconds."""
    least, name = next((size, name) for size, name in WRITTEN if time >= 3 * size)
    value = time / max(least, 1)
    return f"{value:,.0f} {name}" if value >= 10 else f"{value:.2g} {name}"


def refuse_too_large(problem: Problem, most: float, rate: float = RATE) -> None:
    """Raise ValueError in words where a space has too many designs to be enumerated, or no end of them."""
    space = problem.space
    endless = [p.key for p in space.parameters if isinstance(p, Interval)]
    if endless:
        raise ValueError(
            f"search=enumerate: {', '.join(endless)}: an interval has no end of values; give it a step or a count, "
            "or use a search that samples, search=optuna"
        )
    if space.size > most:
        raise ValueError(f"search=enumerate: {too_large(space, most, mappings_of(problem), rate)}")


def mappings_of(problem: Problem) -> int:
    """The mappings that the first design tries."""
    return int(problem.choices(problem.space.designs(0, 1)[0]).size)


def too_large(space: Space, most: float, mappings: int, rate: float = RATE) -> str:
    """The count, the time it would take, and what to use instead."""
    sizes = sorted(((p.size, p.key) for p in space.parameters), reverse=True)[:2]
    largest = " and ".join(f"{size:,.0f} of {key}" for size, key in sizes)
    return (
        f"{space.size:,.0f} designs are more than search.most={most:,.0f}; with {mappings:,} mappings each they would "
        f"take about {duration(seconds(space.size, mappings, rate))} at {rate:,.0f} evaluations a second. Use "
        f"search=evolve or search=optuna, which look at as many as you give them; or name fewer values ({largest}), "
        f"at most {math.floor(most):,} designs in all; or raise search.most"
    )
