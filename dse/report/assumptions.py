"""The section of a report that says where every number comes from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dse.report.assets.markup import DASH, Html, element, framed

KINDS = ("published", "measured", "third-party", "derived", "assumed", "given")
FIRM = ("published", "measured", "third-party")
LINKS = (  # what stands in a citation, and the address that it means
    (r"https?://[^\s,;)]+[^\s,;).]", "{0}"),
    (r"arXiv:?\s?(\d{4}\.\d{4,5})", "https://arxiv.org/abs/{1}"),
    (r"\b(10\.\d{4,9}/[^\s,;)]+[^\s,;).])", "https://doi.org/{1}"),
    (r"\bUS patent ([\d,]+) (B\d)", "https://patents.google.com/patent/US{1}{2}"),
    (r"\b([\w.-]+/[\w.-]+)@([0-9a-f]{7,40})\b", "https://github.com/{1}/tree/{2}"),
)


def kinds(rows: Sequence[Mapping[str, Any]]) -> str:
    """The sentence that counts the values by the kind of their source."""
    counts = Counter(row.get("kind", "unknown") for row in rows)
    order = sorted(counts, key=lambda kind: (KINDS.index(kind) if kind in KINDS else len(KINDS), kind))
    return f"{len(rows)} values: {', '.join(f'{counts[kind]} {kind}' for kind in order)}." if rows else "None recorded."


def assumptions(rows: Sequence[Mapping[str, Any]]) -> Html:
    """A row for every number: machine, path, value, kind and source."""
    heads = element(
        "tr", *(element("th", text, scope="col") for text in ("machine", "what", "value", "kind", "source"))
    )
    table = element("table", element("thead", heads), element("tbody", *map(_assumption, rows)), id="assumptions-table")
    return framed(table, "Assumptions") if rows else Html("")


def _assumption(row: Mapping[str, Any]) -> Html:
    source, key = row.get("cite") or row.get("source") or DASH, row.get("source") or ""
    key = "" if key.endswith(source) else key  # `derived: how` is told already
    kind, machine = row.get("kind", "unknown"), row.get("machine", "")
    cells = [
        element("td", machine, class_="wide"),
        element("td", element("code", row.get("path", "")), element("small", row.get("file", ""))),
        element("td", row.get("value", DASH), class_="value"),
        element("td", element("span", kind, class_="kind firm" if kind in FIRM else "kind")),
        element("td", linked(source), element("small", key) if key else "", class_="wide"),
    ]
    return element("tr", *cells, data_kind=kind, data_machine=machine)


def linked(source: str) -> Html:
    """A source with a link where it names an address, a preprint, a DOI, a patent or a commit."""
    for pattern, address in LINKS:
        found = re.search(pattern, source)
        if found:
            target = address.format(found.group(0), *(group.replace(",", "") for group in found.groups()))
            before, after = source[: found.start()], source[found.end() :]
            return element(
                "span", before, element("a", found.group(0), href=target, rel="noreferrer", target="_blank"), after
            )
    return element("span", source)
