"""The front as a drawing that stands without scripts: the first two objectives, everything named that has room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dse.machine.axes import Axis
from dse.machine.svg import width_of
from dse.report.assets.markup import Html, element, number, words

WIDTH, HEIGHT = 960.0, 500.0
LEFT, RIGHT, TOP, BOTTOM = 84.0, 946.0, 12.0, 446.0
FONT = 12.0
Box = tuple[float, float, float, float]


def drawing(view: Mapping[str, Any]) -> Html:
    """The front on its first two objectives; nothing where there is no point with both."""
    across, up = pair(view)
    shown = [m for m in (*view["points"], *view["baselines"]) if None not in (m["metrics"][across], m["metrics"][up])]
    if not shown:
        return Html("")
    x = Axis.of(bulk(view, shown, across), LEFT, RIGHT)
    y = Axis.of(bulk(view, shown, up), BOTTOM, TOP)
    places = [(x.at(one["metrics"][across]), y.at(one["metrics"][up])) for one in shown]
    clouds = [cloud(view, kind, (across, up), x, y) for kind in ("infeasible", "feasible")]
    base = {one["name"] for one in view["baselines"]}
    marks = [mark(one, place, one["name"] in base) for one, place in zip(shown, places, strict=True)]
    told = f"The front: {title(view, across)} across, {title(view, up)} up. {line(view)}"
    return element(
        "svg", *frame(view, (across, up), x, y), *clouds, *marks,
        element("g", *names(shown, places, base), class_="names"),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", width="100%", class_="chart", role="img", aria_label=told,
    )  # fmt: skip


def pair(view: Mapping[str, Any]) -> tuple[str, str]:
    """The two metrics of the axes: the first objectives, or what else there is."""
    listed = list(dict.fromkeys([*view["objectives"], *view["metrics"]]))
    known = [n for n in listed if any(m["metrics"][n] is not None for m in (*view["points"], *view["baselines"]))]
    return known[0], known[min(1, len(known) - 1)]


def title(view: Mapping[str, Any], name: str) -> str:
    """A metric with its unit and, of an objective, which way is better."""
    column = view["metrics"][name]
    unit = f" ({column['unit']})" if column["unit"] else ""
    better = {"maximize": ", more is better", "minimize": ", less is better"}.get(column["sense"], "")
    return f"{column['label']}{unit}{better}"


def bulk(view: Mapping[str, Any], shown: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """What must be in the frame: all that is named, and the most of the rest."""
    rest = sorted(value for value in view["others"].get("feasible", {}).get(name, []) if value is not None)
    cut = len(rest) // 50
    return [one["metrics"][name] for one in shown] + rest[cut : len(rest) - cut]


def frame(view: Mapping[str, Any], pair: tuple[str, str], x: Axis, y: Axis) -> list[Html]:
    """The axes with their lines, numbers and titles."""
    shapes = []
    for value in x.ticks():
        shapes.append(stroke(x.at(value), TOP, x.at(value), BOTTOM, "grid"))
        shapes.append(text(x.at(value), BOTTOM + 19, f"{value:,.6g}", "tick-text", "middle"))
    for value in y.ticks():
        shapes.append(stroke(LEFT, y.at(value), RIGHT, y.at(value), "grid"))
        shapes.append(text(LEFT - 8, y.at(value) + 4, f"{value:,.6g}", "tick-text", "end"))
    shapes += [stroke(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"), stroke(LEFT, TOP, LEFT, BOTTOM, "axis")]
    shapes.append(text((LEFT + RIGHT) / 2, BOTTOM + 43, title(view, pair[0]), "axis-title", "middle"))
    turned = f"translate(15 {(TOP + BOTTOM) / 2:g}) rotate(-90)"
    shapes.append(element("text", title(view, pair[1]), class_="axis-title", text_anchor="middle", transform=turned))
    return shapes


def stroke(x1: float, y1: float, x2: float, y2: float, look: str) -> Html:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=look)


def text(x: float, y: float, said: str, look: str, anchor: str | None = None) -> Html:
    return element("text", said, x=x, y=y, class_=look, text_anchor=anchor, font_size=FONT)


def cloud(view: Mapping[str, Any], kind: str, pair: tuple[str, str], x: Axis, y: Axis) -> Html:
    """The points behind the front as one path: dots fit, crosses do not."""
    columns = [view["others"].get(kind, {}).get(name, []) for name in pair]
    shape = "M{:g} {:g}h0" if kind == "feasible" else "M{:g} {:g}m-2-2l4 4m0-4l-4 4"
    kept = [
        shape.format(x.at(a), y.at(b))
        for a, b in zip(*columns, strict=False)
        if a is not None and b is not None and x.low <= a <= x.high and y.low <= b <= y.high
    ]
    return element("path", d="".join(kept), class_=f"cloud {kind}")


def mark(one: Mapping[str, Any], place: tuple[float, float], base: bool) -> Html:
    """A disc for a point, a diamond for a baseline; hollow and crossed where it does not fit."""
    shape = "M0-7L7 0L0 7L-7 0Z" if base else "M5.5 0A5.5 5.5 0 1 1 -5.5 0A5.5 5.5 0 1 1 5.5 0Z"
    drawn = [element("path", d=shape, class_="symbol")]
    drawn += [element("path", d="M-3-3L3 3M3-3L-3 3", class_="no")] * (not one["feasible"])
    look = " ".join(["mark", "base" if base else "point", *["misses"] * (not one["feasible"])])
    return element("g", *drawn, class_=look, transform=f"translate({place[0]:g} {place[1]:g})")


def names(shown: Sequence[Mapping[str, Any]], places: Sequence[tuple[float, float]], base: set[str]) -> list[Html]:
    """Names where nothing else stands, those of baselines first; what has no room is named in the table alone."""
    taken: list[Box] = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    found = []
    for i in sorted(range(len(shown)), key=lambda one: shown[one]["name"] not in base):
        name, (x, y) = shown[i]["name"], places[i]
        length = width_of(name, FONT)
        spots = [(10, 4), (-10 - length, 4), (-length / 2, -11), (-length / 2, 20), (8, -9), (-8 - length, 17)]
        if name in base:
            spots += [
                (-length / 2, -26),
                (-length / 2, 35),
                (10, -24),
                (-10 - length, -24),
                (10, 32),
                (-10 - length, 32),
            ]
        boxes = [(x + dx, y + dy - FONT, x + dx + length, y + dy + 3) for dx, dy in spots]
        costs = [crowding(box, [*taken[:i], *taken[i + 1 :]]) for box in boxes]
        best = costs.index(min(costs))
        if costs[best]:
            continue
        taken.append(boxes[best])
        found.append(text(x + spots[best][0], y + spots[best][1], name, "base" if name in base else ""))
    return found


def crowding(box: Box, taken: Sequence[Box]) -> float:
    """How much of a box is covered already, and what of it lies outside the frame counts as all."""
    inside = box[0] >= LEFT and box[2] <= RIGHT and box[1] >= TOP and box[3] <= BOTTOM
    covered = (
        max(0.0, min(box[2], one[2]) - max(box[0], one[0])) * max(0.0, min(box[3], one[3]) - max(box[1], one[1]))
        for one in taken
    )
    return sum(covered) + (0.0 if inside else 1e5)


def line(view: Mapping[str, Any]) -> str:
    """What the drawing says: how many points, and the best by each axis."""
    what = "on the front" if view["front"] else "nearest to feasible"
    count = len(view["points"])
    said = [f"Modelled: {count} {'point' if count == 1 else 'points'} {what}, {len(view['baselines'])} baselines."]
    for name in dict.fromkeys(pair(view)):
        column = view["metrics"][name]
        known = [one for one in view["points"] if one["metrics"][name] is not None]
        if not known or not column["sense"]:
            continue
        pick = max if column["sense"] == "maximize" else min
        best = pick(known, key=lambda one, name=name: one["metrics"][name])
        much = "Most" if column["sense"] == "maximize" else "Least"
        size = f"{number(best['metrics'][name])} {column['unit']}".rstrip()
        said.append(f"{much} {words(name)}: {size} ({best['name']}).")
    return " ".join(said)


def legend(view: Mapping[str, Any]) -> Html:
    """What the marks mean, in words."""
    said = ["Discs: points of the front." if view["front"] else "Crossed discs: points nearest to feasible."]
    said += ["Diamonds: baselines, crossed where they do not fit."] * bool(view["baselines"])
    said += ["Dots: other feasible points; small crosses: infeasible ones."] * bool(view["others"])
    return element("span", " ".join(said))
