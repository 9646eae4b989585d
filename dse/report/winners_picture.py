"""Lines of the best values over a condition, a panel for each other condition, by logarithms where the values allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from dse.machine.axes import Axis
from dse.machine.svg import width_of
from dse.report.winners import Cells, Trials, unit_of

WIDTH, HEIGHT, LEFT, TOP, GAP, FOOT = 290, 230, 66, 84, 62, 46  # of a panel and of what is around it
COLOURS = ("#2f6db5", "#c8562b", "#3f8f55", "#7d4ba0", "#a8851c", "#4b5a68")
ROOM = 0.08  # of an axis, on both sides of its values


def along(values: Sequence[float], first: float, last: float, room: float = ROOM) -> Axis:
    """An axis of these values, by their logarithm where all are positive."""
    return Axis.of(values, first, last, room, log=min(values) > 0)


def draw(trials: Trials, cells: Cells, metric: str, lines: str, across: str, panels: str) -> str:
    """The picture as SVG."""
    factor, unit = unit_of(metric, list(cells.values()))
    groups = list(dict.fromkeys(panel for panel, _, _ in cells))
    options = list(dict.fromkeys(line for _, _, line in cells))
    places = list(dict.fromkeys(place for _, place, _ in cells))
    named = isinstance(places[0], str)
    spots: dict[Any, float] = {place: i + 1.0 if named else place for i, place in enumerate(places)}
    out = along([spots[place] for place in places], 0, WIDTH)
    numbers = [(out.at(spots[place]), trials.told(across, place)) for place in places]
    title = f"{trials.title}: best {metric.replace('_', ' ')}{f', {unit}' if unit else ''} (modelled)"
    shapes = [
        said(LEFT, 24, title, size=15),
        legend([f"{lines.rpartition('/')[2].rpartition('.')[2]} {trials.told(lines, one)}" for one in options]),
    ]
    for column, panel in enumerate(groups):
        up = along([value * factor for (of, _, _), value in cells.items() if of == panel], HEIGHT, 0)
        name = f"{panels} {trials.told(panels, panel)}" if panels else ""
        words = [said(0, -8, name, size=12), *frame(up, numbers, across)]
        for colour, line in zip(COLOURS * len(options), options, strict=False):
            points = [(p, cells[panel, p, line]) for p in places if (panel, p, line) in cells]
            words += drawn([(out.at(spots[p]), up.at(v * factor)) for p, v in points], colour)
        shapes.append(f'<g transform="translate({LEFT + column * (WIDTH + GAP)} {TOP})">' + "\n".join(words) + "</g>")
    return svg(LEFT + len(groups) * (WIDTH + GAP), TOP + HEIGHT + FOOT, title, shapes)


def svg(width: float, height: float, title: str, shapes: Sequence[str]) -> str:
    """The document around shapes, as wide as its title at least."""
    width = max(width, LEFT + 7.8 * len(title))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="Helvetica,Arial,sans-serif"><title>{escape(title)}</title>'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *shapes, "</svg>\n"])


def said(x: float, y: float, words: str, anchor: str = "start", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#222">{escape(words)}</text>'


def legend(options: Sequence[str]) -> str:
    """The name of each line beside its colour."""
    words, x = [], float(LEFT)
    for colour, option in zip(COLOURS * len(options), options, strict=False):
        words.append(f'<line x1="{x}" x2="{x + 22}" y1="46" y2="46" stroke="{colour}" stroke-width="2.5"/>')
        words.append(said(x + 28, 50, option))
        x += 52 + 6.6 * len(option)
    return "\n".join(words)


def frame(up: Axis, places: Sequence[tuple[float, str]], title: str) -> list[str]:
    """The box of a panel with the numbers of both axes; places : of the numbers across, and what they are."""
    words = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>']
    for value in up.ticks():
        y = up.at(value)
        words.append(f'<line x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e3e3"/>')
        words.append(said(-6, y + 4, f"{value:,.10g}", "end", 10))
    free = -math.inf
    for x, name in places:
        words.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT}" y2="{HEIGHT + 4}" stroke="#999"/>')
        half = width_of(name, 10) / 2
        if x - half > free:  # names do not run into each other
            words.append(said(x, HEIGHT + 17, name, "middle", 10))
            free = x + half + 2
    return [*words, said(WIDTH / 2, HEIGHT + 36, title, "middle")]


def drawn(points: Sequence[tuple[float, float]], colour: str) -> list[str]:
    """One line with its points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]
