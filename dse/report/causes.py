"""The tables below the charts of causes, which stand without scripts: what every point is made of, what moves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dse.evaluation.metrics import MEASURES
from dse.report.assets.markup import DASH, Html, element, framed, number, words

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
    if not any(found):
        return element("p", "The parts were not recorded.", class_="aside")
    return _folded("All points as tables, cause by cause", Html("".join(found)))


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
    return Html(element("h3", f"{TITLES[section]} by cause") + means + framed(table, TITLES[section]))


def _meaning(name: str, text: str) -> Html:
    colour = f"background:var(--cause-{name}, var(--muted))"
    return element(
        "li", element("span", class_="swatch", style=colour), element("span", words(name)), element("span", text)
    )


def moves(view: Mapping[str, Any]) -> Html:
    """What 10 % more of a number does to each objective, a table each, of every point whose slopes were taken."""
    found = "".join(_moves(view["sensitivity"], name) for name in view["objectives"])
    return _folded("What moves each point, as tables", Html(found)) if found else Html("")


def _moves(found: Mapping[str, Any], objective: str) -> Html:
    slopes = {point: one["elasticities"].get(objective, {}) for point, one in found.items()}
    slopes = {point: each for point, each in slopes.items() if each}
    sizes: dict[str, float] = {}
    for each in slopes.values():
        for path, slope in each.items():
            sizes[path] = max(sizes.get(path, 0.0), abs(slope))
    if not sizes:
        return Html("")
    heads = [element("th", "10 % more of", scope="col", class_="first")]
    heads += [element("th", point, scope="col", class_="number") for point in slopes]
    rows = [
        element(
            "tr",
            element("th", element("code", path), scope="row", class_="first"),
            *(element("td", signed(10 * one[path]) if path in one else "", class_="number") for one in slopes.values()),
        )
        for path in sorted(sizes, key=lambda path: -sizes[path])
    ]
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="small")
    title = f"What moves {words(objective)}, by the slopes of each point; the largest eight"
    return Html(element("h3", title) + framed(table, title))


def _folded(title: str, inside: str) -> Html:
    return element("details", element("summary", title), Html(inside), class_="fold")


def percent(share: float) -> str:
    """A share in whole per cent, a dash where there is none."""
    return f"{100 * share:.0f} %" if share >= 0.005 else ("< 1 %" if share > 0 else DASH)


def signed(value: float) -> str:
    """Per cent with a sign, two digits."""
    return f"{value:+.2g} %".replace("-", "\u2212")
