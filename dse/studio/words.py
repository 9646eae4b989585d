"""What the studio's page says of a machine, as markup: objectives, limits, shares, mapping, every answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dse.evaluation.metrics import SECTIONS, SOMETIMES, Metrics, meanings, more_is_better, units
from dse.evaluation.results import display
from dse.machine.single import SHARES, held_back
from dse.report.assets.markup import Html, element, number, words
from dse.studio.front import Front, against
from dse.studio.state import Studio

ALIKE = 5e-4  # relative: nothing is said of a change that shows in no digit


def title(studio: Studio) -> str:
    """The files that the machine, its model and its traffic are."""
    return " · ".join(studio.file(group) for group in ("hw", "model", "format", "serving"))


def strip(studio: Studio, front: Front) -> Html:
    """The objectives, how they changed, and whether the machine fits."""
    now, start = studio.shown.point["metrics"], studio.start.point["metrics"]
    shown = display([studio.shown.point])["metrics"]
    cells = []
    for name in studio.goals.objectives:
        value = number(now[name] * shown[name]["factor"])
        said = element("small", f"{shown[name]['unit']} ", changed(now[name], start[name]))
        cells.append(
            element(
                "div",
                element("dt", words(name)),
                element("dd", f"{value} ", said, data_metric=name, data_value=repr(now[name])),
            )
        )
    return Html(element("dl", *cells) + verdict(studio, front))


def changed(now: float, start: float) -> Html:
    """How far a number lies from where it began."""
    if not start or abs(now / start - 1) < ALIKE:
        return Html("")
    ratio = now / start
    text = f"{ratio:.3g} times" if ratio >= 2 or ratio <= 0.5 else f"{100 * (ratio - 1):+.3g} %"
    return element("span", f"({text})".replace("-", "\u2212"))


def verdict(studio: Studio, front: Front) -> Html:
    """Whether all limits are kept, and where the point lies to the front."""
    goals = set(studio.goals.constraints)
    short = [one.name for one in studio.shown.missing]
    where = against(studio.shown.point["metrics"], front, studio.goals)
    if not short:
        return element("p", f"Fits: every limit is kept. {where}", class_="verdict fits")
    hard = [name for name in short if name in goals or name == "mapping"]
    named = ", ".join(short)
    if hard:
        return element("p", f"Does not fit: {named}.", class_="verdict short")
    return element("p", f"Misses {named}, which is no constraint here. {where}", class_="verdict short")


def limits(studio: Studio) -> Html:
    """What is missed, by how much and what would help; what holds the clock; what to know before it is believed."""
    found = studio.shown.found
    held = held_back(found.candidate.hw.chip, studio.shown.point["metrics"]["clock"])
    notes = [element("li", text) for text in (*found.cautions, held) if text]
    short = [element("li", str(one), class_="short") for one in studio.shown.missing]
    return element("ul", *short, *notes, class_="missing") if short or notes else Html("")


def mapping(studio: Studio) -> Html:
    """The best mapping of every machine."""
    point, lines = studio.shown.point, []
    for section in [name for name in point if name.endswith("mapping")]:
        told = point[section]
        degrees = [f"{words(name)} {told[name]}" for name in told if name not in ("weights", "cache")]
        degrees = [text for text in degrees if not text.endswith((" 1", "stages inside 0"))]
        text = ", ".join([*degrees, f"weights in {told['weights']}", f"cache in {told['cache']}"])
        lines.append(element("p", element("b", f"{words(section)}: "), text))
    return Html("".join(lines))


def shares(studio: Studio) -> Html:
    """Shares by cause, each as a bar and in words."""
    blocks = []
    for section, what in SHARES.items():
        parts = [(name, share) for name, share in studio.shown.point[section].items() if share >= 0.0005]
        parts.sort(key=lambda item: -item[1])
        told = meanings(SECTIONS[section])
        bars = [element("span", style=f"width:{share:.2%};background:var(--cause-{name})") for name, share in parts]
        items = [
            element("li", element("i", style=f"background:var(--cause-{n})"), f"{n} {share:.1%}", title=told[n])
            for n, share in parts
        ]
        blocks.append(
            element("p", what.capitalize())
            + element("div", *bars, class_="bar", aria_hidden="true")
            + element("ul", *items, class_="causes")
        )
    return Html("".join(blocks))


def answers(studio: Studio) -> Html:
    """Every answer with its unit, its change and what it is."""
    point, start = studio.shown.point, studio.start.point
    shown = display([point])
    rows = []
    for section in ("metrics", "headroom", *(name for name in SOMETIMES if name in point)):
        for name, column in shown[section].items():
            value, before = point[section][name], start.get(section, {}).get(name, 0.0)
            short = "number short" if section == "headroom" and value < 0 else "number"
            label = words(name) if section == "metrics" else f"{section}: {words(name)}"
            rows.append(
                element(
                    "tr",
                    element("th", label, scope="row"),
                    element("td", f"{number(value * column['factor'])} {column['unit']}", class_=short),
                    element("td", changed(value, before) if section != "headroom" else "", class_="number"),
                    element("td", column["means"], class_="means"),
                )
            )
    heads = [("answer", None), ("now", "number"), ("against the start", "number"), ("what it is", "means")]
    cells = [element("th", text, scope="col", class_=cls) for text, cls in heads]
    return element("table", element("thead", element("tr", *cells)), element("tbody", *rows))


def axes() -> list[str]:
    """The metrics that may be an axis."""
    return list(units(Metrics))


def first_axes(goals: Mapping[str, str]) -> tuple[str, str]:
    """The first two objectives, or one and the power."""
    names = list(goals)
    return names[0], names[1] if len(names) > 1 else "power"


def senses(goals: Mapping[str, Any]) -> dict[str, str]:
    """Which way is better, of every metric that is an objective or says so itself."""
    own = {name: "maximize" for name in axes() if more_is_better(name)}
    return own | {str(name): str(sense) for name, sense in goals.items()}
