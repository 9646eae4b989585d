"""Shapes and texts of a picture, as SVG; colours are classes, so that the picture suits light and dark pages."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

NARROW, USUAL, WIDE, SQUARE = 0.36, 0.6, 0.92, 1.05  # widths over the size of the font, rather too much than too little
INK, PALE = ("#1b2631", "#e8edf2"), ("#5a6876", "#9fb0c0")
COLOURS = {  # class -> fill on light and on dark pages
    "page": ("#ffffff", "#14191f"), "ink": INK, "pale": PALE, "even": ("#f3f6f9", "#1b222a"),
    "odd": ("#ffffff", "#242d37"), "link": ("#d9822b", "#d98a3d"), "engine": ("#f2cf73", "#8a6a1e"),
    "rest": ("#d5dde5", "#44505c"), "tier0": ("#8fbce8", "#33689c"), "tier1": ("#8fd1bd", "#2f7a66"),
    "tier2": ("#c3abdf", "#6b4f93"), "tier3": ("#e6a3b8", "#94506a"),
}  # fmt: skip


class Box(NamedTuple):
    """A rectangle of the picture, pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


def style() -> str:
    """The style sheet: colours of light pages, then those of dark ones."""
    light, dark = (
        "".join(f".{name}{{fill:{pair[i]}}}" for name, pair in COLOURS.items()) + f".edge{{stroke:{PALE[i]}}}"
        for i in range(2)
    )
    fonts = "text{font-family:Helvetica,Arial,'Liberation Sans',sans-serif}"
    return f"<style>{fonts}{light}@media (prefers-color-scheme:dark){{{dark}}}</style>"


def inline(picture: str) -> str:
    """A picture for the inside of a page: as wide as its frame, its colours by the page's own style (`frame_style`)."""
    bare = re.sub(r"<style>.*?</style>", "", picture, count=1, flags=re.DOTALL)
    return re.sub(r' width="[\d.]+" height="[\d.]+"', "", bare, count=1)


def frame_style(frame: str) -> str:
    """Colours of pictures inside elements of a class, on light pages, dark ones and paper."""
    light, dark = (
        "".join(f"{before} .{frame} .{name}{{fill:{pair[i]}}}" for name, pair in COLOURS.items())
        + f"{before} .{frame} .edge{{stroke:{PALE[i]}}}"
        for i, before in enumerate(("", ":root:not([data-print])"))
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{{dark}}}"


def rectangle(box: Box, look: str, radius: float = 4, edge: bool = False) -> str:
    """A filled rectangle, with an outline where `edge`."""
    where = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
    return f'<rect {where} rx="{radius:g}" class="{look}{" edge" if edge else ""}"/>'


def text(x: float, y: float, words: str, room: float, size: float = 12, look: str = "ink", bold: bool = False) -> str:
    """A line of text that starts at x, cut with an ellipsis where it would be wider than `room`."""
    shown = fitted(words, room, size)
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{weight} class="{look}">{escape(shown)}</text>'


def fitted(words: str, room: float, size: float) -> str:
    """As much of a text as `room` pixels hold, with an ellipsis where something is cut."""
    if width_of(words, size) <= room:
        return words
    kept = words
    while kept and width_of(f"{kept}\u2026", size) > room:
        kept = kept[:-1]
    return f"{kept.rstrip()}\u2026" if kept else ""


def width_of(words: str, size: float) -> float:
    """Pixels that a text takes at most in a bold sans-serif font."""
    return size * sum(map(letter, words))


def letter(one: str) -> float:
    """The width of a letter over the size of its font."""
    if ord(one) > 0x2FFF:
        return SQUARE
    if one in "mwMW@%GOQCDHNU&\u2026":
        return WIDE
    return NARROW if one in " .,:;'|!il\u00b7()[]/" else USUAL


def divided(box: Box, areas: Sequence[tuple[str, float]]) -> list[tuple[str, Box]]:
    """Blocks of a box in the ratio of the areas, [(name, area)], largest first: halved across the longer side."""
    whole = sum(area for _, area in areas)
    if whole <= 0 or not areas:
        return []
    if len(areas) == 1:
        return [(areas[0][0], box)]
    taken, cut = areas[0][1], 1
    while cut < len(areas) - 1 and taken + areas[cut][1] <= whole / 2:
        taken, cut = taken + areas[cut][1], cut + 1
    first, second = split(box, taken / whole)
    return divided(first, areas[:cut]) + divided(second, areas[cut:])


def split(box: Box, share: float) -> tuple[Box, Box]:
    """Two parts of a box across its longer side, the first with `share` of it."""
    if box.width >= box.height:
        part = box.width * share
        return box._replace(width=part), Box(box.x + part, box.y, box.width - part, box.height)
    part = box.height * share
    return box._replace(height=part), Box(box.x, box.y + part, box.width, box.height - part)


def document(width: float, height: float, title: str, shapes: Sequence[str]) -> str:
    """The whole picture."""
    height = math.ceil(height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" '
        f'height="{height}" role="img"><title>{escape(title)}</title>{style()}'
    )
    return "\n".join([head, rectangle(Box(0, 0, width, height), "page", 0), *shapes, "</svg>\n"])
