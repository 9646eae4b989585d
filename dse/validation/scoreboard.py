"""The model's errors against every set of measurements, as they are published and held.

`python -m dse.validation.scoreboard` runs the suites, writes conf/validation/scoreboard.yaml and the table of
docs/validation.md; with the word `check` it only says what has become worse.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.configuration.compose import conf_folder, written
from dse.configuration.measured import folder
from dse.run.store import write_whole
from dse.validation.validate import EXCLUDED, FITTED, SUITES, Row, summary

NOISE = 0.01  # of an error, which is a fraction: what compilers and library versions may move it by
WORSE = 1.05  # and of its size, beyond which it is a change for the worse
KEPT = 0.98  # of the rows that were predicted
INSIDE = 0.03  # share of rows that may leave the stated spread
SHARES = ("median_absolute_error", "p90_absolute_error", "bias", "inside_spread")
Errors = dict[str, dict[str, dict[str, Any]]]


def stated(row: Row) -> bool:
    """Whether a row says all that a prediction needs, and was measured."""
    told = str(row.about.get("fully_specified", "true")).lower()
    return told == "true" and row.about.get("tier", "A") in ("A", "B")


def family(row: Row) -> str:
    """The kind of operator of a row, and the machine that it ran on."""
    return f"{row.quantity.removesuffix('_seconds')}, {row.kind.split(', ')[-1]}"


def answer(row: Row) -> str:
    """What was measured of a run."""
    return str(row.about["answer"])


def quantity(row: Row) -> str:
    """What was measured."""
    return row.quantity


GROUPS: dict[str, Callable[[Row], str]] = {
    "operators": family,
    "collectives": quantity,
    "end_to_end": answer,
    "silicon": quantity,
}


def errors_of(suite: str, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Errors by group, of rows that nothing was fitted on."""
    judged = [row for row in rows if row.role not in (EXCLUDED, FITTED) and stated(row)]
    names = sorted({GROUPS[suite](row) for row in judged})
    return {name: rounded(summary([row for row in judged if GROUPS[suite](row) == name])) for name in names}


def rounded(errors: Mapping[str, Any]) -> dict[str, Any]:
    """Errors to a tenth of a per cent."""
    return {"count": errors["count"]} | {name: round(errors[name], 3) for name in SHARES}


def measured(suites: Sequence[str] = tuple(GROUPS)) -> Errors:
    """The errors of today, by suite and group."""
    found = {}
    for name in suites:
        run, file = SUITES[name]
        found[name] = errors_of(name, run(folder() / file).rows)
    return found


def kept() -> dict[str, Any]:
    """What was measured when the constants were fitted, and what others report of other tools."""
    return written(shelf())


def shelf() -> Path:
    return conf_folder() / "validation" / "scoreboard.yaml"


def worse(now: Errors, then: Errors) -> Iterator[str]:
    """Errors that have grown by more than noise, in words."""
    for suite, groups in now.items():
        for name, before in then.get(suite, {}).items():
            if name not in groups:
                yield f"{suite}: {name}: no row is predicted any more; {before['count']} were"
                continue
            after = groups[name]
            if after["count"] < before["count"] * KEPT:
                yield f"{suite}: {name}: {after['count']} rows are predicted, {before['count']} were"
            for share in SHARES[:3]:
                if abs(after[share]) > abs(before[share]) * WORSE + NOISE:
                    yield f"{suite}: {name}: {share} is {after[share]:.1%}, it was {before[share]:.1%}"
            if after["inside_spread"] < before["inside_spread"] - INSIDE:
                shares = f"{after['inside_spread']:.0%} inside the spread, {before['inside_spread']:.0%} were"
                yield f"{suite}: {name}: {shares}"


def table(errors: Errors, others: Sequence[Mapping[str, str]]) -> str:
    """Both tables, as Markdown."""
    lines = ["| measured by others | rows | median error | 90 % within | bias | inside the stated spread |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for suite, groups in errors.items():
        for name, e in groups.items():
            words = f"{suite.replace('_', ' ')}: {name.replace('_', ' ')}"
            cells = (f"{e['median_absolute_error']:.1%}", f"{e['p90_absolute_error']:.1%}", f"{e['bias']:+.1%}")
            lines.append(f"| {words} | {e['count']:,} | {' | '.join(cells)} | {e['inside_spread']:.0%} |")
    lines += ["", "| another tool | median error | where | source |", "|---|---|---|---|"]
    lines += [f"| {one['tool']} | {one['error']} | {one['where']} | {one['source']} |" for one in others]
    return "\n".join(lines)


def brief(errors: Errors) -> Errors:
    """The errors of runs, and of the operators that most of a run is."""
    kinds = ("gemm", "generation_attention", "context_attention", "moe")
    operators = {name: one for name, one in errors["operators"].items() if name.split(", ")[0] in kinds}
    return {"end_to_end": errors["end_to_end"], "operators": operators}


def put(page: Path, text: str, mark: str = "errors") -> None:
    """The text between the marks of a page, which are comments of that name."""
    start, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, found, rest = page.read_text().partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page.name}: there is no {start} with {end} after it; write both lines where the text goes")
    write_whole(page, f"{before}{start}\n{text}\n{end}{after}")


def main(words: Sequence[str]) -> int:
    """Write the errors, or say what has become worse."""
    import yaml

    before = kept()
    now = measured()
    changes = list(worse(now, before["errors"]))
    print("\n".join(changes) or "nothing has become worse")
    if "check" in words:
        return len(changes) > 0
    note = "".join(f"{line}\n" for line in shelf().read_text().splitlines() if line.startswith("#"))
    write_whole(shelf(), note + yaml.safe_dump(before | {"errors": now}, sort_keys=False, width=120))
    root = conf_folder().parent
    put(root / "docs" / "validation.md", table(now, before["others"]))
    put(root / "README.md", table(brief(now), before["others"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
