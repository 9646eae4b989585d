"""The picture of operators under their roofs, a panel for each pass, by logarithms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dse.machine.axes import Axis
from dse.machine.curve_picture import said, ticks, wall, wide_axis
from dse.machine.svg import Box, document, rectangle, text, width_of

WIDTH, PANEL, GAP = 1000, 420.0, 96.0
LARGEST = 22.0  # radius of a dot that is all of the time, pixels
LOOKS = {"compute": "tier0", "weights": "tier3", "cache": "engine", "vector": "tier1"}
EXPLAINED = "modelled; a dot for each operator of a chip, its area its share of the time, its colour what bounds it"


def picture(title: str, passes: Sequence[Mapping[str, Any]]) -> str:
    """roofline.svg, from what `dse.machine.roofline_rows` says."""
    shapes = [text(GAP, 30, title, WIDTH - 2 * GAP, 17, bold=True), text(GAP, 54, EXPLAINED, 860, 12, "pale")]
    top = 116.0
    for one in passes:
        shapes += panel(Box(GAP, top, WIDTH - GAP - 44, PANEL - GAP), one)
        top += PANEL
    return document(WIDTH, top - 16, title, [*shapes, *legend(Box(GAP, 64, 0, 0))])


def legend(box: Box) -> list[str]:
    """What colours mean."""
    shapes, x = [], box.x
    for cause, look in LOOKS.items():
        shapes += [
            rectangle(Box(x, box.y, 11, 11), look, 2, edge=True),
            text(x + 16, box.y + 10, cause, 90, 12, "pale"),
        ]
        x += 110
    return shapes


def panel(box: Box, one: Mapping[str, Any]) -> list[str]:
    """One pass: its roofs, its dots, its axes."""
    dots = [dot for dot in one["operators"] if dot["rate"] > 0]
    read = {dot["tier"] for dot in dots}
    ridges = [one["peaks"][0] / tier["sustained"] for tier in one["tiers"] if tier["name"] in read]
    across = wide_axis([*ridges, *(dot["intensity"] for dot in dots if dot["intensity"])], box.x, box.right)
    least = min(tier["sustained"] for tier in one["tiers"]) * across.low
    up = wide_axis([least * 1.4, one["peaks"][0], *(dot["rate"] for dot in dots)], box.bottom, box.y)
    words = f"{one['pass']}, {one['seconds'] * 1e3:.3g} ms"
    return [
        text(box.x, box.y - 8, words, 400, 13, bold=True),
        rectangle(box, "even", 0),
        *ticks(across, up, box=box),
        *roofs(box, one, across, up),
        *(circle(dot, box, across, up) for dot in sorted(dots, key=lambda dot: -dot["share"])),
        text(box.x + box.width / 2 - 80, box.bottom + 40, "operations per byte", 300, 12),
        text(box.x - 80, box.y - 8, "op/s", 60, 12),
    ]


def roofs(box: Box, one: Mapping[str, Any], across: Axis, up: Axis) -> list[str]:
    """What each tier gives at an intensity, up to the highest peak; the peaks of each width of operands."""
    shapes = []
    for tier in one["tiers"]:
        end = min(one["peaks"][0] / tier["sustained"], across.high)
        places = (across.low, tier["sustained"] * across.low), (end, tier["sustained"] * end)
        start, stop = ((across.at(x), up.at(y)) for x, y in places)
        shapes.append(wall(start, stop, 'stroke-width="1.8"'))
        middle = math.exp(0.6 * math.log(across.low) + 0.4 * math.log(end))
        label = f"{tier['name']} {said(tier['sustained'])}B/s"
        shapes.append(text(across.at(middle) + 6, up.at(tier["sustained"] * middle) + 14, label, 160, 12, "pale"))
    fastest = max(tier["sustained"] for tier in one["tiers"])
    for peak in one["peaks"]:
        y = up.at(peak)
        shapes.append(wall((across.at(max(peak / fastest, across.low)), y), (box.right, y), 'stroke-width="1.8"'))
        label = f"{said(peak)}op/s"
        shapes.append(text(box.right - width_of(label, 12) - 4, y - 6, label, 160, 12, "pale"))
    return shapes


def circle(dot: Mapping[str, Any], box: Box, across: Axis, up: Axis) -> str:
    """One operator, its name and numbers in its title."""
    x = across.at(dot["intensity"]) if dot["intensity"] else box.right
    radius, look = max(2.5, LARGEST * math.sqrt(dot["share"])), LOOKS[dot["bound"]]
    told = f"{dot['name']}: {dot['share']:.1%} of the time, {dot['rate'] / dot['roof']:.0%} of its roof"
    shape = f'<circle cx="{x:.1f}" cy="{up.at(dot["rate"]):.1f}" r="{radius:.1f}" class="{look} edge" opacity="0.8">'
    return f"{shape}<title>{told}</title></circle>"
