"""A machine as a picture: levels nested from the outside, the chip with its blocks and tiers, bars by bandwidth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dse.evaluation.figures import in_words
from dse.machine.svg import Box, divided, document, rectangle, text, width_of

WIDTH, MARGIN, PAD = 1200.0, 24.0, 12.0
HEADER, DIE, GHOST, MOST_GHOSTS = 28.0, 280.0, 5.0, 2
BAR = 130.0  # length of the bar between engine and tier
TIER, GAP = 60.0, 10.0  # a tier takes at least so much, with the gap under it
PER_DECADE, THINNEST_AT = 3.5, 1e8  # bars: pixels for each factor of ten above this bandwidth, B/s
LOOKS = 4  # colours of tiers

Figures = Mapping[str, Any]


def drawing(name: str, formats: str, figures: Figures) -> str:
    """The machine as a self-contained SVG, from its plain figures (`describe.json`, `hw.figures`)."""
    whole, parts = figures["system"], [*reversed(figures["levels"].items()), ("chip", figures["chip"])]
    title = f"{name}  \u00b7  {counted(whole['chips'], 'chip')}  \u00b7  {told(whole['price'])}, modelled price"
    shapes = [text(MARGIN, 36, title, WIDTH - 2 * MARGIN, 18, bold=True)]
    inner, bottom = nested(Box(MARGIN, 52, WIDTH - 2 * MARGIN, 0), parts, formats, 1)
    shapes += inner
    below, bottom = legend(bottom + 18)
    return document(WIDTH, bottom + 12, f"{name}: levels, links, chip and memory tiers", shapes + below)


def thickness(bandwidth: float) -> float:
    """Pixels of a bar: the logarithm of its bandwidth."""
    return max(1.0, PER_DECADE * math.log10(max(bandwidth, 1.0) / THINNEST_AT))


def nested(box: Box, parts: Sequence[tuple[str, Figures]], formats: str, copies: int) -> tuple[list[str], float]:
    """The outermost of `parts` with everything inside it; `copies` of it stand beside each other. Shapes and bottom."""
    (name, part), inside = parts[0], parts[1:]
    if not inside:
        return stacked(box, chip(box, part, formats, copies), copies, "even")
    fanout = round(part["fanout"]["value"])
    room = ghosts(fanout) * GHOST
    inner = Box(box.x + PAD, box.y + HEADER + room, box.width - 2 * PAD - room, 0)
    shapes, bottom = nested(inner, inside, formats, fanout)
    shapes = [*header(box, name, part, formats, copies), *shapes]
    if fanout > 1:
        strip, bottom = link(inner, bottom, name, inside[0][0], part)
        shapes += strip
    return stacked(box, (shapes, bottom + PAD), copies, "odd" if len(parts) % 2 else "even")


def ghosts(copies: int) -> int:
    """How many shadows stand for the parts that are not drawn."""
    return min(copies - 1, MOST_GHOSTS)


def stacked(box: Box, drawn: tuple[list[str], float], copies: int, look: str) -> tuple[list[str], float]:
    """What was drawn on its own ground, before the shadows of its copies."""
    shapes, bottom = drawn
    front = box._replace(height=bottom - box.y)
    behind = [
        rectangle(front._replace(x=box.x + i * GHOST, y=box.y - i * GHOST), look, edge=True)
        for i in range(ghosts(copies), 0, -1)
    ]
    return [*behind, rectangle(front, look, edge=True), *shapes], bottom


def header(box: Box, name: str, part: Figures, formats: str, copies: int) -> list[str]:
    """A line with the name, how many of it stand together, and its figures."""
    label = f"{name}  \u00d7 {copies}" if copies > 1 else name
    start = box.x + PAD + min(max(110.0, width_of(label, 13) + 14), 260.0)
    words = "  \u00b7  ".join(summary(part, formats))
    return [
        text(box.x + PAD, box.y + 18, label, start - box.x - PAD - 8, 13, bold=True),
        text(start, box.y + 18, words, box.right - start - PAD, 12, "pale"),
    ]


def summary(part: Figures, formats: str) -> list[str]:
    """The figures of a part that fit in a line."""
    rates = part["rate"]
    rate = [f"{told(rates[formats])} {formats}"] if formats in rates else []
    held = [f"{n} {told(t['capacity'])} at {told(t['bandwidth'])}" for n, t in part["tiers"].items()]
    return [told(part["power"]), told(part["silicon_area"]), told(part["cost"]), *rate, *held]


def told(figure: Mapping[str, Any]) -> str:
    """A figure in words, its unit as print has it."""
    words = in_words(figure)
    for plain, printed in (("mm2", "mm\u00b2"), ("degC", "\u00b0C"), (" us", " \u00b5s")):
        words = words.replace(plain, printed)
    return words


def counted(figure: Mapping[str, Any], noun: str) -> str:
    return f"{figure['value']:,.0f} {noun}{'s' if figure['value'] != 1 else ''}"


def link(inner: Box, top: float, name: str, part_name: str, level: Figures) -> tuple[list[str], float]:
    """The bar that joins the parts of a level, under them, as thick as a part's bandwidth; its figures above it."""
    found, thick, fanout = level["link"], thickness(level["link"]["bandwidth"]["value"]), level["fanout"]["value"]
    rail = Box(inner.x, top + 24, inner.width, thick)
    stubs = [Box(inner.x + 16 + i * (thick + 4), top, thick, 24) for i in range(ghosts(round(fanout)) + 1)]
    start = stubs[-1].right + 12
    words = "  \u00b7  ".join(
        (
            f"link of the {name}: {fanout:.0f} \u00d7 {part_name}",
            f"{told(found['bandwidth'])} a part and direction",
            told(found["latency"]),
            told(found["energy"]),
            f"bisection {told(found['bisection'])}",
        )
    )
    shapes = [rectangle(stub, "link", 0) for stub in stubs] + [rectangle(rail, "link", min(4.0, thick / 2))]
    return [*shapes, text(start, top + 16, words, inner.right - start, 12)], rail.bottom


