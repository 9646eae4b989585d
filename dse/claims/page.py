"""The receipts as one page that opens offline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dse.claims.verdict import (
    EVERYWHERE,
    IMPOSSIBLE,
    INPUT,
    KINDS,
    NEEDS,
    SOMEWHERE,
    UNTESTED,
    WITHIN,
    in_unit,
)
from dse.report.assets.markup import DASH, Html, asset, element, framed, number, pairs, whole_page, words

MARKS = {
    WITHIN: "within", EVERYWHERE: "within", SOMEWHERE: "needs", INPUT: "untested",
    NEEDS: "needs", IMPOSSIBLE: "impossible", UNTESTED: "untested",
}  # fmt: skip
KEYS = {"claimed": "claimed", "modelled": "modelled", "lossless": "without losses"}
WIDTH, HEIGHT = 320.0, 34.0


def page(content: Mapping[str, Any]) -> str:
    """The page of all receipts of receipts.json."""
    found = sorted(content["receipts"], key=lambda one: KINDS.index(one["verdict"]["kind"]))
    counts = [(kind, str(content["counts"].get(kind, 0))) for kind in KINDS]
    parts = {
        "created": f", {content['created'].replace('T', ' ')}",
        "counts": pairs(counts, class_="facts"),
        "summary": summary(found),
        "receipts": Html("".join(map(receipt, found))),
        "command": content["command"],
    }
    styles = [asset(name) for name in ("page.css", "receipts.css")]
    return whole_page("receipts", "Receipts, inferscape", parts, styles)


def value(line: Mapping[str, Any], name: str) -> str:
    """A value of a line with its unit."""
    return in_unit(line[name], line["unit"])


def pill(kind: str) -> Html:
    """A verdict's kind in its colour, with a sign that needs no colour."""
    return element("span", kind, class_=f"verdict {MARKS[kind]}")


def summary(found: Sequence[Mapping[str, Any]]) -> Html:
    """A row for each claimed quantity: claimed, modelled with its interval, what it needs, what stops, verdict."""
    rows = []
    for one in found:
        for place, line in enumerate(one["lines"] or [None]):
            first = place == 0
            link = element("a", one["says"], href=f"#{one['name']}") if first else ""
            cells = [element("td", link, class_="says"), element("td", pill(one["verdict"]["kind"]) if first else "")]
            cells += [element("td", named(line["quantity"]) if line else DASH, class_="wide")]
            cells += [
                element("td", value(line, name) if line else DASH, class_="number") for name in ("claimed", "modelled")
            ]
            cells += [element("td", span(line) if line else DASH, class_="number")]
            found_too = [tightest(one["needs"]), one["stopped_by"].removeprefix("time: ") or DASH]
            cells += [element("td", text if first else "", class_="wide") for text in found_too]
            rows.append(element("tr", *cells, class_="first-of" if first else None))
    heads = ("claim", "verdict", "quantity", "claimed", "modelled", "from, to", "needs most of", "stopped by")
    top = element("thead", element("tr", *(element("th", text, scope="col") for text in heads)))
    return framed(element("table", top, element("tbody", *rows), class_="summary"), "All claims", "scroll")


def named(quantity: str) -> str:
    """A quantity in words, of a path its last two steps."""
    return words(" ".join(quantity.split(".")[-2:]))


def span(line: Mapping[str, Any]) -> str:
    """The ends of an interval, the unit once where both have the same."""
    if line["lower"] is None:
        return DASH
    (low, _, unit), upper = value(line, "lower").partition(" "), value(line, "upper")
    return f"{low} to {upper}" if upper.endswith(f" {unit}") else f"{low} {unit} to {upper}"


def tightest(shares: Mapping[str, float]) -> str:
    """The resource of which the claim needs the largest share."""
    if not shares:
        return DASH
    name = max(shares, key=lambda one: shares[one])
    return f"{name} {percent(shares[name])}"


