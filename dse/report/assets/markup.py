"""HTML elements that escape what they are given, and numbers as they are shown."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

ASSETS = Path(__file__).resolve().parent
DASH = "\u2013"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:"
SCRIPTED = Template('<script>document.documentElement.classList.add("js");</script>\n$body')


def asset(name: str) -> str:
    """A style, script or page that lies beside this file."""
    return (ASSETS / name).read_text(encoding="utf-8")


def whole_page(
    kind: str, title: str, parts: Mapping[str, Any], styles: Sequence[str], raw: Mapping[str, str] | None = None
) -> str:
    """A page that loads nothing from elsewhere: the frame of all pages around the body KIND.html, its places filled.

    parts : escaped unless they are markup; styles : style sheets; raw : data and scripts, without which none may run.
    """
    places = {name: html(part) for name, part in parts.items()} | dict(raw or {})
    body = Template(asset(f"{kind}.html")).substitute(places)
    filled = {"policy": POLICY, "title": html(title), "style": "\n".join(styles), "kind": kind, "body": body}
    if raw:
        filled |= {"policy": f"{POLICY}; script-src 'unsafe-inline'", "body": SCRIPTED.substitute(body=body)}
    return Template(asset("frame.html")).substitute(filled)


class Html(str):
    """Text that is markup already and is not escaped again."""


def html(child: Any) -> str:
    """The child as markup: escaped, unless it is markup already."""
    return child if isinstance(child, Html) else escape(str(child))


def element(tag: str, *children: Any, **attributes: Any) -> Html:
    """One element; attributes that are None are left out, class_ stands for class and data_value for data-value."""
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    keys = "".join(f' {key}="{escape(str(value))}"' for key, value in pairs)
    return Html(f"<{tag}{keys}>{''.join(map(html, children))}</{tag}>")


def embedded(data: Any) -> str:
    """JSON for a script element that no closing tag can leave."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def words(name: str) -> str:
    """A name as it is read."""
    return name.replace("_", " ")


def number(value: float | None) -> str:
    """Three significant digits, whole from a thousand on; a dash where there is no value."""
    if value is None or not math.isfinite(value):
        return DASH
    size, sign = abs(value), "\u2212" if value < 0 else ""
    if size and not 1e-3 <= size < 1e7:
        mantissa, exponent = f"{size:.2e}".split("e")
        return f"{sign}{mantissa}e{int(exponent)}"
    if size >= 999.5:
        return f"{sign}{size:,.0f}"
    return sign + f"{size:#.3g}".rstrip(".") if size else "0"


def numeric(value: Any) -> bool:
    """Whether a cell of this value stands right and sorts as a number."""
    return value is None or re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", str(value)) is not None


def cell(value: Any, *classes: str) -> Html:
    """A table cell, with its value beside its text for sorting."""
    text = number(value) if isinstance(value, float) or value is None else value
    names = [*classes, "number"] if numeric(value) or value == DASH else classes
    return element("td", text, class_=" ".join(names) or None, data_value=value if numeric(value) else None)


def head(name: str, unit: str = "", *classes: str) -> Html:
    """A head that sorts: the folder of a dotted name small above it, its unit below."""
    last = re.split("[./]", name)[-1]
    folder = name.removesuffix(last)[:-1]
    classes += ("long",) * (len(last) > 18)
    parts = [element("small", folder)] * bool(folder) + [element("button", words(last), type="button")]
    unit_line = element("small", unit, class_="unit") if unit else Html("<small>&nbsp;</small>")
    return element("th", *parts, unit_line, scope="col", class_=" ".join(classes) or None)


def listing(tag: str, items: Iterable[Any], **attributes: Any) -> Html:
    """A list of plain items."""
    return element(tag, *(element("li", item) for item in items), **attributes)


def pairs(items: Iterable[tuple[str, Any]], **attributes: Any) -> Html:
    """A list of names and what they stand for."""
    return element("dl", *(element("div", element("dt", k), element("dd", v)) for k, v in items), **attributes)


def framed(table: Html, label: str, cls: str = "scroll long") -> Html:
    """A table in a frame of its own that scrolls by key and finger; a long one also downward."""
    return element("div", table, class_=cls, role="region", aria_label=label, tabindex=0)
