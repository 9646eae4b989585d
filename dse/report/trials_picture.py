"""A picture of what a search evaluated: one number of its trials over another, a line for each value of a third.

    python -m dse.report.trials_picture FOLDER ACROSS UP LINES FILE.svg [KEY=VALUE ...]

ACROSS, UP, LINES : columns of trials.parquet, such as serving.users, metrics.cost_per_million_tokens, hw; KEY=VALUE
keeps the designs that have this value, in the unit in which the report shows it. Of several designs at one place of a
line the lowest is drawn, the highest where more of UP is better. Those that miss a constraint are drawn hollow, and a
part of the trials will do; `dse.report.winners` says who wins, of all trials and feasible ones alone.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dse.evaluation.metrics import SECTIONS, more_is_better
from dse.machine.curve_picture import HEIGHT, PLOT, WIDTH, line, ticks, wide_axis
from dse.machine.svg import document, rectangle, text, width_of

LOOKS = ("tier0", "tier1", "link", "tier2", "tier3", "engine", "rest", "odd")
EXPLAINED = "modelled; hollow: misses a constraint"
Rows = Sequence[Mapping[str, Any]]


class Column(NamedTuple):
    """A column of trials by its key; `factor` brings its numbers to `unit`."""

    key: str
    unit: str
    factor: float

    @property
    def words(self) -> str:
        """Its name, with its unit."""
        name = self.key.rpartition(".")[2].replace("_", " ")
        return f"{name}, {self.unit}" if self.unit else name

    def told(self, value: Any) -> str:
        """A value of it: a file's name, or the name with a number and its unit."""
        if isinstance(value, str):
            return value
        return f"{self.key.rpartition('.')[2].replace('_', ' ')} {value:.4g} {self.unit}".strip()


def main(words: Sequence[str]) -> None:
    """Draw what the command line asks for."""
    if len(words) < 5:
        raise SystemExit(__doc__)
    folder, wanted, out = Path(words[0]), words[1:4], Path(words[4])
    study = json.loads((folder / "study.json").read_text())
    rows = kept(trials(folder, study), words[5:])
    if not rows:
        raise SystemExit(f"{folder}/trials.parquet has no such design: {' '.join(words[5:])}")
    for name in wanted:
        if name not in rows[0]:
            raise SystemExit(f"{folder}/trials.parquet has no column {name!r}; it has {', '.join(rows[0])}")
    across, up, lines = (column(study, name) for name in wanted)
    out.write_text(picture(study["title"], rows, across, up, lines))


def column(study: Mapping[str, Any], key: str) -> Column:
    """A column with the unit in which the report shows it."""
    section, _, name = key.partition(".")
    shown = study["columns"].get(section, {}).get(name) if section in SECTIONS else None
    shown = shown or study["columns"]["parameters"].get(key) or {}
    return Column(key, shown.get("unit", ""), shown.get("factor", 1.0))


def trials(folder: Path, study: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The legal trials of a run, in the report's units; `feasible` by the constraints of its objectives."""
    import pyarrow.parquet

    limits = study["config"]["objectives"]["constraints"]
    table = pyarrow.parquet.read_table(folder / "trials.parquet")
    factors = {name: column(study, name).factor for name in table.column_names}
    rows = []
    for row in table.to_pylist():
        if row["legal"]:
            shown = {name: v * factors[name] if isinstance(v, float) else v for name, v in row.items()}
            rows.append(shown | {"feasible": all(row[f"headroom.{name}"] >= 0 for name in limits)})
    return rows


def kept(rows: Rows, wanted: Sequence[str]) -> list[Mapping[str, Any]]:
    """The rows in which every KEY=VALUE holds."""
    pairs = [word.rpartition("=")[::2] for word in wanted]
    return [row for row in rows if all(same(row.get(key), value) for key, value in pairs)]


def same(held: Any, wanted: str) -> bool:
    """Whether a value is what a word says."""
    return math.isclose(held, float(wanted), rel_tol=1e-9) if isinstance(held, float) else str(held) == wanted


def best(rows: Rows, across: str, up: str) -> list[Mapping[str, Any]]:
    """Of each place across the best row, feasible ones first, from left to right."""
    section, _, name = up.partition(".")
    sign = -1.0 if section == "metrics" and more_is_better(name) else 1.0
    found: dict[float, Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda one: (not one["feasible"], sign * one[up])):
        found.setdefault(row[across], row)
    return [found[place] for place in sorted(found)]


def picture(title: str, rows: Rows, across: Column, up: Column, lines: Column) -> str:
    """The SVG."""
    names = list(dict.fromkeys(row[lines.key] for row in rows))
    chosen = [best([row for row in rows if row[lines.key] == name], across.key, up.key) for name in names]
    drawn = [row for rows_of in chosen for row in rows_of]
    right = wide_axis([row[across.key] for row in drawn], PLOT.x, PLOT.right)
    upward = wide_axis([row[up.key] for row in drawn], PLOT.bottom, PLOT.y)
    shapes = [
        text(PLOT.x, 30, f"{title}: {up.words}", PLOT.width, 17, bold=True),
        text(PLOT.x, 54, EXPLAINED, PLOT.width, 12, "pale"),
        rectangle(PLOT, "even", 0),
        *ticks(right, upward, plain),
    ]
    for index, rows_of in enumerate(chosen):
        places = [(right.at(row[across.key]), upward.at(row[up.key]), row["feasible"]) for row in rows_of]
        shapes += series(places, LOOKS[index % len(LOOKS)])
    shapes += legend([lines.told(name) for name in names])
    shapes.append(text(PLOT.x + PLOT.width / 2 - 110, HEIGHT - 48, across.words, 400, 13))
    return document(WIDTH, HEIGHT, f"{title}: {up.words} over {across.words}", shapes)


def series(places: Sequence[tuple[float, float, bool]], look: str) -> list[str]:
    """A line and its dots, (x, y, feasible)."""
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if good else 3.5}" class="{look if good else "page"} edge"/>'
        for x, y, good in places
    ]
    return [line([(x, y) for x, y, _ in places]), *dots]


def legend(names: Sequence[str]) -> list[str]:
    """The colours of the lines, and what each is of, side by side under the plot."""
    shapes, x, y = [], PLOT.x, HEIGHT - 20.0
    for index, name in enumerate(names):
        shapes.append(f'<circle cx="{x + 5:.1f}" cy="{y - 4:.1f}" r="5" class="{LOOKS[index % len(LOOKS)]} edge"/>')
        shapes.append(text(x + 15, y, name, 260, 12))
        x += 34 + width_of(name, 12)
    return shapes


def plain(value: float) -> str:
    """A tick without prefixes: `0.2`, `20,000`."""
    return f"{value:,.10g}"


if __name__ == "__main__":
    main(sys.argv[1:])
