"""Claims on how fast a machine serves a model: tokens a second, seconds or joules a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dse.claims.bench import Bench, as_point, digest, ends, in_degrees, loaded
from dse.claims.bounds import WORDS, needs
from dse.claims.contract import Claim, Quantity, counts, machines_of
from dse.claims.verdict import (
    IMPOSSIBLE,
    UNTESTED,
    Line,
    Modelled,
    Receipt,
    Table,
    Verdict,
    hardest,
    judged,
    optimism,
)
from dse.configuration.schema import counted
from dse.evaluation.mapping import DEGREES, Wanted
from dse.evaluation.metrics import Answer, Metrics, more_is_better, units
from dse.problem.template import Template
from dse.run.near import nearest
from dse.run.numbers import amount

HELD_BACK = 0.999  # of the rated clock
HELD_TO_BOUNDS = ("tokens_per_second", "tokens_per_second_per_user", "time_per_output_token")


@dataclass(frozen=True, kw_only=True)
class Rate(Claim):
    """A metric of one machine that serves one model.

    machine : overrides that compose it, traffic included; users : sequences in flight, one number or several, of which
    the one that serves the claim best counts; claimed : metric -> number; variants : name -> degrees of a mapping that
    are shown beside the best.
    """

    machine: Sequence[str]
    users: Any
    claimed: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def check(self) -> None:
        machines_of(f"{self.place}: machine", self.machine)
        counts(f"{self.place}: users", self.users)
        for name, value in self.claimed.items():
            known = units(Metrics)
            if name not in known:
                raise ValueError(f"{self.place}: claimed: there is no metric {name!r}; {nearest(name, known)}")
            Quantity.read(f"{self.place}: claimed.{name}", value, known[name])
        for name, degrees in self.variants.items():
            for degree, value in degrees.items():
                if degree not in DEGREES:
                    raise ValueError(
                        f"{self.place}: variants.{name}: there is no {degree!r}; {nearest(degree, DEGREES)}"
                    )
                counted(f"{self.place}: variants.{name}.{degree}", value)

    def receipt(self, bench: Bench) -> Receipt:
        first = next(iter(self.claimed))
        wanted = Wanted(first)
        found = bench.template(self.machine)
        options = {users: bench.answer(self.machine, users, wanted) for users in counts("users", self.users)}
        sign = 1 if more_is_better(first) else -1
        users = max(options, key=lambda one: (fits(options[one]), sign * float(getattr(options[one].metrics, first))))
        return self._told(bench, found, users, options[users], wanted)

    def _told(self, bench: Bench, found: Template, users: int, answer: Answer, wanted: Wanted) -> Receipt:
        """The receipt of the best of the loads."""
        if words := unfit(answer, found):
            none = [self._line(name, None) for name in self.claimed]
            return Receipt(none, words, commands=[digest(self.machine, users, wanted.objective)])
        ideal = bench.answer(self.machine, users, wanted, ideal=True)
        widened = bench.samples(self.machine, users, answer.mapping)
        lines, wants = [], {}
        for name in self.claimed:
            line, shares = self._judged(name, loaded(found.candidate, users), answer, ideal, widened)
            lines, wants = [*lines, line], wants or shares
        shown = as_point(answer, found)
        return Receipt(
            lines,
            hardest([line.verdict for line in lines if line.verdict]),
            f"{users} users: {in_degrees(shown['mapping'])}",
            wants,
            stopped(shown, float(found.candidate.hw.chip.engine.frequency)),
            [*self._variants(bench, users, wanted, shown)],
            [words for line in lines for words in optimism(line, more_is_better(line.quantity))],
            commands=[digest(self.machine, users, wanted.objective)],
        )

    def _line(self, name: str, verdict: Verdict | None) -> Line:
        claimed = Quantity.read(self.place, self.claimed[name], units(Metrics)[name])
        return Line(name, claimed.unit, claimed.value, claimed.written, verdict=verdict)

    def _judged(
        self, name: str, candidate: Any, answer: Answer, ideal: Answer, widened: Answer
    ) -> tuple[Line, dict[str, float]]:
        """A claimed metric beside the modelled one, with what it needs of the peaks."""
        unit, more = units(Metrics)[name], more_is_better(name)
        claimed = Quantity.read(self.place, self.claimed[name], unit)
        value, lossless = (float(getattr(one.metrics, name)) for one in (answer, ideal))
        low, high = ends(getattr(widened.metrics, name))
        wants, words, bound = {}, "the machine without losses", lossless
        if name in HELD_TO_BOUNDS:
            wants = needs(candidate, ideal, rate_of(name, claimed.value, float(candidate.serving.users)))
            words, bound = WORDS[tightest(wants)], allowed(name, claimed.value, wants)
        verdict = judged(claimed.value, claimed.width, Modelled(value, low, high, lossless, bound, words), more)
        return Line(name, unit, claimed.value, claimed.written, value, low, high, lossless, verdict), wants

    def _variants(self, bench: Bench, users: int, wanted: Wanted, best: Mapping[str, Any]) -> list[Table]:
        """The best mapping beside others, with the share of the exchange."""
        rows = [row("best", best, self.claimed)]
        for name, degrees in self.variants.items():
            chosen = replace(wanted, **dict(degrees))
            shown = as_point(bench.answer(self.machine, users, chosen), bench.template(self.machine))
            rows.append(
                row(name, shown, self.claimed)
                if shown["legal"]
                else [name, "not legal", *[None] * (2 + len(self.claimed))]
            )
        heads = [
            "mapping",
            "degrees",
            *(f"{n} {units(Metrics)[n]}".strip() for n in self.claimed),
            "exchange, share of time",
            "missing memory",
        ]
        return [Table("mappings (modelled)", heads, rows)] if self.variants else []


def row(name: str, shown: Mapping[str, Any], claimed: Mapping[str, Any]) -> list[Any]:
    """A mapping's line of the table."""
    short = -shown["headroom"]["memory"]
    values = [shown["metrics"][metric] for metric in claimed]
    missing = amount(short, "B") if short > 0 else "none"
    return [name, in_degrees(shown["mapping"]), *values, f"{shown['shares']['exchange']:.1%}", missing]


