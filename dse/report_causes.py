"""The tables below the charts of causes: what every point is made of, and what moves it, for readers without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dse.report_assets.markup import DASH, Html, element, framed, number, words
from dse.report_assets.view import MEASURES

TITLES = {
    "shares": "Time per output token",
    "energy_shares": "Energy per token",
    "area_shares": "Area of compute dies",
    "cost_shares": "Cost per million tokens",
    "carbon_shares": "Carbon per million tokens",
    "power_shares": "Power of the site",
}


def causes(view: Mapping[str, Any]) -> Html:
    """A table for each measure: its total and its parts at every point and baseline."""
    machines = [*view["points"], *view["baselines"]]
    found = [_measure(view, section, machines) for section in view["measures"]]
    return Html("".join(found) or element("p", "The parts were not recorded.", class_="aside"))


def _measure(view: Mapping[str, Any], section: str, machines: Sequence[Mapping[str, Any]]) -> Html:
    known = [one for one in machines if any(one[section].values())]
    if not known:
        return Html("")
    column, names = view["metrics"][MEASURES[section]], view["causes"][section]
    total = f"{column['label']} ({column['unit']})" if column["unit"] else column["label"]
    heads = [
        element("th", text, scope="col", class_="number" if i else None)
        for i, text in enumerate(["point", total, *map(words, names)])
    ]
    rows = [
        element(
            "tr",
            element("th", one["name"], scope="row", class_="first"),
            element("td", number(one["metrics"][MEASURES[section]]), class_="number"),
            *(element("td", percent(one[section].get(cause, 0.0)), class_="number") for cause in names),
        )
        for one in known
    ]
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="small")
    means = element("ul", *(_meaning(name, text) for name, text in names.items() if text), class_="meanings")
    return _folded(f"{TITLES[section]} by cause, of every point", means + framed(table, TITLES[section]))


def _meaning(name: str, text: str) -> Html:
    colour = f"background:var(--cause-{name}, var(--muted))"
    return element("li", element("span", class_="swatch", style=colour), element("span", words(name)), element("span", text))


def moves(view: Mapping[str, Any]) -> Html:
    """What 10 % more of a number does to each objective, of every point whose slopes were taken."""
    rows = [
        element(
            "tr",
            element("th", point, scope="row", class_="first"),
            element("td", words(objective)),
            element("td", element("code", path)),
            element("td", signed(10 * slope), class_="number"),
        )
        for point, found in view["sensitivity"].items()
        for objective, slopes in found["elasticities"].items()
        for path, slope in slopes.items()
    ]
    if not rows:
        return Html("")
    heads = ("point", "objective", "number", "for 10 % more of it")
    top = element("thead", element("tr", *(element("th", text, scope="col") for text in heads)))
    return _folded("What moves every point", framed(element("table", top, element("tbody", *rows), class_="small"), "Moves"))


def _folded(title: str, inside: str) -> Html:
    return element("details", element("summary", title), Html(inside))


def percent(share: float) -> str:
    """A share in whole per cent, a dash where there is none."""
    return f"{100 * share:.0f} %" if share >= 0.005 else ("< 1 %" if share > 0 else DASH)


def signed(value: float) -> str:
    """Per cent with a sign, two digits."""
    return f"{value:+.2g} %".replace("-", "\u2212")
