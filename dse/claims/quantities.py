"""Claims on a number of a component, a machine or a model: a bandwidth, an efficiency, a size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dse.claims.bench import Bench
from dse.claims.contract import Claim, Quantity, machines_of
from dse.claims.values import Known, known, unit_of
from dse.claims.verdict import (
    IMPOSSIBLE,
    INPUT,
    WITHIN,
    Line,
    Modelled,
    Receipt,
    Table,
    Verdict,
    in_unit,
    judged,
    optimism,
    unless_input,
)  # fmt: skip
from dse.problem.session import command_line
from dse.problem.template import Template

SENSES = ("more", "less")


@dataclass(frozen=True, kw_only=True)
class Number(Claim):
    """A number that is reached, or not, at one of several places of a machine.

    places : name -> path of the configuration or figure, from the one that the claim is said of; machine : overrides;
    formats : sets of number formats to try, none: that of `machine`; claimed : the number; better : whether more or
    less of it is wanted; of : what the claim is said of, one of `places`, none where it does not say.
    """

    machine: Sequence[str]
    places: Mapping[str, str]
    claimed: str
    better: str
    of: str | None = None
    formats: Sequence[str] = field(default_factory=tuple)

    def check(self) -> None:
        machines_of(f"{self.place}: machine", self.machine)
        if self.better not in SENSES:
            raise ValueError(f"{self.place}: better: {self.better!r} is neither more nor less")
        if self.of is not None and self.of not in self.places:
            raise ValueError(f"{self.place}: of: {self.of!r} is none of the places, {', '.join(self.places)}")

    def receipt(self, bench: Bench) -> Receipt:
        lines: dict[tuple[str, str], Line] = {}
        for form in self.formats or ("",):
            found = bench.template([*self.machine, *([f"format={form}"] if form else [])])
            for name, path, told in zip(self.places, self.places.values(), self._known(found, bench.seed), strict=True):
                lines[name, form] = self._line(found, " in ".join(filter(None, [name, form])), path, told)
        chosen = {key: line for key, line in lines.items() if self.of in (None, key[0])}
        best = min(chosen.values(), key=self._rank)
        told = [
            [in_unit(number, line.unit) for number in (line.modelled, line.lower, line.upper)]
            for line in lines.values()
        ]
        rows = [
            [line.quantity, *numbers, line.verdict.kind if line.verdict else ""]
            for line, numbers in zip(lines.values(), told, strict=True)
        ]
        heads = ["where", "modelled", "lower", "upper", "verdict there"]
        return Receipt(
            [best],
            self._overall(list(lines.values()), best),
            tables=[Table("where it holds (modelled)", heads, rows)] if len(lines) > 1 else [],
            notes=optimism(best, self.better == "more"),
            commands=[command_line([], ["task=describe", *self.machine])],
        )

    def _known(self, found: Template, seed: int) -> list[Known]:
        for name, path in self.places.items():
            try:
                unit_of(found, path)
            except ValueError as error:
                raise ValueError(f"{self.place}: places.{name}: {error}") from None
        return known(found, list(self.places.values()), seed, self.own_sources)

    def _line(self, found: Template, name: str, path: str, told: Known) -> Line:
        unit = unit_of(found, path)
        claimed = Quantity.read(f"{self.place}: claimed", self.claimed, unit)
        numbers = (told.value, told.lower, told.upper, told.lossless)
        verdict = judged(claimed.value, claimed.width, Modelled(*numbers, told.lossless, name), self.better == "more")
        verdict = unless_input(verdict, told.inputs, self.own_sources)
        return Line(name, unit, claimed.value, claimed.written, *numbers, verdict)

    def _rank(self, line: Line) -> float:
        """The nearest to the claim first."""
        assert line.modelled is not None
        return -line.modelled if self.better == "more" else line.modelled

    def _overall(self, lines: Sequence[Line], best: Line) -> Verdict:
        """Where the claim does not say what it is of, it holds where it holds anywhere, and the words say where."""
        assert best.verdict is not None
        if len(lines) == 1 or best.verdict.kind in (IMPOSSIBLE, INPUT):
            return best.verdict
        held = [line.quantity for line in lines if line.verdict and line.verdict.kind == WITHIN]
        rest = [line for line in lines if line.quantity not in held]
        missed = ""
        if rest:
            nearest = min(rest, key=self._rank)
            missed = f"; the nearest of the rest, {nearest.quantity}, has {in_unit(nearest.modelled, nearest.unit)}"
        return best.verdict._replace(words=f"holds for {', '.join(held) or 'none'}{missed}")