def chip(box: Box, part: Figures, formats: str, copies: int) -> tuple[list[str], float]:
    """The innermost box: the die with its blocks, and the tiers that its engine reads."""
    words = (
        counted(part["cores"], "core") + f" at {told(part['frequency'])}",
        f"{told(part['power'])} of {told(part['power_limit'])}",
        f"{told(part['temperature'])} of {told(part['temperature_limit'])}",
        f"full load in {formats}",
    )
    shapes = header(box, "chip", part, formats, copies)
    line = "  \u00b7  ".join(words)
    shapes.append(text(box.x + PAD, box.y + 36, line, box.width - 2 * PAD, 12, "pale"))
    die = Box(box.x + PAD, box.y + 48, DIE, max(DIE, TIER * len(part["tiers"]) - GAP))
    shapes += floorplan(die, part["areas"], told(part["silicon_area"]), part["silicon_area"]["value"])
    shapes += tiers(Box(die.right, die.y, box.right - PAD - die.right, die.height), part)
    return shapes, die.bottom + 54


def floorplan(die: Box, areas: Figures, whole: str, size: float) -> list[str]:
    """The die: its engine as a column at the right, all else at the left, areas to scale; a bar for its length."""
    engine = areas["engine"]["value"] / size
    column = Box(die.right - die.width * engine, die.y, die.width * engine, die.height)
    beside = {name: figure["value"] for name, figure in areas["tiers"].items()}
    looks = {name: f"tier{i % LOOKS}" for i, name in enumerate(beside)} | {"other": "rest"}
    left = sorted((beside | {"other": areas["rest"]["value"]}).items(), key=lambda item: -item[1])
    blocks = divided(die._replace(width=die.width - column.width), [item for item in left if item[1] > 0])
    shapes = [rectangle(block, looks[name], 0, edge=True) for name, block in blocks]
    shapes.append(rectangle(column, "engine", 0, edge=True))
    for name, block in (*blocks, ("engine", column)):
        if block.height > 18 and block.width > width_of(name, 11) + 8:
            shapes.append(text(block.x + 5, block.y + 14, name, block.width - 6, 11))
    return shapes + keys(die, areas) + ruler(die, size, whole)


