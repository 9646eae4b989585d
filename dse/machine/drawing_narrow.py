"""The same machine as `machine/drawing.py` draws, for a page as narrow as a telephone: what stands beside, below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dse.machine.drawing import LOOKS, counted, floorplan, summary, thickness, told
from dse.machine.svg import Box, document, rectangle, text, width_of

WIDTH, PAD, LINE, DIE, SMALL = 390.0, 8.0, 16.0, 240.0, 11.0

Figures = Mapping[str, Any]


def narrow_drawing(name: str, formats: str, figures: Figures) -> str:
    """The machine as a self-contained SVG of 390 pixels, from its plain figures."""
    parts = [*reversed(figures["levels"].items()), ("chip", figures["chip"])]
    shapes, bottom = nested(Box(0, 0, WIDTH, 0), parts, formats, 1)
    return document(WIDTH, bottom, f"{name}: levels, links, chip and memory tiers", shapes)


def nested(box: Box, parts: Sequence[tuple[str, Figures]], formats: str, copies: float) -> tuple[list[str], float]:
    """The outermost of `parts` with everything inside it; shapes and bottom."""
    (name, part), inside = parts[0], parts[1:]
    label = f"{name}  × {copies:,.0f}" if copies > 1 else name
    shapes = [text(box.x + PAD, box.y + LINE, label, box.width - 2 * PAD, 13, bold=True)]
    phrases = summary(part, formats)
    if not inside:
        phrases = [counted(part["cores"], "core") + f" at {told(part['frequency'])}", *phrases]
    lines, bottom = written(box, box.y + LINE, phrases)
    if inside:
        found = part["link"]
        phrases = [f"link: {told(found['bandwidth'])} a part and direction", told(found["latency"])]
        more, bottom = written(box, bottom, phrases if part["fanout"]["value"] > 1 else [])
        within, bottom = nested(
            Box(box.x + PAD, bottom + PAD, box.width - 2 * PAD, 0), inside, formats, part["fanout"]["value"]
        )
    else:
        more, bottom = [], bottom + PAD
        within, bottom = chip(Box(box.x + PAD, bottom, box.width - 2 * PAD, 0), part)
    look = "odd" if len(parts) % 2 else "even"
    ground = rectangle(box._replace(height=bottom + PAD - box.y), look, edge=True)
    return [ground, *shapes, *lines, *more, *within], bottom + PAD


def written(box: Box, top: float, phrases: Sequence[str]) -> tuple[list[str], float]:
    """Phrases in as many lines as they take; shapes and the last line's foot."""
    room, lines = box.width - 2 * PAD, [""]
    for phrase in phrases:
        joined = f"{lines[-1]}  ·  {phrase}" if lines[-1] else phrase
        if lines[-1] and width_of(joined, SMALL) > room:
            lines.append(phrase)
        else:
            lines[-1] = joined
    kept = [line for line in lines if line]
    shapes = [text(box.x + PAD, top + LINE * (i + 1), line, room, SMALL, "pale") for i, line in enumerate(kept)]
    return shapes, top + LINE * len(kept)


def chip(box: Box, part: Figures) -> tuple[list[str], float]:
    """The die with its blocks, and under it the tiers that its engine reads, each with the bar of its bandwidth."""
    die = Box(box.x + (box.width - DIE) / 2, box.y + 2, DIE, DIE * 0.7)
    shapes = floorplan(die, part["areas"], told(part["silicon_area"]), part["silicon_area"]["value"])
    top = die.bottom + 50
    for i, (name, tier) in enumerate(part["tiers"].items()):
        here = Box(box.x, top, box.width, 3 * LINE + 8)
        thick = thickness(tier["bandwidth"]["value"])
        access = part["access"][name]
        facts = (
            told(access["latency"]),
            told(access["energy"]),
            f"{access['sustained_fraction']['value']:.0%} sustained",
        )
        shapes += [
            rectangle(here, f"tier{i % LOOKS}", edge=True),
            rectangle(Box(here.x, here.y, max(2.0, thick / 2), here.height), "link", 0),
            text(here.x + 16, here.y + LINE, f"{name}  {told(tier['capacity'])}", here.width - 24, 13, bold=True),
            text(here.x + 16, here.y + 2 * LINE, f"{told(tier['bandwidth'])} to the engine", here.width - 24, SMALL),
            text(here.x + 16, here.y + 3 * LINE, "  ·  ".join(facts), here.width - 24, SMALL),
        ]
        top = here.bottom + 6
    return shapes, top
