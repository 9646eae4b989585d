"""Claims that one machine is so many times better than others, over a grid of baselines, models and loads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dse.claims import Claim, Quantity, counts, machines_of
from dse.claims_rates import fits
from dse.claims_values import known as known_values
from dse.claims_values import unit_of
from dse.mapping import Wanted
from dse.metrics import Metrics, more_is_better, units
from dse.problem import Template
from dse.receipts_bench import Bench, digest
from dse.receipts_verdict import (
    IMPOSSIBLE,
    NEEDS,
    UNTESTED,
    WITHIN,
    Line,
    Receipt,
    Table,
    UntestableError,
    Verdict,
    hardest,
)  # fmt: skip
from dse.schema import nearest

TINY = 1e-300
ROUNDING = 1e-9
TIMES = ""  # the unit of a ratio


@dataclass(frozen=True)
class Point:
    """One comparison: quantity -> how many times better, and the same with the subject without losses; none where
    one of the two does not hold the model. best : with the better ends of what is known of a number of a machine."""

    baseline: str
    model: str
    users: int
    times: Mapping[str, float | None]
    lossless: Mapping[str, float | None]
    best: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Ratio(Claim):
    """How many times better a machine is than each of some baselines, for each model and load.

    machine : overrides of the subject; baselines : name -> overrides; models : name -> overrides that both get, and
    `subject` or `baseline` for one side's; users : loads; claimed : metric, or path of a number, -> times; less
    is better for a metric that says so, and for paths in `less`; apart : path -> part of that number which both sides
    have and the claim does not speak of; shown : further metrics and paths of the table; per_chip :
    whether rates are over the number of chips; objective : what both mappings are chosen for, a metric.
    """

    machine: Sequence[str]
    baselines: Mapping[str, Sequence[str]]
    models: Mapping[str, Any]
    users: Any
    claimed: Mapping[str, Any]
    objective: str
    shown: Sequence[str] = field(default_factory=tuple)
    less: Sequence[str] = field(default_factory=tuple)
    apart: Mapping[str, str] = field(default_factory=dict)
    per_chip: bool = False

    def check(self) -> None:
        machines_of(f"{self.place}: machine", self.machine)
        for name, overrides in self.baselines.items():
            machines_of(f"{self.place}: baselines.{name}", overrides)
        counts(f"{self.place}: users", self.users)
        for name, times in self.claimed.items():
            Quantity.read(f"{self.place}: claimed.{name}", times, "")
        for name in (self.objective, *(name for name in self.shown if "." not in name)):
            if name not in units(Metrics):
                raise ValueError(f"{self.place}: there is no metric {name!r}; {nearest(name, units(Metrics))}")

    def receipt(self, bench: Bench) -> Receipt:
        absent: list[str] = []
        points = list(self._points(bench, absent))
        if not points:
            raise UntestableError("; ".join(dict.fromkeys(absent)))
        lines = [self._line(name, points) for name in self.claimed]
        verdicts = [line.verdict for line in lines if line.verdict]
        return Receipt(
            lines,
            hardest(verdicts)._replace(words="; ".join(dict.fromkeys(one.words for one in verdicts))),
            tables=[self._table(points), *self._holding(points)],
            notes=list(dict.fromkeys(absent)),
            commands=[
                digest(
                    [*self.machine, *self._overrides(next(iter(self.models)), "subject")],
                    max(counts("", self.users)),
                    self.objective,
                )
            ],
        )

    def _overrides(self, model: str, side: str) -> list[str]:
        """What a model's entry gives to one side."""
        given = self.models[model]
        if isinstance(given, Mapping):
            return [*given.get("both", []), *given.get(side, [])]
        return list(given)

    def _points(self, bench: Bench, absent: list[str]) -> Iterator[Point]:
        """Every comparison whose machines are there; what is not there is added to `absent`."""
        for model in self.models:
            ours = [*self.machine, *self._overrides(model, "subject")]
            for baseline, overrides in self.baselines.items():
                theirs = [*overrides, *self._overrides(model, "baseline")]
                try:
                    for side in (ours, theirs):
                        bench.template(side)
                except UntestableError as error:
                    absent.append(str(error))
                    continue
                for users in counts("users", self.users):
                    yield self._point(bench, (ours, theirs), (baseline, model), users)

    def _point(self, bench: Bench, pair: tuple[list[str], list[str]], names: tuple[str, str], users: int) -> Point:
        ours, theirs = ({name: self._number(bench, side, users, name) for name in self._names()} for side in pair)
        ideal = {name: self._number(bench, pair[0], users, name, ideal=True) for name in self.claimed}
        times = {name: self._times(name, ours[name], theirs[name]) for name in ours}
        wide = {name: math.hypot(*(self._width(bench, side, name) for side in pair)) for name in self.claimed}
        return Point(
            *names, users,
            times,
            {name: self._times(name, ideal[name], theirs[name]) for name in ideal},
            {name: None if (middle := times[name]) is None else middle * math.exp(wide[name]) for name in wide},
        )  # fmt: skip

    def _names(self) -> list[str]:
        return list(dict.fromkeys([*self.claimed, *self.shown]))

    def _number(self, bench: Bench, machine: list[str], users: int, name: str, ideal: bool = False) -> float | None:
        """A metric under the best mapping, or a number of the machine."""
        found = bench.template(machine)
        if name not in units(Metrics):
            return self._of_machine(found, name, bench.seed)
        answer = bench.answer(machine, users, Wanted(self.objective), ideal=ideal)
        if not fits(answer):
            return None
        return float(getattr(answer.metrics, name)) / (float(found.candidate.hw.chips()) if self.per_chip else 1.0)

    def _of_machine(self, found: Template, path: str, seed: int) -> float:
        """A number of the machine, less the part that the claim does not speak of."""
        try:
            unit = unit_of(found, path)
        except ValueError as error:
            raise ValueError(f"{self.place}: {error}") from None
        value = known_values(found, [path], seed)[0].value
        if path not in self.apart:
            return value
        return value - Quantity.read(f"{self.place}: apart.{path}", self.apart[path], unit).value

    def _width(self, bench: Bench, machine: list[str], name: str) -> float:
        """Half of what is known of the logarithm of a number of a machine; metrics are compared by their middles."""
        if name in units(Metrics):
            return 0.0
        found = known_values(bench.template(machine), [name], bench.seed)[0]
        return math.log(found.upper / found.lower) / 2 if found.lower > 0 else 0.0

    def _times(self, name: str, ours: float | None, theirs: float | None) -> float | None:
        if ours is None or theirs is None:
            return None
        more = more_is_better(name) if name in units(Metrics) else name not in self.less
        return ours / max(theirs, TINY) if more else theirs / max(ours, TINY)

    def _line(self, name: str, points: Sequence[Point]) -> Line:
        """The ratio over the grid: its middle, its ends, and the verdict."""
        claimed = Quantity.read(self.place, self.claimed[name], "")
        known = sorted(times for point in points if (times := point.times[name]) is not None)
        best = [times for point in points if (times := point.lossless[name]) is not None]
        if not known:
            words = f"{name.replace('_', ' ')}: no point of the grid where both machines hold the model"
            return Line(name, TIMES, claimed.value, claimed.written, verdict=Verdict(UNTESTED, words))
        least = mildest(claimed)
        held = sum(times >= least for times in known)
        spread = [times for point in points if (times := point.best[name]) is not None]
        verdict = over_grid(name.replace("_", " "), least, known, held, max(best, default=0.0), max(spread))
        middle = known[len(known) // 2]
        return Line(name, TIMES, claimed.value, claimed.written, middle, known[0], known[-1], max(best), verdict)

    def _table(self, points: Sequence[Point]) -> Table:
        rows = [[p.baseline, p.model, p.users, *(p.times[name] for name in self._names())] for p in points]
        heads = ["baseline", "model", "users", *(f"{name.replace('_', ' ')}, times better" for name in self._names())]
        return Table("against each baseline (modelled)", heads, rows)

    def _holding(self, points: Sequence[Point]) -> list[Table]:
        """Where a grid has several baselines: the share of points at which each claimed ratio holds."""
        if len(points) < 2:
            return []
        rows = []
        for baseline in dict.fromkeys(point.baseline for point in points):
            own = [point for point in points if point.baseline == baseline]
            rows.append([baseline, *(self._share(name, own) for name in self.claimed)])
        rows.append(["all", *(self._share(name, points) for name in self.claimed)])
        heads = ["baseline", *(f"{name.replace('_', ' ')} {self.claimed[name]}" for name in self.claimed)]
        return [Table("share of points at which it holds (modelled)", heads, rows)]

    def _share(self, name: str, points: Sequence[Point]) -> str:
        claimed = Quantity.read(self.place, self.claimed[name], "")
        known = [times for point in points if (times := point.times[name]) is not None]
        held = sum(times >= mildest(claimed) for times in known)
        return f"{held} of {len(known)}"


def mildest(claimed: Quantity) -> float:
    """The least ratio that the claim may mean; a ratio of equal numbers is not lost to rounding."""
    return claimed.value * (1 - claimed.width) * (1 - ROUNDING)


def over_grid(name: str, least: float, known: Sequence[float], held: int, best: float, upper: float = 0.0) -> Verdict:
    """The verdict on a ratio of which the grid has these, and at best this one without losses of the subject.

    upper : the better end of the largest, where the numbers have spreads.
    """
    if held:
        where = "at all points" if held == len(known) else f"at {held} of {len(known)} points"
        return Verdict(WITHIN, f"{name}: holds {where}; the model gives {known[0]:.3g} to {known[-1]:.3g} times")
    if upper >= least:
        return Verdict(WITHIN, f"{name}: inside the spread; the model's middle gives {known[-1]:.3g} times at most")
    if best >= least:
        words = (
            f"{name}: needs {least / best:.0%} of the machine without losses; the model gives {known[-1]:.3g} at most"
        )
        return Verdict(NEEDS, words, least / best)
    words = f"{name}: {least:.3g} times is beyond the {best:.3g} of the machine without losses"
    return Verdict(IMPOSSIBLE, words, least / max(best, TINY))
