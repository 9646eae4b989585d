"""The picture of throughput against what each user gets, by logarithms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dse.machine.axes import Axis
from dse.machine.svg import Box, document, rectangle, text, width_of
from hw.units import readable

PLOT = Box(96, 76, 820, 470)
WIDTH, HEIGHT = 1000, 640
DOT = 6.0
EXPLAINED = "modelled; a dot for each number of users; full: in time for both targets; hollow: late; line: the front"
USER, ALL = "tokens_per_second_per_user", "tokens_per_second"


def picture(title: str, curve: Sequence[Mapping[str, Any]], slowest: float) -> str:
    """curve.svg; `slowest` : tokens per second of a user that the target asks for."""
    across = wide_axis([one[USER] for one in curve] + [slowest], PLOT.x, PLOT.right)
    up = wide_axis([one[ALL] for one in curve], PLOT.bottom, PLOT.y)
    front = [one for one in curve if one["best"]]
    shapes = [
        text(PLOT.x, 30, title, PLOT.width, 17, bold=True),
        text(PLOT.x, 54, EXPLAINED, PLOT.width, 12, "pale"),
        rectangle(PLOT, "even", 0),
        *ticks(across, up),
        target(across, slowest),
        line([(across.at(one[USER]), up.at(one[ALL])) for one in front]),
        *marks(curve, across, up),
        text(PLOT.x + PLOT.width / 2 - 110, HEIGHT - 28, "tokens per second of each user", 400, 13),
        f'<g transform="rotate(-90 26 {PLOT.y + PLOT.height / 2 + 100:g})">'
        f"{text(26, PLOT.y + PLOT.height / 2 + 100, 'tokens per second of all users', 400, 13)}</g>",
    ]
    return document(WIDTH, HEIGHT, title, shapes)


def wide_axis(values: Sequence[float], first: float, last: float) -> Axis:
    """An axis by logarithms with room for words beside the marks."""
    return Axis(min(values) / 1.35, max(values) * 1.6, first, last, log=True)


def said(value: float) -> str:
    """A number in few digits: `20 k`."""
    factor, unit = readable("x", value)
    return f"{value * factor:.3g} {unit.removesuffix('x')}".strip()


def ticks(across: Axis, up: Axis, said: Callable[[float], str] = said, box: Box = PLOT) -> list[str]:
    """Lines and numbers of both axes of a box, in the words of `said`."""
    shapes = []
    for value in across.ticks():
        x, words = across.at(value), said(value)
        shapes.append(wall((x, box.y), (x, box.bottom), 'opacity="0.25"'))
        shapes.append(text(x - width_of(words, 12) / 2, box.bottom + 20, words, 60, 12, "pale"))
    for value in up.ticks():
        y, words = up.at(value), said(value)
        shapes.append(wall((box.x, y), (box.right, y), 'opacity="0.25"'))
        shapes.append(text(box.x - 8 - width_of(words, 12), y + 4, words, 60, 12, "pale"))
    return shapes


def wall(start: tuple[float, float], end: tuple[float, float], how: str) -> str:
    """A straight line."""
    places = f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
    return f'<line {places} class="edge" {how}/>'


def target(across: Axis, slowest: float) -> str:
    """The slowest that a user may be served."""
    x = across.at(slowest)
    drawn = wall((x, PLOT.y), (x, PLOT.bottom), 'stroke-dasharray="6 4"')
    return drawn + text(x + 6, PLOT.y + 18, f"target: {said(slowest)} token/s a user", 300, 12, "pale")


def line(places: Sequence[tuple[float, float]]) -> str:
    """The front from point to point."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in sorted(places))
    return f'<polyline points="{path}" fill="none" class="edge" stroke-width="2"/>'


def marks(curve: Sequence[Mapping[str, Any]], across: Axis, up: Axis) -> list[str]:
    """A dot for each load, with its users beside it; loads in one place share their words."""
    places: dict[tuple[float, float], list[Mapping[str, Any]]] = {}
    for one in curve:
        places.setdefault((round(across.at(one[USER])), round(up.at(one[ALL]))), []).append(one)
    shapes = []
    for (x, y), loads in places.items():
        look = "tier0" if any(one["feasible"] for one in loads) else "page"
        shapes.append(f'<circle cx="{x:g}" cy="{y:g}" r="{DOT:g}" class="{look} edge" stroke-width="1.5"/>')
        words = " to ".join(f"{users:,}" for users in dict.fromkeys((loads[0]["users"], loads[-1]["users"])))
        shapes.append(text(x + DOT + 4, y - DOT, words, 160, 11))
    return shapes
