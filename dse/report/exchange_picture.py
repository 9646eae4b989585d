"""Seconds of an exchange over the size of its message, two machines beside each other, by logarithms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dse.report.winners_picture import COLOURS, FOOT, GAP, HEIGHT, LEFT, TOP, WIDTH, along, frame, legend, said, svg
from hw.units import readable

PANELS = ("over all levels", "over the outermost level alone")


def draw(names: Sequence[str], times: Sequence[tuple[Any, Any]], sizes: Any) -> str:
    """The picture as SVG: a panel for all levels and for the outermost alone; times of each machine, [sizes]."""
    out = along([sizes[0], sizes[-1]], 0, WIDTH, 0.0)
    places = [(out.at(value), bytes_in_words(value)) for value in out.ticks()]
    title = "An all-reduce by the size of its message (modelled)"
    shapes = [said(LEFT, 24, title, size=15), legend(names)]
    for column, panel in enumerate(PANELS):
        values = [one[column] for one in times]
        up = along([min(v.min() for v in values) * 1e6, max(v.max() for v in values) * 1e6], HEIGHT, 0)
        words = [said(0, -8, f"{panel}, us"), *frame(up, places, "bytes of a message")]
        for colour, line in zip(COLOURS, values, strict=False):
            path = " ".join(
                f"{out.at(x):.1f},{up.at(y * 1e6):.1f}" for x, y in zip(sizes[::20], line[::20], strict=True)
            )
            words.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes.append(f'<g transform="translate({LEFT + column * (WIDTH + GAP)} {TOP})">' + "\n".join(words) + "</g>")
    return svg(LEFT + len(PANELS) * (WIDTH + GAP), TOP + HEIGHT + FOOT, title, shapes)


def bytes_in_words(value: float) -> str:
    """A size of few digits: `100 kB`."""
    factor, unit = readable("B", value)
    return f"{value * factor:g} {unit}"