def fits(answer: Answer) -> bool:
    return bool(answer.legal) and float(answer.headroom.memory) >= 0


def unfit(answer: Answer, found: Template) -> Verdict | None:
    """The verdict where the machine does not hold the model or no mapping tiles it."""
    if not bool(answer.legal):
        return Verdict(UNTESTED, "no mapping tiles this machine and this model")
    if float(answer.headroom.memory) < 0:
        place = as_point(answer, found)["mapping"]
        short = amount(-float(answer.headroom.memory), "B")
        words = (
            f"memory: {short} are missing in the fullest tier of each chip, weights in {place['weights']}, cache in "
        )
        return Verdict(IMPOSSIBLE, words + place["cache"])
    return None


def rate_of(name: str, value: float, users: float) -> float:
    """Tokens a second of all users that a claimed metric means."""
    if name == "tokens_per_second":
        return value
    return value * users if name == "tokens_per_second_per_user" else users / value


def tightest(wants: Mapping[str, float]) -> str:
    """The resource of which the largest share is needed."""
    return max(wants, key=lambda one: wants[one])


def allowed(name: str, value: float, wants: Mapping[str, float]) -> float:
    """The best of a metric that the peaks allow, where `value` of it needs these shares of them."""
    most = wants[tightest(wants)]
    return value / most if more_is_better(name) else value * most


def stopped(shown: Mapping[str, Any], rated: float) -> str:
    """What takes most of the time of a step, and a clock that fell from `rated` Hz."""
    shares = sorted(shown["shares"].items(), key=lambda item: -item[1])
    words = ", ".join(f"{name} {share:.0%}" for name, share in shares[:2] if share >= 0.005)
    clock = shown["metrics"]["clock"] / rated
    held = f"; the clock is held at {clock:.0%} by the power limit" if clock < HELD_BACK else ""
    return f"time: {words}{held}"