def receipt(one: Mapping[str, Any]) -> Html:
    """One claim with all that was found."""
    facts = [("says", one["by"]), ("source", f"{one['citation']} ({one['certainty']})")]
    facts += [("mapping", one["mapping"])] * bool(one["mapping"])
    facts += [("largest shares", one["stopped_by"])] * bool(one["stopped_by"])
    facts += [(f"assumed: {name}", what) for name, what in one["assumed"].items()]
    facts += [("note", what) for what in one["notes"]]
    head = element("div", element("h3", one["says"]), pill(one["verdict"]["kind"]), class_="receipt-head")
    parts = [head, element("p", f"{one['verdict']['words']}.", class_="verdict-words")]
    if one["stand_in"]:
        said = f"{one['stand_in']['kind']}: {one['stand_in']['words']}."
        parts.append(element("p", element("b", "Of a stand-in: "), said, class_="verdict-words"))
    parts += [chart(line) for line in one["lines"] if line["modelled"]]
    parts += [needs(one["needs"])] * bool(one["needs"])
    parts += [listed(shown) for shown in one["tables"]]
    parts += [pairs(facts, class_="record")]
    parts += [element("p", element("code", command), class_="command") for command in one["commands"]]
    return element("article", *parts, id=one["name"], class_="receipt")


def needs(shares: Mapping[str, float]) -> Html:
    """The shares of the peaks that the claimed rate needs, as bars; beyond the whole, a bar is full and marked."""
    rows = [
        element(
            "div",
            element("dt", f"{name} needed"),
            element("dd", bar(share), class_="track"),
            element("dd", percent(share), class_="figure"),
        )
        for name, share in shares.items()
    ]
    return element("dl", *rows, class_="needs")


def bar(share: float) -> Html:
    return element("span", class_="bar" + " over" * (share > 1), style=f"width:{min(share, 1) * 100:.1f}%")


def percent(share: float) -> str:
    """A share with two significant digits below a tenth."""
    return f"{share:.0%}" if share >= 0.1 else f"{share * 100:.2g}%"


def chart(line: Mapping[str, Any]) -> Html:
    """Claim, model with its interval, and the machine without losses on one logarithmic axis."""
    told = {name: line[name] for name in ("claimed", "modelled", "lower", "upper", "lossless")}
    sizes = [size for size in told.values() if size]
    low, high = math.log10(min(sizes)) - 0.15, math.log10(max(sizes)) + 0.15

    def at(size: float) -> float:
        return round((math.log10(size) - low) / (high - low) * WIDTH, 1)

    middle = HEIGHT / 2
    drawn = [element("line", x1=0, x2=WIDTH, y1=middle, y2=middle, class_="axis")]
    if line["lower"] and line["upper"]:
        drawn.append(
            element("line", x1=at(line["lower"]), x2=at(line["upper"]), y1=middle, y2=middle, class_="interval")
        )
    drawn.append(element("circle", cx=at(line["modelled"]), cy=middle, r=5, class_="modelled"))
    if line["lossless"]:
        drawn.append(
            element("line", x1=at(line["lossless"]), x2=at(line["lossless"]), y1=5, y2=HEIGHT - 5, class_="lossless")
        )
    x = at(line["claimed"])
    drawn.append(element("path", d=f"M{x} {middle - 8}l6 8l-6 8l-6 -8z", class_="claimed"))
    label = f"{words(line['quantity'])}: claimed {value(line, 'claimed')}, modelled {value(line, 'modelled')}"
    svg = element("svg", *drawn, viewBox=f"-8 0 {WIDTH + 16} {HEIGHT}", role="img", aria_label=label)
    shown = [(name, text) for name, text in KEYS.items() if line[name]]
    keyed = [
        element("span", element("i", class_=f"key {name}"), f"{text} {value(line, name)}", class_="keyed")
        for name, text in shown
    ]
    title = element("figcaption", words(line["quantity"]))
    return element("figure", title, svg, element("div", *keyed, class_="keys"), class_="scale")


def listed(shown: Mapping[str, Any]) -> Html:
    """A table of a receipt."""
    top = element("thead", element("tr", *(element("th", words(text), scope="col") for text in shown["heads"])))
    rows = [
        element("tr", *(element("td", cell(one), class_="number" if numeric(one) else None) for one in row))
        for row in shown["rows"]
    ]
    return Html(
        element("h4", shown["title"]) + framed(element("table", top, element("tbody", *rows)), shown["title"], "scroll")
    )


def numeric(given: Any) -> bool:
    return given is None or isinstance(given, (int, float))


def cell(given: Any) -> str:
    return number(given) if given is None or isinstance(given, float) else str(given)
