"""Colours of the pages against each other, from the style sheet: WCAG 2.2, AA, in both themes."""

from __future__ import annotations

import itertools
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
    names = [*DRAWN, *(name for name in colours if name.startswith(("cause-", "kind-")))]
    weak = {name: contrast(colours[name], colours["ground"]) for name in names}
    assert {name: found for name, found in weak.items() if found < GRAPHIC} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_text_on_bars_can_be_read(theme: str) -> None:
    colours = THEMES[theme]
    causes = [name.removeprefix("cause-") for name in colours if name.startswith("cause-")]
    assert len(causes) > 20
    weak = {name: contrast(colours[f"on-{name}"], colours[f"cause-{name}"]) for name in causes}
    assert {name: found for name, found in weak.items() if found < TEXT} == {}


def test_every_cause_has_its_colour() -> None:
    from fake_study import PARTS

    causes = {cause for names in PARTS.values() for cause in names}
    assert {cause for cause in causes if f"cause-{cause}" not in THEMES["light"]} == set()
