"""The picture of a simulated trace: two distributions of latency, the load over time, the share in time over rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dse.machine.axes import Axis
from dse.machine.svg import Box, document, rectangle, text
from hw.units import readable

WIDTH, HEIGHT, LEFT, TOP, GAP, BETWEEN = 470, 240, 62, 84, 96, 74  # of a panel, and around it
BLUE, RED, GREEN = "#3b7fc4", "#d0593a", "#3f9d63"
LEAST = 1e-6  # s, the shortest that a logarithmic axis shows


class Line(NamedTuple):
    """A curve with its name."""

    name: str
    x: Any
    y: Any
    colour: str
    dots: bool = False


def picture(title: str, result: Mapping[str, Any]) -> str:
    """serving.svg as text."""
    trace = result["trace"]
    told = f"{trace['name']}: {trace['requests']:,} requests at {trace['rate']:.4g} a second"
    width = LEFT + 2 * WIDTH + GAP + 24
    shapes = [text(LEFT, 28, title, width - LEFT, 17, bold=True), text(LEFT, 48, told + ", simulated", width - LEFT)]
    panels = [
        latency("time to first token", "time_to_first_token", result),
        latency("time per output token", "time_per_output_token", result),
        load(result),
        rates(result),
    ]
    for i, panel in enumerate(panels):
        x, y = LEFT + (i % 2) * (WIDTH + GAP), TOP + (i // 2) * (HEIGHT + BETWEEN)
        shapes.append(f'<g transform="translate({x} {y})">{panel}</g>')
    return document(width, TOP + 2 * (HEIGHT + BETWEEN), title, shapes)


def latency(title: str, name: str, result: Mapping[str, Any]) -> str:
    """A cumulative distribution with its target."""
    if name not in result["distributions"]:
        return frame(f"{title}: no request has one")
    seconds, shares = np.asarray(result["distributions"][name]), np.asarray(result["distributions"]["share"])
    target = result["targets"][name]
    low, high = min(seconds[1], target), max(seconds[-1], target)
    low = max(low, high * 1e-4, LEAST)
    x, y = Axis(low / 1.2, high * 1.2, 0, WIDTH, log=True), Axis(0, 1, HEIGHT, 0)
    within = float(np.interp(target, seconds, shares))
    heads = f"{title}: {within:.1%} within the target"
    return axes(heads, x, y, lambda v: _seconds(v), lambda v: f"{v:.0%}") + marked(x, target, "target") + curves(
        x, y, [Line("share of requests", seconds, shares, BLUE)], names=False)  # fmt: skip


def load(result: Mapping[str, Any]) -> str:
    """Requests in flight and waiting over time."""
    line = result["timeline"]
    if not line:
        return frame("no request was served")
    time = np.asarray(line["time"])
    top = max(float(np.max(line["in_flight"])), float(np.max(line["waiting"])), 1.0)
    x, y = Axis(float(time[0]), float(time[-1]), 0, WIDTH), Axis(0, top * 1.08, HEIGHT, 0)
    lines = [
        Line("in flight", time, line["in_flight"], BLUE),
        Line("waiting", time, line["waiting"], RED),
    ]
    return axes("requests, all replicas", x, y, lambda v: f"{v:,.0f} s", lambda v: f"{v:g}") + curves(x, y, lines)


def rates(result: Mapping[str, Any]) -> str:
    """The share of requests in time, over the rate at which they come."""
    found = result["largest_rate"]
    if not found or not found["tried"]:
        return frame("no other rates were simulated")
    pairs = np.array(found["tried"], dtype=float)
    x = Axis(pairs[0, 0] / 1.2, pairs[-1, 0] * 1.2, 0, WIDTH, log=True)
    y = Axis(0, 1, HEIGHT, 0)
    title = f"share that meets both targets; largest rate {found['rate']:.4g} requests/s"
    line = Line("attainment", pairs[:, 0], pairs[:, 1], GREEN, dots=True)
    mark = marked(x, found["rate"], "largest") if found["rate"] else ""
    return axes(title, x, y, lambda v: f"{v:g}/s", lambda v: f"{v:.0%}") + mark + curves(x, y, [line], names=False)


def frame(title: str) -> str:
    """An empty panel."""
    return text(0, -10, title, WIDTH, 13, bold=True) + rectangle(Box(0, 0, WIDTH, HEIGHT), "even", 0)


def axes(title: str, x: Axis, y: Axis, x_words: Any, y_words: Any) -> str:
    """A panel with its title, its grid and what the grid's lines are."""
    words = [frame(title)]
    for tick in x.ticks():
        at = x.at(tick)
        words.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y2="{HEIGHT}" class="edge" opacity="0.25"/>')
        words.append(label(at, HEIGHT + 16, x_words(tick), "middle"))
    for tick in y.ticks():
        at = y.at(tick)
        words.append(f'<line x2="{WIDTH}" y1="{at:.1f}" y2="{at:.1f}" class="edge" opacity="0.25"/>')
        words.append(label(-7, at + 4, y_words(tick), "end"))
    return "\n".join(words)


def label(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}" class="pale">{words}</text>'


def marked(x: Axis, value: float, words: str) -> str:
    """A dashed line at a value, named at its foot."""
    at = x.at(x.nearest(value))
    anchor, side = ("end", -5) if at > WIDTH / 2 else ("start", 5)
    return f'<line x1="{at:.1f}" x2="{at:.1f}" y2="{HEIGHT}" stroke="{RED}" stroke-dasharray="5 4"/>' + label(
        at + side, HEIGHT - 8, words, anchor
    )


def curves(x: Axis, y: Axis, lines: Sequence[Line], names: bool = True) -> str:
    """The curves, with a key where there are several."""
    words = []
    for i, line in enumerate(lines):
        points = [(x.at(x.nearest(a)), y.at(y.nearest(b))) for a, b in zip(line.x, line.y, strict=True)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        words.append(f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="1.8"/>')
        if line.dots:
            words += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{line.colour}"/>' for a, b in points]
        if names:
            words.append(
                f'<line x1="{10 + 90 * i}" x2="{30 + 90 * i}" y1="14" y2="14" stroke="{line.colour}" stroke-width="2"/>'
            )
            words.append(label(35 + 90 * i, 18, line.name, "start"))
    return "\n".join(words)


def _seconds(value: float) -> str:
    factor, unit = readable("s", value)
    return f"{value * factor:g} {unit}"
