"""Seconds of an exchange over the size of its message, two machines beside each other, by logarithms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dse.machine.axes import Axis
from dse.report.winners_picture import COLOURS, FOOT, GAP, HEIGHT, LEFT, TOP, WIDTH, along, legend, said, svg
from hw.units import readable

PANELS = ("over all levels", "over the outermost level alone")


def draw(names: Sequence[str], times: Sequence[tuple[Any, Any]], sizes: Any) -> str:
    """The picture as SVG: a panel for all levels and for the outermost alone; times of each machine, [sizes]."""
    out = along([sizes[0], sizes[-1]], 0, WIDTH, 0.0)
    title = "An all-reduce by the size of its message (modelled)"
    shapes = [said(LEFT, 24, title, size=15), legend(names)]
    for column, panel in enumerate(PANELS):
        values = [one[column] for one in times]
        up = along([min(v.min() for v in values) * 1e6, max(v.max() for v in values) * 1e6], HEIGHT, 0)
        words = [said(0, -8, f"{panel}, us"), *frame(out, up)]
        for colour, line in zip(COLOURS, values, strict=False):
            path = " ".join(
                f"{out.at(x):.1f},{up.at(y * 1e6):.1f}" for x, y in zip(sizes[::20], line[::20], strict=True)
            )
            words.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes.append(f'<g transform="translate({LEFT + column * (WIDTH + GAP)} {TOP})">' + "\n".join(words) + "</g>")
    return svg(LEFT + len(PANELS) * (WIDTH + GAP), TOP + HEIGHT + FOOT, title, shapes)


def frame(out: Axis, up: Axis) -> list[str]:
    """The box of a panel with the numbers of both axes."""
    words = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>']
    for value in up.ticks():
        y = up.at(value)
        words.append(f'<line x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e3e3"/>')
        words.append(said(-6, y + 4, f"{value:,.6g}", "end", 10))
    for value in out.ticks():
        factor, unit = readable("B", value)
        words.append(said(out.at(value), HEIGHT + 17, f"{value * factor:g} {unit}", "middle", 10))
    return [*words, said(WIDTH / 2, HEIGHT + 36, "bytes of a message", "middle")]
