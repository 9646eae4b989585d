"""Claims that one machine is so many times better than others, over a grid of baselines, models and loads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dse.claims.bench import Bench, digest, loaded
from dse.claims.bounds import needs
from dse.claims.contract import Claim, Quantity, counts, machines_of
from dse.claims.rates import HELD_TO_BOUNDS, allowed, fits, rate_of
from dse.claims.values import Known, unit_of
from dse.claims.values import known as known_values
from dse.claims.verdict import (
    EVERYWHERE,
    IMPOSSIBLE,
    NEEDS,
    SOMEWHERE,
    TINY,
    UNTESTED,
    Line,
    Receipt,
    Table,
    UntestableError,
    Verdict,
    hardest,
    unless_input,
)  # fmt: skip
from dse.evaluation.mapping import Wanted
from dse.evaluation.metrics import Metrics, more_is_better, units
from dse.problem.template import Template
from dse.run.near import nearest

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
    peaks: Mapping[str, float | None]
    inputs: Mapping[str, Sequence[str]]


ENDS: Sequence[Callable[[Point], Mapping[str, float | None]]] = (
    lambda point: point.best,
    lambda point: point.lossless,
    lambda point: point.peaks,
)


class Grid(NamedTuple):
    """A ratio at all points, from the least, and with the better ends of the spreads; at best without losses of the
    subject, and by the subject's peaks, 0 where no peak bounds it."""

    known: Sequence[float]
    best: Sequence[float]
    lossless: float
    peaks: float = 0.0


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
            {name: self._times(name, self._peak(bench, pair[0], users, name), theirs[name]) for name in ideal},
            {name: [path for side in pair for path in self._inputs(bench, side, name)] for name in self.claimed},
        )  # fmt: skip

    def _names(self) -> list[str]:
        return list(dict.fromkeys([*self.claimed, *self.shown]))

    def _number(self, bench: Bench, machine: list[str], users: int, name: str, ideal: bool = False) -> float | None:
        """A metric under the best mapping, or a number of the machine."""
        found = bench.template(machine)
        if name not in units(Metrics):
            return self._of_machine(bench, machine, name)
        answer = bench.answer(machine, users, Wanted(self.objective), ideal=ideal)
        if not fits(answer):
            return None
        return float(getattr(answer.metrics, name)) / self._share_of(found)

    def _share_of(self, found: Template) -> float:
        """What a number of the whole machine is divided by."""
        return float(found.candidate.hw.chips()) if self.per_chip else 1.0

    def _peak(self, bench: Bench, machine: list[str], users: int, name: str) -> float | None:
        """The best of a rate that the machine's peaks allow, whatever the mapping; none of what is no rate."""
        if name not in HELD_TO_BOUNDS:
            return None
        found, answer = bench.template(machine), bench.answer(machine, users, Wanted(self.objective), ideal=True)
        value = float(getattr(answer.metrics, name))
        wants = needs(loaded(found.candidate, users), answer, rate_of(name, value, users))
        return allowed(name, value, wants) / self._share_of(found)

    def _known(self, bench: Bench, machine: list[str], path: str) -> Known:
        return known_values(bench.template(machine), [path], bench.seed, self.own_sources)[0]

    def _inputs(self, bench: Bench, machine: list[str], name: str) -> Sequence[str]:
        """Of a number of a machine, those from the claim's own source that it rests on."""
        return () if name in units(Metrics) else self._known(bench, machine, name).inputs

    def _of_machine(self, bench: Bench, machine: list[str], path: str) -> float:
        """A number of the machine, less the part that the claim does not speak of."""
        try:
            unit = unit_of(bench.template(machine), path)
        except ValueError as error:
            raise ValueError(f"{self.place}: {error}") from None
        value = self._known(bench, machine, path).value
        if path not in self.apart:
            return value
        return value - Quantity.read(f"{self.place}: apart.{path}", self.apart[path], unit).value

    def _width(self, bench: Bench, machine: list[str], name: str) -> float:
        """Half of what is known of the logarithm of a number of a machine; metrics are compared by their middles."""
        if name in units(Metrics):
            return 0.0
        found = self._known(bench, machine, name)
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
        if not known:
            words = f"{name.replace('_', ' ')}: no point of the grid where both machines hold the model"
            return Line(name, TIMES, claimed.value, claimed.written, verdict=Verdict(UNTESTED, words))
        best, lossless, peaks = ([times for point in points if (times := of(point)[name]) is not None] for of in ENDS)
        grid = Grid(known, best, max(lossless, default=0.0), max(peaks, default=0.0))
        verdict = over_grid(name.replace("_", " "), mildest(claimed), grid)
        agreed = [point for point in points if (point.best[name] or 0.0) >= mildest(claimed)]
        inputs = list(dict.fromkeys(path for point in agreed for path in point.inputs[name]))
        verdict = unless_input(verdict, inputs, self.own_sources)
        middle = known[len(known) // 2]
        return Line(name, TIMES, claimed.value, claimed.written, middle, known[0], known[-1], grid.lossless, verdict)

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


def over_grid(name: str, least: float, grid: Grid) -> Verdict:
    """The verdict on a ratio that is to be at least so large: at how many points it holds; where at none, what of the
    ideal it needs, and impossible only beyond both ideals."""
    total, held = len(grid.known), sum(times >= least for times in grid.best)
    where, most = f"{name}: holds at {held} of {total} points", grid.known[-1]
    if held:
        spread = held - sum(times >= least for times in grid.known)
        inside = f", {spread} of them inside the spread alone" if spread else ""
        kind = EVERYWHERE if held == total else SOMEWHERE
        return Verdict(kind, f"{where}{inside}; the model gives {grid.known[0]:.3g} to {most:.3g} times")
    if grid.lossless >= least:
        share = least / grid.lossless
        return Verdict(NEEDS, f"{where}; needs {share:.0%} of the machine without losses; at most {most:.3g}", share)
    if grid.peaks >= least:
        share, than = least / grid.peaks, "more than any mapping gives without losses"
        return Verdict(NEEDS, f"{where}; needs {share:.0%} of what the peaks allow, {than}", share)
    also = f" and the {grid.peaks:.3g} of the peaks" if grid.peaks else ""
    words = f"{where}; {least:.3g} times is beyond the {grid.lossless:.3g} of the machine without losses{also}"
    return Verdict(IMPOSSIBLE, words, least / max(grid.lossless, grid.peaks, TINY))
