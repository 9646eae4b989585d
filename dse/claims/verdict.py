"""Verdicts on claims: the one place where a claimed number, a modelled one and a bound are put beside each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dse.evaluation.figures import in_words
from dse.run.numbers import digits

WITHIN = "within the model"
EVERYWHERE = "holds at all points"
SOMEWHERE = "holds at some points"
INPUT = "input of the model: not tested"
NEEDS = "needs a share of the ideal"
IMPOSSIBLE = "impossible"
UNTESTED = "cannot be tested"
TINY = 1e-300
DASH = "\u2013"
KINDS = (WITHIN, EVERYWHERE, SOMEWHERE, INPUT, NEEDS, IMPOSSIBLE, UNTESTED)  # from the mildest
HELD = (WITHIN, EVERYWHERE, SOMEWHERE)  # the model agrees, at some point at least
FAR = 2.0  # times beyond a claim, from which the receipt says so


class Verdict(NamedTuple):
    """One of the kinds, and why in words; share : of the ideal that the claim needs, where that is known."""

    kind: str
    words: str
    share: float | None = None


class UntestableError(ValueError):
    """A claim that cannot be tested, and what is missing for it."""


class Modelled(NamedTuple):
    """A modelled number with the ends of its 90 % interval, and the most that is possible: without losses in the
    model, and by the bounds alone, with the words of the tightest of them."""

    value: float
    lower: float
    upper: float
    lossless: float
    bound: float
    bound_words: str


def judged(claimed: float, width: float, found: Modelled, more: bool) -> Verdict:
    """The verdict on a claimed number that is to be reached (`more`) or to be kept (not `more`).

    width : relative half-width of the claimed number. It is within the model where the model's best end of its
    interval is as good; it needs a share of the ideal up to the largest of the two ideals; beyond, it is impossible.
    """
    mildest = claimed * (1 - width) if more else claimed * (1 + width)

    def given(value: float) -> float:
        """How many times the claim this value is."""
        return value / mildest if more else mildest / max(value, TINY)

    if given(found.value) >= 1:
        return Verdict(WITHIN, f"the model gives {given(found.value):.3g} times what is claimed", None)
    if given(found.upper if more else found.lower) >= 1:
        return Verdict(WITHIN, f"inside the spread; the model's middle gives {given(found.value):.0%} of it", None)
    if given(found.lossless) >= 1:
        needed, reached = 1 / given(found.lossless), given(found.value) / given(found.lossless)
        return Verdict(
            NEEDS, f"needs {needed:.0%} of the machine without losses; the model reaches {reached:.0%}", needed
        )
    if given(found.bound) >= 1:
        needed = 1 / given(found.bound)
        words = f"needs {needed:.0%} of what {found.bound_words} allows, more than any mapping gives without losses"
        return Verdict(NEEDS, words, needed)
    options = (given(found.bound), found.bound_words), (given(found.lossless), "the machine without losses")
    most, words = max(options, key=lambda option: option[0])
    return Verdict(IMPOSSIBLE, f"{words} allows {most:.2g} times what is claimed at most", 1 / max(most, TINY))


def unless_input(verdict: Verdict, inputs: Sequence[str], sources: Sequence[str]) -> Verdict:
    """The verdict; where the model agrees with a number that it has from the claim's own source, that nothing was
    tested. What contradicts its own source is told as it is."""
    if not inputs or verdict.kind not in HELD:
        return verdict
    own = f"the claim's own source [{', '.join(sources)}], by {', '.join(inputs)}"
    return Verdict(INPUT, f"{verdict.words}; the model has that from {own}")


def optimism(line: Line, more: bool) -> list[str]:
    """Says so where the modelled number is far beyond what is claimed."""
    if not line.modelled:
        return []
    times = line.modelled / line.claimed if more else line.claimed / line.modelled
    if times <= FAR:
        return []
    named = line.quantity.replace("_", " ")
    return [f"{named}: the model is {times:.3g} times more optimistic than what was reached: {1 / times:.0%} of it"]


def hardest(verdicts: Sequence[Verdict]) -> Verdict:
    """The severest of some verdicts; of equals the one that needs the most."""
    return max(verdicts, key=lambda one: (KINDS.index(one.kind), one.share or 0.0))


def in_unit(value: float | None, unit: str) -> str:
    """A number as it is read, a ratio as so many times; a dash where there is none."""
    if value is None:
        return DASH
    return in_words({"value": value, "unit": unit}) if unit else f"{digits(value)} times"


@dataclass(frozen=True)
class Line:
    """One claimed quantity beside what was modelled, in the unit of both; bounds are shares that the claim needs."""

    quantity: str
    unit: str
    claimed: float
    written: str
    modelled: float | None = None
    lower: float | None = None
    upper: float | None = None
    lossless: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Table:
    """A table that belongs to a receipt: cells are words or numbers."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Receipt:
    """What the model says to a claim.

    needs : resource -> share of its peak that the claimed rate needs; stopped_by : what stops the modelled machine.
    """

    lines: Sequence[Line]
    verdict: Verdict
    mapping: str = ""
    needs: Mapping[str, float] = field(default_factory=dict)
    stopped_by: str = ""
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    commands: Sequence[str] = ()

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        found = dataclasses.asdict(self)
        verdicts = [line.verdict._asdict() if line.verdict else None for line in self.lines]
        lines = [line | {"verdict": verdict} for line, verdict in zip(found["lines"], verdicts, strict=True)]
        return found | {"verdict": self.verdict._asdict(), "lines": lines}
