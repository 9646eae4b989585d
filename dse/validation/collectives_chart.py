"""The picture of measured collectives against modelled ones: a panel for each machine and collective."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 230, 62, 64, 56  # of a panel and of what is around it
COLOURS = {2: "#3b6fb6", 4: "#c8562b", 8: "#3f8f55"}
SIZES, SECONDS = (3.0, 9.0), (-5.6, -2.0)  # decades of both axes


Curves = dict[tuple[Any, ...], list[tuple[float, float]]]  # by machine, operation, parts and whose protocols


def draw(found: list[tuple[Any, float]], curves: Curves, folder: Path) -> Path:
    """collectives.svg of the measured rows as points and the modelled curves as lines."""
    panels = sorted({(row.machine, row.operation) for row, _ in found})
    machines = sorted({machine for machine, _ in panels})
    operations = sorted({operation for _, operation in panels})
    size = (LEFT + len(operations) * (WIDTH + GAP), TOP + len(machines) * (HEIGHT + TOP))
    words = [_legend()]
    for machine, operation in panels:
        x = LEFT + operations.index(operation) * (WIDTH + GAP)
        y = TOP + machines.index(machine) * (HEIGHT + TOP)
        points = [row for row, _ in found if (row.machine, row.operation) == (machine, operation)]
        lines = {key: line for key, line in curves.items() if key[:2] == (machine, operation)}
        words.append(f'<g transform="translate({x} {y})">{_panel(f"{machine} {operation}", points, lines)}</g>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" font-family="sans-serif">'
    path = folder / "collectives.svg"
    path.write_text("\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *words, "</svg>\n"]))
    return path


def _x(size: float) -> float:
    return WIDTH * (math.log10(size) - SIZES[0]) / (SIZES[1] - SIZES[0])


def _y(seconds: float) -> float:
    return HEIGHT * (SECONDS[1] - math.log10(seconds)) / (SECONDS[1] - SECONDS[0])


def _text(x: float, y: float, words: str, anchor: str = "start", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#333">{words}</text>'


def _panel(title: str, points: list[Any], lines: Curves) -> str:
    words = [_text(0, -8, title.replace("_", " "), size=13), _axes()]
    for key, line in lines.items():
        path = " ".join(f"{_x(size):.1f},{_y(seconds):.1f}" for size, seconds in line)
        dash = ' stroke-dasharray="4 3"' if key[3] == "kernel" else ""
        words.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[key[2]]}"{dash}/>')
    return "\n".join(words + [_mark(_x(row.size), _y(row.seconds), row) for row in points])


def _mark(x: float, y: float, row: Any) -> str:
    """A ring for fitted rows, a disc for held-out ones, a square for another laboratory's."""
    colour = COLOURS[row.parts]
    if row.by == "elsewhere":
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="none" stroke="black"/>'
    fill = "white" if row.role == "fit" else colour
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{fill}" stroke="{colour}"/>'


def _axes() -> str:
    words = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>']
    for decade, name in ((3, "1 kB"), (6, "1 MB"), (9, "1 GB")):
        words.append(_text(_x(10.0**decade), HEIGHT + 14, name, "middle", 10))
    for decade, name in ((-5, "10 us"), (-4, "100 us"), (-3, "1 ms"), (-2, "10 ms")):
        y = _y(10.0**decade)
        words += [f'<line x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e3e3"/>', _text(-5, y + 3, name, "end", 10)]
    return "\n".join(words)


def _legend() -> str:
    words, x = [], float(LEFT)
    for parts, colour in COLOURS.items():
        words += [
            f'<line x1="{x}" x2="{x + 24}" y1="18" y2="18" stroke="{colour}"/>',
            _text(x + 30, 22, f"{parts} parts"),
        ]
        x += 100
    told = "lines: modelled (dashed: with the short all-reduce kernel); rings: fitted rows; discs: held out; "
    return "\n".join([*words, _text(x, 22, told + "squares: another laboratory, 4 parts")])


def sizes() -> Any:
    """Where the curves are drawn."""
    return np.logspace(*SIZES, 121)