def keys(die: Box, areas: Figures) -> list[str]:
    """Areas of what is not a tier, under the die."""
    named = (("engine", areas["engine"]), ("rest", areas["rest"]))
    shapes, x = [], die.x
    for look, figure in named:
        words = f"{'other' if look == 'rest' else look} {told(figure)}"
        shapes.append(rectangle(Box(x, die.bottom + 30, 10, 10), look, 0, edge=True))
        shapes.append(text(x + 15, die.bottom + 39, words, width_of(words, 11), 11, "pale"))
        x += max(die.width / 2, width_of(words, 11) + 25)
    return shapes


def ruler(die: Box, area: float, whole: str) -> list[str]:
    """A bar of a round length in millimetres, a fifth to a half of the die's width; beside it the die's area."""
    scale = math.sqrt(die.width * die.height / area) / 1e3  # pixels of a millimetre
    most = die.width / scale / 2
    step = 10.0 ** math.floor(math.log10(most))
    length = max(n * step for n in (1, 2, 5) if n * step <= most)
    bar = Box(die.x, die.bottom + 10, scale * length, 3)
    words = f"{length:g} mm, die {whole}"
    return [rectangle(bar, "ink", 0), text(bar.right + 8, die.bottom + 16, words, die.right - bar.right, 11, "pale")]


def tiers(box: Box, part: Figures) -> list[str]:
    """Each tier as a box, joined to the engine by a bar as thick as its bandwidth."""
    count, shapes = len(part["tiers"]), []
    height = min(110.0, (box.height + GAP) / count - GAP)
    top = box.y + (box.height - count * (height + GAP) + GAP) / 2
    for i, (name, tier) in enumerate(part["tiers"].items()):
        here = Box(box.x + BAR, top + i * (height + GAP), box.width - BAR, height)
        thick = thickness(tier["bandwidth"]["value"])
        middle = here.y + here.height / 2
        shapes.append(rectangle(Box(box.x, middle - thick / 2, BAR, thick), "link", 0))
        shapes.append(text(box.x + 10, middle - thick / 2 - 5, told(tier["bandwidth"]), BAR - 14, 12, bold=True))
        shapes.append(rectangle(here, f"tier{i % LOOKS}", edge=True))
        shapes += tier_words(here, name, tier, part["access"][name], part["areas"]["tiers"][name])
    return shapes


def tier_words(box: Box, name: str, tier: Figures, access: Figures, area: Mapping[str, Any]) -> list[str]:
    """Name, size and access of a tier, centred in its box's height."""
    facts = (
        told(access["latency"]),
        told(access["energy"]),
        f"{access['sustained_fraction']['value']:.0%} sustained",
        f"{told(area)} of the die",
    )
    y, room = box.y + box.height / 2, box.width - 28
    return [
        text(box.x + 14, y - 4, f"{name}  {told(tier['capacity'])}", room, 15, bold=True),
        text(box.x + 14, y + 15, "  \u00b7  ".join(facts), room, 12),
    ]


def legend(top: float) -> tuple[list[str], float]:
    """What thickness and shadows mean."""
    shapes, x = [text(MARGIN, top + 14, "Bandwidth, logarithmic:", 170, 11, "pale")], MARGIN + 150
    for label, bandwidth in (("1 GB/s", 1e9), ("100 GB/s", 1e11), ("10 TB/s", 1e13), ("1 PB/s", 1e15)):
        thick = thickness(bandwidth)
        shapes.append(rectangle(Box(x, top + 10 - thick / 2, 44, thick), "link", 0))
        shapes.append(text(x + 50, top + 14, label, 70, 11, "pale"))
        x += 122
    words = "One of each level is drawn, its shadows stand for the others. Blocks of the die are to scale of area."
    return [*shapes, text(MARGIN, top + 40, words, WIDTH - 2 * MARGIN, 11, "pale")], top + 46
