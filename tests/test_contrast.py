"""Colours of the pages against each other, from the style sheet: WCAG 2.2, AA, in both themes."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from dse.report.assets.markup import ASSETS

STYLE = (ASSETS / "page.css").read_text(encoding="utf-8")
TEXT, GRAPHIC = 4.5, 3.0  # success criteria 1.4.3 for text, 1.4.11 for what is drawn and for the edges of controls
ON_THE_PAGE = ("ink", "muted", "accent", "bad", "good")
DRAWN = ("accent", "edge", "baseline", "feasible", "infeasible", "good", "bad")
VARIABLE = re.compile(r"--([\w-]+):\s*(#[0-9a-f]{6})\b")


def themes() -> dict[str, dict[str, str]]:
    """The colours of each theme by name; the dark one replaces some of the light."""
    dark = re.search(r"@media screen and \(prefers-color-scheme: dark\) \{(.*?)\n\}", STYLE, re.DOTALL)
    assert dark
    light = dict(VARIABLE.findall(STYLE.replace(dark.group(0), "")))
    return {"light": light, "dark": light | dict(VARIABLE.findall(dark.group(1)))}


THEMES = themes()


def luminance(colour: str) -> float:
    """Relative luminance of a colour of sRGB."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_what_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the usual example that just fails


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "ground"), list(itertools.product(ON_THE_PAGE, ("ground", "panel", "picked"))))
def test_text_can_be_read(theme: str, text: str, ground: str) -> None:
    colours = THEMES[theme]
    assert contrast(colours[text], colours[ground]) >= TEXT


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_drawn_stands_out(theme: str) -> None:
    colours = THEMES[theme]
    names = [*DRAWN, *(name for name in colours if name.startswith(("cause-", "kind-", "line-")))]
    weak = {name: contrast(colours[name], colours["ground"]) for name in names}
    assert {name: found for name, found in weak.items() if found < GRAPHIC} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_text_on_bars_can_be_read(theme: str) -> None:
    colours = THEMES[theme]
    causes = [name.removeprefix("cause-") for name in colours if name.startswith("cause-")]
    assert len(causes) > 20
    weak = {name: contrast(colours[f"on-{name}"], colours[f"cause-{name}"]) for name in causes}
    assert {name: found for name, found in weak.items() if found < TEXT} == {}


SEEN = {  # linear sRGB as it is seen: by most, without long cones, without middle ones (Machado et al. 2009)
    "most": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanope": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranope": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}


def oklab(colour: str, seen: str) -> list[float]:
    """A colour as it is seen, where distances are alike in all directions (Ottosson 2020)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    red, green, blue = (min(max(sum(map(float.__mul__, row, linear)), 0.0), 1.0) for row in SEEN[seen])
    cones = [
        (a * red + b * green + c * blue) ** (1 / 3)
        for a, b, c in (
            (0.4122214708, 0.5363325363, 0.0514459929),
            (0.2119034982, 0.6806995451, 0.1073969566),
            (0.0883024619, 0.2817188376, 0.6299787005),
        )
    ]
    rows = (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
    return [sum(map(float.__mul__, row, cones)) for row in rows]


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("theme", THEMES)
def test_lines_are_told_apart_by_all_eyes(theme: str, seen: str) -> None:
    """0.1 of the way from black to white is several times what is just noticed."""
    lines = [colour for name, colour in THEMES[theme].items() if name.startswith("line-")]
    assert len(lines) == 6
    near = min(math.dist(oklab(a, seen), oklab(b, seen)) for a, b in itertools.combinations(lines, 2))
    assert near > 0.1


def test_every_cause_has_its_colour() -> None:
    from fake_study import PARTS

    causes = {cause for names in PARTS.values() for cause in names}
    assert {cause for cause in causes if f"cause-{cause}" not in THEMES["light"]} == set()
