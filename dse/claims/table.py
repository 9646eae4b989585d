"""The table of docs/receipts.md, from a run's receipts.json: `python -m dse.claims.table FOLDER`; folders of later
runs of single claims may follow, and replace these."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.claims.page import named, percent
from dse.claims.receipts import verdict_in_words
from dse.claims.verdict import DASH, KINDS, in_unit
from dse.configuration.compose import conf_folder
from dse.validation.scoreboard import put

HEADS = ("claim", "claimed", "modelled (from, to)", "needs of the peaks", "largest shares of time", "verdict")
MARK = "receipts"


def table(content: Mapping[str, Any]) -> str:
    """How many claims have which verdict and how long the run took; then a row for each claimed quantity. Markdown."""
    found = sorted(content["receipts"], key=lambda one: (KINDS.index(one["verdict"]["kind"]), one["name"]))
    counts = ", ".join(f"{content['counts'][kind]} {kind}" for kind in KINDS if kind in content["counts"])
    took = f"{content['seconds'] / 60:.1f} minutes on {os.cpu_count()} cores"
    lines = [f"{len(found)} claims in {took}, by `{content['command']}`: {counts}.", ""]
    lines += [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    return "\n".join(lines + [f"| {' | '.join(cells)} |" for one in found for cells in rows(one)])


def merged(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The first run, with the claims of later ones in the place of its own."""
    found = {one["name"]: one for run in runs for one in run["receipts"]}
    counts = dict(Counter(one["verdict"]["kind"] for one in found.values()))
    return {**runs[0], "receipts": list(found.values()), "counts": counts}


def rows(one: Mapping[str, Any]) -> Iterator[list[str]]:
    """The cells of each quantity of a claim."""
    several = len(one["lines"]) > 1
    for place, line in enumerate(one["lines"] or [None]):
        first = place == 0
        about = [f"`{one['name']}`" if first else ""]
        numbers = [claimed(line, several), modelled(line)] if line else [DASH, DASH]
        needs = ", ".join(f"{name} {percent(share)}" for name, share in one["needs"].items())
        rest = [needs or DASH, one["stopped_by"].removeprefix("time: ") or DASH, said(one)]
        yield [*about, *numbers, *(rest if first else [""] * len(rest))]


def claimed(line: Mapping[str, Any], several: bool) -> str:
    """The claimed number, and of what where there are several."""
    return in_unit(line["claimed"], line["unit"]) + (f" ({named(line['quantity'])})" if several else "")


def modelled(line: Mapping[str, Any]) -> str:
    """The modelled number with its ends."""
    if line["modelled"] is None:
        return DASH
    value, lower, upper = (in_unit(line[name], line["unit"]) for name in ("modelled", "lower", "upper"))
    return f"{value} ({lower}, {upper})"


def said(one: Mapping[str, Any]) -> str:
    """The verdict, and what the receipt notes beside it."""
    return "; ".join([verdict_in_words(one), *one["notes"]])


def main(words: Sequence[str]) -> int:
    """Write the table into the page."""
    runs = [json.loads((Path(word) / "receipts.json").read_text(encoding="utf-8")) for word in words]
    put(conf_folder().parent / "docs" / "receipts.md", table(merged(runs)), MARK)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
