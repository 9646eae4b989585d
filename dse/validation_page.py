"""validation.html: measured against modelled, a panel for each metric, errors by group, why rows were skipped."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dse.console import digits
from dse.validate import EXCLUDED, FITTED, Row, Validation, reasons

SIDE, LEFT, BOTTOM, TOP = 300, 58, 40, 8  # pixels of a panel's square and of what is around it
MOST_COLOURS = 8  # kinds beyond share the last
COLOURS = (
    ("#2f6db5", "#6fa8ea"), ("#c8562b", "#f08a5d"), ("#3f8f55", "#72c48a"), ("#8a5bb0", "#bb94dd"),
    ("#b58a1b", "#dcb659"), ("#1f8f93", "#5cc6c9"), ("#b4436c", "#e583a6"), ("#6b7785", "#a2aebb"),
)  # fmt: skip
STYLE = """
:root{color-scheme:light dark;--page:#fff;--ink:#1b2631;--pale:#5a6876;--line:#d5dde5;--even:#f3f6f9;LIGHT}
@media (prefers-color-scheme:dark){:root{--page:#14191f;--ink:#e8edf2;--pale:#9fb0c0;--line:#35404b;--even:#1b222a;
DARK}}
body{margin:0 auto;max-width:1400px;padding:16px;background:var(--page);color:var(--ink);
font:15px/1.45 Helvetica,Arial,'Liberation Sans',sans-serif;overflow-wrap:anywhere}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:26px 0 8px}p{margin:4px 0;max-width:75ch}
.pale{color:var(--pale)}
.panels{display:grid;gap:18px;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr))}
figure{margin:0}figcaption{font-weight:bold;margin-bottom:2px}svg{width:100%;height:auto;display:block}
svg text{fill:var(--pale);font-size:11px}.frame{fill:none;stroke:var(--line)}
.same{stroke:var(--ink);stroke-dasharray:4 3}
.grid{stroke:var(--line);stroke-width:.6}circle{fill-opacity:.55;stroke-opacity:.9;stroke-width:1}
circle.fitted{fill-opacity:0}.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px}
th,td{padding:3px 8px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:130px}tr:nth-child(even){background:var(--even)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:8px 0}
.legend svg{flex:none;width:12px;height:12px;display:inline-block}
td.why{text-align:left;white-space:normal}
"""


def page(found: Validation, content: Mapping[str, Any]) -> str:
    """The whole page, which needs no other file."""
    kept = [row for row in found.rows if row.role != EXCLUDED and row.modelled and row.measured]
    counts = Counter(row.kind for row in kept)
    classes = {kind: min(index, MOST_COLOURS - 1) for index, (kind, _) in enumerate(counts.most_common())}
    panels = [
        panel(name, [row for row in kept if row.quantity == name], classes)
        for name, _ in Counter(row.quantity for row in kept).most_common()
    ]
    body = [
        f"<h1>Measured against modelled: {escape(str(content['suite']))}</h1>",
        f'<p class="pale">{escape(str(content["data"]))}</p>',
        *(f"<p>{escape(words)}</p>" for words in headline(content)),
        legend(classes, any(row.role == FITTED for row in kept)),
        f'<div class="panels">{"".join(panels)}</div>',
        *(errors_table(name, groups) for name, groups in content["groups"].items()),
        skipped_table(found.rows),
    ]
    colours = ["".join(f"--c{i}:{pair[way]};" for i, pair in enumerate(COLOURS)) for way in range(2)]
    marks = "".join(f".c{i}{{fill:var(--c{i});stroke:var(--c{i})}}" for i in range(len(COLOURS)))
    style = STYLE.replace("LIGHT", colours[0]).replace("DARK", colours[1]) + marks
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Validation: {escape(str(content['suite']))}</title><style>{style}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


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


def legend(classes: Mapping[str, int], fitted: bool) -> str:
    """What the colours are."""
    shown: dict[int, list[str]] = {}
    for kind, index in classes.items():
        shown.setdefault(index, []).append(kind or "not named")
    disc = '<svg viewBox="0 0 12 12"><circle cx="6" cy="6" r="4.5" class="{}"/></svg>'
    words = [f"<span>{disc.format(f'c{i}')} {escape(', '.join(names))}</span>" for i, names in shown.items()]
    words += [f"<span>{disc.format('c7 fitted')} rows that constants were fitted on</span>"] if fitted else []
    return f'<div class="legend">{"".join(words)}</div>'


def panel(name: str, rows: Sequence[Row], classes: Mapping[str, int]) -> str:
    """The rows of a metric: measured along, modelled up, both logarithmic."""
    values = [math.log10(value) for row in rows for value in (row.measured, row.modelled) if value]
    low, high = math.floor(min(values) * 2) / 2, math.ceil(max(values) * 2) / 2
    high = high if high > low else low + 0.5

    def along(value: float) -> float:
        return SIDE * (math.log10(value) - low) / (high - low)

    ticks = [10.0**power for power in range(math.ceil(low), math.floor(high) + 1)]
    shapes = [f'<rect width="{SIDE}" height="{SIDE}" class="frame"/>']
    for tick in ticks:
        x, words = along(tick), scaled(tick)
        shapes.append(f'<path class="grid" d="M{x:.1f} 0V{SIDE}M0 {SIDE - x:.1f}H{SIDE}"/>')
        shapes.append(f'<text x="{x:.1f}" y="{SIDE + 14}" text-anchor="middle">{words}</text>')
        shapes.append(f'<text x="-5" y="{SIDE - x + 4:.1f}" text-anchor="end">{words}</text>')
    shapes.append(f'<path class="same" d="M0 {SIDE}L{SIDE} 0"/>')
    for row in rows:
        assert row.measured
        assert row.modelled
        look = f"c{classes[row.kind]}" + (" fitted" if row.role == FITTED else "")
        place = f'cx="{along(row.measured):.1f}" cy="{SIDE - along(row.modelled):.1f}"'
        shapes.append(f'<circle {place} r="2.6" class="{look}"><title>{escape(hover(row))}</title></circle>')
    unit = str(rows[0].about.get("unit", name))
    axis = f"measured, {unit}"
    shapes.append(f'<text x="{SIDE / 2}" y="{SIDE + 30}" text-anchor="middle">{escape(axis)}</text>')
    turned = f'transform="translate(-44 {SIDE / 2}) rotate(-90)" text-anchor="middle"'
    shapes.append(f"<text {turned}>{escape(f'modelled, {unit}')}</text>")
    box = f"{-LEFT} {-TOP} {SIDE + LEFT + 22} {SIDE + TOP + BOTTOM}"
    return (
        f"<figure><figcaption>{escape(name)}, {len(rows):,} rows</figcaption>"
        f'<svg viewBox="{box}" role="img" aria-label="{escape(name)}">{"".join(shapes)}</svg></figure>'
    )


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


def errors_table(name: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    """Errors of each group, the largest group first."""
    heads = ("rows", "skipped", "median error", "90 % within", "bias", "inside the spread")
    lines = []
    for key, one in sorted(groups.items(), key=lambda item: -item[1]["count"]):
        told = ["", "", "", ""]
        if one["count"]:
            told = [f"{one[k]:.0%}" for k in ("median_absolute_error", "p90_absolute_error")]
            told += [f"{one['bias']:+.0%}", f"{one['inside_spread']:.0%}"]
        cells = [key or "not named", f"{one['count']:,}", f"{one['skipped']:,}", *told]
        lines.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
    head = "".join(f"<th>{word}</th>" for word in (name.replace("_", " "), *heads))
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<h2>By {name.replace("_", " ")}</h2><div class="wide"><table><tr>{head}</tr>{rows}</table></div>'


def skipped_table(rows: Sequence[Row]) -> str:
    """Why rows were skipped, the commonest reason first."""
    told = reasons([row for row in rows if row.role == EXCLUDED])
    if not told:
        return ""
    lines = [f'<tr><td>{n:,}</td><td class="why">{escape(why)}</td></tr>' for why, n in told]
    head = '<tr><th>rows</th><th class="why">reason</th></tr>'
    return f"<h2>Why rows were skipped</h2><table>{head}{''.join(lines)}</table>"
