"""task=receipts: published claims held against the model, with verdicts that are computed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dse.claims.bench import Bench
from dse.claims.contract import Claim, built, names, read
from dse.claims.page import page
from dse.claims.verdict import DASH, KINDS, UNTESTED, Receipt, UntestableError, Verdict, in_unit
from dse.configuration.provenance import citations
from dse.problem.session import Session, about
from dse.run.answers import LEFT
from dse.run.bars import bar
from dse.run.console import console, table
from dse.run.outcome import ended
from dse.run.store import write_json, write_whole

SHOWN = ("claimed", "modelled", "lower", "upper")


def run(session: Session) -> None:
    """Test every claim, or the one that is named; write receipts.json and receipts.html, print a table."""
    asked = session.config.get("claim")
    claims = [built(session.choices["claim"], asked)] if asked else [read(name) for name in names()]
    bench, found, start = Bench(session.seed), [], time.perf_counter()
    with bar("claims", len(claims)) as advance:
        for claim in claims:
            advance.at(claim.name)
            found.append(entry(claim, checked(claim, bench)))
            advance(1)
    counted = dict(Counter(one["verdict"]["kind"] for one in found))
    content = {"receipts": found, "counts": counted, "seconds": time.perf_counter() - start} | about(session)
    session.out.mkdir(parents=True, exist_ok=True)
    written, drawn = LEFT["receipts"].files(session.out)
    write_json(written, content)
    write_whole(drawn, page(content))
    show(found)
    ended("receipts", content, [written, drawn])


def checked(claim: Claim, bench: Bench) -> Receipt:
    """The receipt of a claim; that it cannot be tested where a machine or what decides the answer is missing."""
    try:
        return claim.receipt(bench)
    except UntestableError as error:
        return Receipt([], Verdict(UNTESTED, str(error)))


def entry(claim: Claim, receipt: Receipt) -> dict[str, Any]:
    """A receipt as plain data, with what was claimed and by whom. Where the claim leaves out what decides, the verdict
    says so, and that of the stand-in is kept beside it."""
    told = receipt.plain()
    verdict, stand_in = told["verdict"], None
    if claim.missing:
        stand_in = verdict
        words = "; ".join(f"{name}: {what}" for name, what in claim.missing.items())
        verdict = Verdict(UNTESTED, f"the claim does not say {words}")._asdict()
    return {
        "name": claim.name, "kind": type(claim).__name__, "says": claim.says, "by": claim.by, "source": claim.source,
        "citation": citations()[claim.source]["cite"], "certainty": claim.certainty,
        "missing": dict(claim.missing), "assumed": dict(claim.assumed),
    } | told | {"verdict": verdict, "stand_in": stand_in}  # fmt: skip


def show(found: Sequence[Mapping[str, Any]]) -> None:
    """The table of all claims and why each has its verdict; of one claim its tables as well."""
    ordered, rows = sorted(found, key=lambda one: KINDS.index(one["verdict"]["kind"])), []
    for one in ordered:
        for place, line in enumerate(one["lines"] or [None]):
            first = place == 0
            told = [in_unit(line[name], line["unit"]) for name in SHOWN] if line else [DASH] * len(SHOWN)
            named = line["quantity"].replace("_", " ") if line else ""
            rows.append([one["name"] if first else "", named, *told, one["verdict"]["kind"] if first else ""])
    table("claimed against modelled", ["claim", "quantity", *SHOWN, "verdict"], rows)
    for one in ordered:
        console.print(f"{one['name']}: {verdict_in_words(one)}")
        if one["needs"]:
            shares = ", ".join(f"{name} {share:.2%}" for name, share in one["needs"].items())
            console.print(f"  {one['mapping']}; needs of the peaks: {shares}; {one['stopped_by']}", style="dim")
        for words in one["notes"]:
            console.print(f"  {words}", style="dim")
    if len(found) == 1:
        show_more(found[0])
    counts = Counter(one["verdict"]["kind"] for one in found)
    console.print(", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]))


def verdict_in_words(one: Mapping[str, Any]) -> str:
    """A verdict, and that of a stand-in where there is one."""
    words = f"{one['verdict']['kind']}: {one['verdict']['words']}"
    return words + (f" [stand-in: {one['stand_in']['kind']}: {one['stand_in']['words']}]" if one["stand_in"] else "")


def show_more(one: Mapping[str, Any]) -> None:
    """What a single receipt has beside its line."""
    for shown in one["tables"]:
        table(shown["title"], shown["heads"], [[cell_in_words(cell) for cell in row] for row in shown["rows"]])
    for name, what in one["assumed"].items():
        console.print(f"assumed {name}: {what}", style="dim")


def cell_in_words(cell: Any) -> str:
    """A cell of a table, numbers with few digits."""
    if cell is None:
        return "-"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
