"""validation.html: measured against modelled, a panel for each metric, errors by group, why rows were skipped."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from dse.report.assets.markup import Html, asset, element, framed, whole_page, words
from dse.run.numbers import digits
from dse.validation.validate import EXCLUDED, FITTED, Row, Validation, reasons

SIDE, LEFT, BOTTOM, TOP = 300, 58, 40, 8  # pixels of a panel's square and of what is around it
COLOURS = ("kind-0", "kind-1", "kind-2", "kind-3", "kind-4", "kind-5", "cause-cache", "kind-6")  # of page.css
MOST_COLOURS = len(COLOURS)  # kinds beyond share the last


def page(found: Validation, content: Mapping[str, Any]) -> str:
    """The whole page, which needs no other file."""
    kept = [row for row in found.rows if row.role != EXCLUDED and row.modelled and row.measured]
    counts = Counter(row.kind for row in kept)
    classes = {kind: min(index, MOST_COLOURS - 1) for index, (kind, _) in enumerate(counts.most_common())}
    panels = [
        panel(name, [row for row in kept if row.quantity == name], classes)
        for name, _ in Counter(row.quantity for row in kept).most_common()
    ]
    parts = {
        "suite": content["suite"],
        "data": content["data"],
        "headline": Html("".join(element("p", told, class_="headline") for told in headline(content))),
        "legend": legend(classes, any(row.role == FITTED for row in kept)),
        "panels": Html("".join(panels)),
        "tables": Html("".join(errors_table(name, groups) for name, groups in content["groups"].items())),
        "skipped": skipped_table(found.rows),
    }
    styles = [asset(name) for name in ("page.css", "validation.css")]
    return whole_page("validation", f"Validation: {content['suite']}", parts, styles)


def headline(content: Mapping[str, Any]) -> list[str]:
    """The errors in words."""
    whole = content["overall"]
    if not whole["count"]:
        return [f"No row was predicted; {whole['skipped']} were skipped."]
    return [
        f"{whole['count']:,} rows that nothing was fitted on: median error {whole['median_absolute_error']:.0%}, nine "
        f"of ten within {whole['p90_absolute_error']:.0%}, median of the signed errors {whole['bias']:+.0%}; "
        f"{whole['inside_spread']:.0%} lie within the stated spread. {whole['skipped']:,} rows were skipped.",
        "Each point is a row; on the dashed line both agree. Below it the model says less than was measured.",
    ]


def colour(index: int) -> str:
    """The colour of a kind of rows."""
    return f"--row:var(--{COLOURS[index]})"


def legend(classes: Mapping[str, int], fitted: bool) -> Html:
    """What the colours are."""
    shown: dict[int, list[str]] = {}
    for kind, index in classes.items():
        shown.setdefault(index, []).append(kind or "not named")
    keys = [(", ".join(names), colour(index), None) for index, names in shown.items()]
    keys += [("rows that constants were fitted on", colour(MOST_COLOURS - 1), "fitted")] if fitted else []
    return element("div", *(_key(*key) for key in keys), class_="legend")


def _key(said: str, style: str, look: str | None) -> Html:
    disc = element("circle", r=5, class_=look)
    return element("span", element("svg", disc, viewBox="-9 -9 18 18", class_="key row", style=style), said)


def panel(name: str, rows: Sequence[Row], classes: Mapping[str, int]) -> Html:
    """The rows of a metric: measured along, modelled up, both logarithmic."""
    values = [math.log10(value) for row in rows for value in (row.measured, row.modelled) if value]
    low, high = math.floor(min(values) * 2) / 2, math.ceil(max(values) * 2) / 2
    high = high if high > low else low + 0.5

    def along(value: float) -> float:
        return SIDE * (math.log10(value) - low) / (high - low)

    ticks = [10.0**power for power in range(math.ceil(low), math.floor(high) + 1)]
    shapes = [element("rect", width=SIDE, height=SIDE, class_="frame")]
    for tick in ticks:
        x, told = round(along(tick), 1), scaled(tick)
        shapes.append(element("path", d=f"M{x} 0V{SIDE}M0 {SIDE - x}H{SIDE}", class_="grid"))
        shapes.append(label(told, x=x, y=SIDE + 14, text_anchor="middle"))
        shapes.append(label(told, x=-5, y=SIDE - x + 4, text_anchor="end"))
    shapes.append(element("path", d=f"M0 {SIDE}L{SIDE} 0", class_="same"))
    for row in rows:
        assert row.measured
        assert row.modelled
        place = {"cx": f"{along(row.measured):.1f}", "cy": f"{SIDE - along(row.modelled):.1f}"}
        look = "fitted" if row.role == FITTED else None
        tip = element("title", hover(row))
        shapes.append(element("circle", tip, **place, r=2.6, class_=look, style=colour(classes[row.kind])))
    unit = str(rows[0].about.get("unit", name))
    shapes.append(label(f"measured, {unit}", x=SIDE / 2, y=SIDE + 32, text_anchor="middle"))
    turned = f"translate(-44 {SIDE / 2}) rotate(-90)"
    shapes.append(label(f"modelled, {unit}", transform=turned, text_anchor="middle"))
    box = f"{-LEFT} {-TOP} {SIDE + LEFT + 22} {SIDE + TOP + BOTTOM}"
    title = f"{name}, {len(rows):,} rows"
    drawing = element(
        "svg", *shapes, viewBox=box, class_="chart", width="100%", role="img", aria_label=middle(title, rows)
    )
    return element("figure", element("figcaption", title), drawing, element("p", middle("", rows), class_="caption"))


def label(said: str, **where: Any) -> Html:
    """A text of a panel."""
    return element("text", said, class_="tick-text", font_size=11.5, **where)


def middle(title: str, rows: Sequence[Row]) -> str:
    """What a panel shows, in words: how far the model is off at most of its rows."""
    errors = [row.error for row in rows if row.error is not None]
    low, size = sum(error < 0 for error in errors), median(map(abs, errors))
    told = f"median error {size:.0%}, the model says less at {low:,} of {len(errors):,} rows."
    return f"{title}: {told}" if title else f"{told[0].upper()}{told[1:]}"


def scaled(tick: float) -> str:
    """A power of ten as an axis shows it: 1000 and 10k."""
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if tick >= size:
            return f"{tick / (1e3 if letter == 'k' else 1e6):g}{letter}"
    return f"{tick:.4g}"


def hover(row: Row) -> str:
    """A row in a line."""
    words = [str(row.about[name]) for name in ("accelerator", "model", "engine") if row.about.get(name)]
    words = [row.name, *words, f"measured {digits(row.measured)}, modelled {digits(row.modelled)}"]
    return ", ".join([*words, f"error {row.error:+.0%}"])


def errors_table(name: str, groups: Mapping[str, Mapping[str, Any]]) -> Html:
    """Errors of each group, the largest group first."""
    heads = (words(name), "rows", "skipped", "median error", "90 % within", "bias", "inside the spread")
    lines = []
    for key, one in sorted(groups.items(), key=lambda item: -item[1]["count"]):
        told = ["", "", "", ""]
        if one["count"]:
            told = [f"{one[k]:.0%}" for k in ("median_absolute_error", "p90_absolute_error")]
            told += [f"{one['bias']:+.0%}", f"{one['inside_spread']:.0%}"]
        cells = [element("td", cell, class_="number") for cell in (f"{one['count']:,}", f"{one['skipped']:,}", *told)]
        lines.append(element("tr", element("th", key or "not named", scope="row", class_="first"), *cells))
    title = f"By {words(name)}"
    return Html(element("h3", title) + framed(listed(heads, lines), title, "scroll"))


def listed(heads: Sequence[str], lines: Sequence[Html]) -> Html:
    """A table whose columns but the first are numbers."""
    top = [element("th", head, scope="col", class_="number" if i else "first") for i, head in enumerate(heads)]
    return element("table", element("thead", element("tr", *top)), element("tbody", *lines))


def skipped_table(rows: Sequence[Row]) -> Html:
    """Why rows were skipped, the commonest reason first."""
    told = reasons([row for row in rows if row.role == EXCLUDED])
    if not told:
        return Html("")
    lines = [element("tr", element("td", f"{n:,}", class_="number"), element("td", why)) for why, n in told]
    top = element("tr", element("th", "rows", scope="col", class_="number"), element("th", "reason", scope="col"))
    table = element("table", element("thead", top), element("tbody", *lines))
    return element("section", element("h2", "Why rows were skipped"), framed(table, "Why rows were skipped", "scroll"))
