"""Who wins under which conditions: the trials of a finished run as a table for a page, and as a picture.

    python -m dse.report.winners FOLDER lines=KEY across=KEY [panels=KEY] [metric=NAME] [keep=RULE]... [picture=FILE]

FOLDER : of a search whose trials were all kept; lines : what is compared; across, panels : the conditions that it is
compared under; metric : of the answers, else every objective in turn. Of all that is left free, each cell has the best
feasible design by its metric; the best of a row is bold. A rule is a product of columns and what it must be, in SI
units: `hw.chip.engine.cores*hw.levels.package.fanout=1024`, `metrics.quantisation_noise<=-30`, `format=mxint8`.
`dse.report.trials_picture` is apart: it draws trials that miss a constraint and runs that kept a part of their trials,
of which nobody may be said to win.
"""

from __future__ import annotations

import functools
import json
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.configuration.schema import nearest
from dse.evaluation.metrics import Metrics, more_is_better, units
from dse.run.answers import STUDY
from hw.units import readable

RULE = re.compile(r"^(?P<left>.+?)(?P<how><=|>=|=)(?P<right>.+)$")
HOW: dict[str, Callable[[Any, Any], Any]] = {"<=": operator.le, ">=": operator.ge}
WORDS = ("lines", "across", "panels", "metric", "keep", "picture")
CLOSE = 1e-6  # of two numbers that a rule calls equal: trials are written with seven digits
Cells = dict[tuple[Any, ...], float]  # by panel, place across, line


class Trials:
    """The feasible trials of a run, and how to read them."""

    def __init__(self, folder: Path, rules: Sequence[str] = ()) -> None:
        import pandas as pd

        study = json.loads((folder / STUDY).read_text())
        frame: Any = pd.read_parquet(folder / "trials.parquet")
        if len(frame) < study["counts"]["evaluated"]:
            raise ValueError(
                f"{folder}: holds {len(frame)} of {study['counts']['evaluated']} designs; raise search.keep"
            )
        self.title: str = study["title"]
        self.goals = [str(one["name"]) for one in study["objectives"]]
        self.shown: Mapping[str, Any] = study["columns"]["parameters"]
        kept = frame["legal"] > 0
        for name in study["constraints"]:
            kept &= frame[f"headroom.{name}"] >= 0
        for rule in rules:
            kept &= self._follows(frame, rule)
        self.frame: Any = frame[kept]

    def _follows(self, frame: Any, rule: str) -> Any:
        """True for the trials that a rule allows, [trials]."""
        found = RULE.match(rule)
        if not found:
            raise ValueError(f"keep: {rule!r} is no rule; write it like 'format=mxint8' or 'metrics.power<=1000'")
        names = [self.column(name, frame) for name in found["left"].split("*")]
        left = functools.reduce(operator.mul, (frame[name] for name in names))
        try:
            right: Any = float(found["right"])
        except ValueError:
            return left.astype(str) == found["right"]
        return HOW[found["how"]](left, right) if found["how"] in HOW else abs(left / right - 1) < CLOSE

    def column(self, name: str, frame: Any = None) -> str:
        """A column by its name; raises ValueError where there is none."""
        columns = list((self.frame if frame is None else frame).columns)
        if name not in columns:
            raise ValueError(f"there is no column {name!r} in this run; {nearest(name, columns)}")
        return name

    def cells(self, metric: str, lines: str, across: str, panels: str) -> Cells:
        """The best of a metric for each line under each condition; absent where nothing is feasible."""
        keys = [self.column(key) for key in (panels, across, lines) if key]
        groups = self.frame.groupby(keys)[self.column(f"metrics.{metric}")]
        best = groups.max() if more_is_better(metric) else groups.min()
        return {(*[""] * (3 - len(keys)), *place): value for place, value in best.items()}

    def told(self, key: str, value: Any) -> str:
        """A parameter's value as one writes it."""
        if isinstance(value, str) or key not in self.shown:
            return str(value)
        return f"{value * self.shown[key]['factor']:.6g} {self.shown[key]['unit']}".strip()


def unit_of(metric: str, values: Sequence[float]) -> tuple[float, str]:
    """A factor and a unit that suit these values."""
    return readable(units(Metrics)[metric], sorted(map(abs, values))[len(values) // 2])


def table(trials: Trials, cells: Cells, metric: str, lines: str, across: str, panels: str) -> Iterator[str]:
    """Lines of Markdown: a row for each condition, a column for each line, the best of a row bold."""
    if not cells:
        raise ValueError("nothing feasible is left; keep fewer rules")
    factor, unit = unit_of(metric, list(cells.values()))
    options = list(dict.fromkeys(line for _, _, line in cells))
    heads = [*([panels] if panels else []), across, *(trials.told(lines, one) for one in options)]
    yield f"Best {metric.replace('_', ' ')}, {unit or '1'} (modelled), by {lines}"
    yield ""
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * (len(heads) - len(options)) + "---:|" * len(options)
    best = max if more_is_better(metric) else min
    for panel, place in dict.fromkeys((panel, place) for panel, place, _ in cells):
        row = {line: cells[panel, place, line] for line in options if (panel, place, line) in cells}
        winner = best(row.values())
        words = [number(row[o] * factor, row[o] == winner) if o in row else "-" for o in options]
        yield (
            "| "
            + " | ".join([*([trials.told(panels, panel)] if panels else []), trials.told(across, place), *words])
            + " |"
        )


def number(value: float, bold: bool) -> str:
    """A value in four digits."""
    words = f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"**{words}**" if bold else words


def main(given: Sequence[str]) -> int:
    """The command: prints a table for each metric, and draws the last one where a picture is asked for."""
    folder, asked, rules = Path(given[0]), dict.fromkeys(WORDS, ""), []
    for word in given[1:]:
        name, _, value = word.partition("=")
        if name not in asked:
            raise ValueError(f"{word}: there is no {name!r}; {nearest(name, WORDS)}")
        asked[name] = value
        rules += [value] if name == "keep" else []
    trials, keys = Trials(folder, rules), (asked["lines"], asked["across"], asked["panels"])
    for metric in asked["metric"].split(",") if asked["metric"] else trials.goals:
        cells = trials.cells(metric, *keys)
        print("\n".join(table(trials, cells, metric, *keys)), end="\n\n")
        if asked["picture"]:
            from dse.report.winners_picture import draw

            Path(asked["picture"]).write_text(draw(trials, cells, metric, *keys))
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        sys.exit(main(sys.argv[1:]))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
