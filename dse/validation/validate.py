"""task=validate: the model held against what others measured, row by row, into validation.json."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dse.configuration.measured import folder
from dse.problem.session import Session, about
from dse.run.answers import LEFT
from dse.run.bars import activity
from dse.run.console import console, table
from dse.run.near import nearest
from dse.run.numbers import digits
from dse.run.outcome import ended
from dse.run.store import digest_of, write_json, write_whole

EXCLUDED, PREDICTED, LEFT_OUT, FITTED = "excluded", "predicted", "leave_one_chip_out", "fitted"
MOST_SHOWN, WORST = 60, 20  # rows on the console: all of few, the worst of many; validation.json has all


@dataclass(frozen=True)
class Row:
    """One published answer and the model's; `lower` to `upper` should hold the measured one nine times in ten.

    in_sample : the modelled value with the constants that were fitted on this row as well; about : what else is told of
    it, and what rows are grouped by.
    """

    name: str
    kind: str
    quantity: str
    node_nm: float | None
    measured: float | None
    modelled: float | None = None
    lower: float | None = None
    upper: float | None = None
    role: str = EXCLUDED
    in_sample: float | None = None
    note: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def error(self) -> float | None:
        """(modelled - measured) / measured."""
        return None if self.modelled is None or not self.measured else self.modelled / self.measured - 1

    @property
    def inside(self) -> bool:
        """Whether the measured value lies between lower and upper."""
        if self.lower is None or self.upper is None or self.measured is None:
            return False
        return self.lower <= self.measured <= self.upper

    def plain(self) -> dict[str, Any]:
        """The row for a file; why it was skipped, where it was."""
        told = {name: value for name, value in asdict(self).items() if name != "about"}
        told = (
            {"row_id": self.name, "metric": self.quantity}
            | told
            | {"error": self.error, "inside": None if self.modelled is None else self.inside}
        )
        return told | dict(self.about) | ({"skipped": self.note} if self.role == EXCLUDED else {})

    def group(self, name: str) -> str:
        """What the row is of a kind of group."""
        if name == "metric" or name not in self.about:
            return str({"metric": self.quantity, "engine": self.kind}.get(name, getattr(self, name, "")))
        return self.kind if name == "engine" else str(self.about[name])


@dataclass(frozen=True)
class Validation:
    """What a suite found: its rows, words that warn, what else belongs into validation.json, what rows
    are grouped by."""

    rows: list[Row]
    warnings: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    groups: Sequence[str] = ("metric", "kind", "role")


Suite = Callable[[Path], Validation]


def silicon(path: Path) -> Validation:
    """Published in-memory-compute macros."""
    from dse.validation.silicon import validation

    return validation(path)


def collectives(path: Path) -> Validation:
    """Measured collectives of GPU nodes."""
    from dse.validation.collectives import validation

    return validation(path)


def end_to_end(path: Path) -> Validation:
    """Published runs of AI models on machines."""
    from dse.validation.end_to_end import validation

    return validation(path)


def operators(path: Path) -> Validation:
    """Measured operators of GPUs."""
    from dse.validation.operators import validation

    return validation(path)


# A suite: its function, and what it reads unless `data` names another, from the folder of measurements.
SUITES: dict[str, tuple[Suite, str]] = {
    "silicon": (silicon, "../facts/imc_silicon.csv"),
    "collectives": (collectives, "."),
    "end_to_end": (end_to_end, "end_to_end.csv.gz"),
    "operators": (operators, "operators"),
}


def chosen(config: Mapping[str, Any]) -> tuple[Suite, Path]:
    """The suite that a configuration names, and its data."""
    name = config["suite"]
    if name not in SUITES:
        raise ValueError(
            f"suite: there is no {name!r}; {nearest(str(name), SUITES)}; write dse task=validate suite=NAME"
        )
    suite, file = SUITES[name]
    if config["data"]:
        return suite, Path(str(config["data"]))
    if not (path := folder() / file).exists():
        raise FileNotFoundError(
            f"data: there is no {path}; set INFERSCAPE_DATA to the folder of measurements, or name your own with data=…"
        )
    return suite, path


def run(session: Session) -> None:
    """Compare, write validation.json and validation.html, print."""
    suite, path = chosen(session.config)
    if not path.exists():
        raise FileNotFoundError(f"data: there is no file {path}; name one of measurements with data=FILE")
    from dse.validation.validation_page import page

    with activity(f"suite {session.config['suite']}, from {path}"):
        found = suite(path)
    session.out.mkdir(parents=True, exist_ok=True)
    digest = digest_of(sorted(path.rglob("*.csv*")) if path.is_dir() else [path])
    content = {"suite": session.config["suite"], "data": str(path), "data_digest": digest} | report(found)
    signed = content | about(session)
    written, drawn = LEFT["validate"].files(session.out)
    write_json(written, signed)
    write_whole(drawn, page(found, content))
    show(found, content)
    ended("validate", signed, [written, drawn])


def report(found: Validation) -> dict[str, Any]:
    """The rows and their errors summed up: overall (never on a row's own fit), in sample, left out, by kind."""
    fitted = [row for row in found.rows if row.in_sample is not None]
    judged = [row for row in found.rows if row.role not in (EXCLUDED, FITTED)]
    left = [row for row in judged if row.role == LEFT_OUT]
    by = {
        f"by_{name}": {
            key: summary([row for row in judged if getattr(row, name) == key])
            for key in dict.fromkeys(getattr(row, name) for row in judged)
        }
        for name in ("quantity", "kind")
    }
    return {
        "rows": [row.plain() for row in found.rows],
        "overall": summary(judged) | {"skipped": sum(row.role == EXCLUDED for row in found.rows)},
        "groups": {name: grouped(found.rows, name) for name in ("role", *found.groups)},
        "in_sample": summary([in_sample(row) for row in fitted]),
        LEFT_OUT: summary(left),
        **by,
        "warnings": found.warnings,
        **found.more,
    }


def grouped(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """Errors of each group, and how many of its rows were skipped; but by role, of rows that are not fitted on."""
    told = {}
    for key in sorted({row.group(name) for row in rows}):
        members = [row for row in rows if row.group(name) == key]
        counted = [row for row in members if row.role != EXCLUDED and (name == "role" or row.role != FITTED)]
        told[key] = summary(counted) | {"skipped": sum(row.role == EXCLUDED for row in members)}
    return told


def in_sample(row: Row) -> Row:
    """The row judged by the constants that were fitted on it as well; its interval keeps its width."""
    assert row.in_sample is not None
    moved = row.in_sample / row.modelled if row.modelled else 1.0
    widths = [None if value is None else value * moved for value in (row.lower, row.upper)]
    return Row(row.name, row.kind, row.quantity, row.node_nm, row.measured, row.in_sample, *widths, role=row.role)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Errors of some rows as fractions; none of them where there are no rows.

    bias is the median of the signed errors; inside_spread the share of rows within their 90 % interval.
    """
    judged = [row for row in rows if row.error is not None]
    if not judged:
        return dict.fromkeys(("median_absolute_error", "p90_absolute_error", "bias", "inside_spread")) | {"count": 0}
    inside = float(np.mean([row.inside for row in judged]))
    return errors_of(np.array([row.error for row in judged])) | {"inside_spread": inside}


def errors_of(signed: np.ndarray) -> dict[str, Any]:
    """How many signed errors there are, and what they come to; nothing but their number where there are none."""
    if not len(signed):
        return {"count": 0}
    return {
        "count": len(signed),
        "median_absolute_error": float(np.median(np.abs(signed))),
        "p90_absolute_error": float(np.quantile(np.abs(signed), 0.9)),
        "bias": float(np.median(signed)),
    }


def show(found: Validation, content: Mapping[str, Any]) -> None:
    """The table of rows, what was left out, and the errors in words."""
    judged = [row for row in found.rows if row.role not in (EXCLUDED, FITTED)]
    shown, few = judged, len(judged) <= MOST_SHOWN
    if not few:
        shown = sorted(judged, key=lambda row: -abs(row.error or 0))[:WORST]
    heads = ["name", "kind", "quantity", "nm", "measured", "modelled", "lower", "upper", "error", "inside", "role"]
    cells = [[r.name, r.kind, r.quantity, digits(r.node_nm), digits(r.measured), digits(r.modelled), digits(r.lower),
              digits(r.upper), f"{r.error or 0:+.0%}", "yes" if r.inside else "no", r.role.replace("_", " ")]
             for r in shown]  # fmt: skip
    if cells:
        which = "" if few else f", the {WORST} worst of {len(judged)}"
        table(f"measured by others against modelled{which}; lower to upper holds nine of ten", heads, cells)
    show_left_out([row for row in found.rows if row.role == EXCLUDED])
    for words in found.warnings:
        console.print(words, style="bold red")
    for name in ("overall", "in_sample", LEFT_OUT):
        console.print(in_words(name.replace("_", " "), content[name]))
    for name in ("by_quantity", "by_kind"):
        for key, found_errors in content[name].items():
            console.print(in_words(key, found_errors))


def show_left_out(rows: Sequence[Row]) -> None:
    """Why rows were left out: each of few, of many how often each reason was."""
    if len(rows) <= MOST_SHOWN:
        for row in rows:
            console.print(f"left out: {row.name} {row.quantity}: {row.note}", markup=False)
        return
    for why, count in reasons(rows):
        console.print(f"left out: {count} rows: {why}", markup=False)


def reasons(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """Why rows were left out, the commonest first; how many bytes are missing differs by row and is not told."""
    return Counter(re.sub(r"(?<=fits: )needs .*", "more bytes than a chip has", row.note) for row in rows).most_common()


def in_words(name: str, errors: Mapping[str, Any]) -> str:
    """A summary as a line."""
    if not errors["count"]:
        return f"{name}: no rows"
    return (
        f"{name}: {errors['count']} rows, median error {errors['median_absolute_error']:.0%}, 90 % within "
        f"{errors['p90_absolute_error']:.0%}, bias {errors['bias']:+.0%}, {errors['inside_spread']:.0%} inside"
    )
