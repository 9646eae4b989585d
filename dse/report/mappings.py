"""The section of a report that shows how work was mapped, which mappings came next, and why they lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dse.report.assets.markup import Html, element, framed, words

WHY = "chosen"


def mappings(found: Sequence[Mapping[str, Any]]) -> Html:
    """A table for the best point by each objective: its mapping first, then the runners-up."""
    if not found:
        return element("p", "None was recorded.", class_="aside")
    return Html("".join(map(_table, found)))


def _table(entry: Mapping[str, Any]) -> Html:
    """The mappings of one point; degrees that are 1 in all of them are left out."""
    rows = [entry["chosen"], *entry["runners_up"]]
    names = [name for name in rows[0] if name != "loses" and any(row[name] != 1 for row in rows)]
    heads = [element("th", words(name), scope="col", class_="number") for name in names]
    top = element("thead", element("tr", *heads, element("th", "why it loses", scope="col")))
    body = [
        element(
            "tr",
            *(element("td", row[name], class_="number") for name in names),
            element("td", row.get("loses", WHY), class_="wide"),
        )
        for row in rows
    ]
    title = f"{entry['point']}, the best by {' and '.join(map(words, entry['objectives']))}"
    return Html(element("h3", title) + framed(element("table", top, element("tbody", *body)), title, "scroll"))
