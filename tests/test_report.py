"""The report: whole without scripts, nothing from elsewhere, nothing that breaks out of its place."""

from __future__ import annotations

import copy
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fake_study import OBJECTIVES, PARTS, PATHS, study_of

from dse.report.assets.markup import element, number, words
from dse.report.assumptions import linked
from dse.report.causes import percent, signed
from dse.report.page import write_report

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """The page as a reader without scripts has it: tags with their text, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.links: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.rows: list[list[str]] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        keys = dict(attrs)
        self.ids += [keys["id"] or ""] if "id" in keys else []
        found = [keys[key] or "" for key in ("src", "href", "srcset", "data", "action") if key in keys]
        if tag == "a":  # goes somewhere when pressed, loads nothing
            self.links += found
        else:
            self.addresses += found
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    def text(self, tag: str) -> str:
        return " ".join(self.texts.get(tag, []))


def written(folder: Path, study: dict) -> tuple[Page, str]:
    """The page, and its source without the scripts' library."""
    file = folder / "report.html"
    write_report(file, study)
    text = file.read_text(encoding="utf-8")
    return Page(text), text


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return study_of()


@pytest.fixture(scope="module")
def page(study: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Page:
    return written(tmp_path_factory.mktemp("report"), study)[0]


def test_page_is_whole_and_loads_nothing(page: Page) -> None:
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.addresses == []
    inside = [link.removeprefix("#") for link in page.links if link.startswith("#")]
    assert set(inside) <= set(page.ids)
    assert all(link.startswith(("#", "https://")) for link in page.links)
    assert "@import" not in page.text("style")
    assert "url(" not in page.text("style")


def test_every_point_is_a_row_with_its_values(page: Page, study: dict[str, Any]) -> None:
    rows = {row[0]: row for row in reversed(page.rows) if row}
    for one in study["front"]:
        row = rows[one["name"]]
        assert row[1] == number(one["metrics"]["tokens_per_second_per_user"])
        assert row[2] == number(1e3 * one["metrics"]["energy_per_token"])
        assert one["parameters"]["hw/fabric"] in row
        assert row[-1] == f"{one['chance']['front']:.3g}"


def test_heads_carry_units(page: Page) -> None:
    heads = next(row for row in page.rows if row and row[0].startswith("point"))
    expected = {"tokens per second per user": "token/s", "energy per token": "mJ/token", "frequency": "GHz"}
    for name, unit in expected.items():
        assert any(name in head and head.endswith(unit) for head in heads), f"{name} without {unit} in {heads}"


def test_baselines_and_limits_are_named(page: Page) -> None:
    rows = {row[0]: row for row in page.rows if row}
    assert rows["keeps the constraints"] == ["keeps the constraints", "", "yes", "no: memory short by 2.1 GB"]
    assert rows["memory"][1] == "GB"
    assert rows["memory"][3] == "short by 2.10"


def test_assumptions_are_listed_and_counted(page: Page, study: dict[str, Any]) -> None:
    listed = [row for row in page.rows if len(row) == 5 and row[1].startswith("hw.chip.engine.quantity_")]
    assert len(listed) == len(study["assumptions"])
    assert "75 published" in page.text("p")


def test_parameters_in_common_are_said_once(page: Page) -> None:
    assert "All 12 points share hw.chip.engine.cores = 256, format = mxint8." in page.text("p")
    assert "All 12 points share of the mapping tensor = 8, pipeline = 8" in page.text("p")


def test_nothing_breaks_out_of_its_place(tmp_path: Path, study: dict[str, Any]) -> None:
    hostile = "</script><b>bold</b>\"' onclick=x &amp; ${title} $$"
    evil = copy.deepcopy(study)
    evil["front"][0]["parameters"]["hw/fabric"] = hostile
    evil["baselines"][0]["name"] = hostile
    evil["assumptions"][0]["cite"] = hostile
    evil |= {"title": hostile, "question": hostile, "finding": [hostile], "command": hostile}
    page, text = written(tmp_path, evil)
    assert page.open == []
    assert "b" not in page.texts
    assert hostile in page.text("h1")
    assert text.count("</script>") == 3
    data = json.loads(re.search(r'<script type="application/json" id="study">(.*?)</script>', text).group(1))  # type: ignore[union-attr]
    assert data["points"][0]["parameters"]["hw/fabric"] == hostile


def test_missing_values_are_dashes(tmp_path: Path, study: dict[str, Any]) -> None:
    holes = copy.deepcopy(study)
    holes["front"][0]["metrics"] |= {"energy_per_token": math.nan, "cost_per_million_tokens": None}
    page, text = written(tmp_path, holes)
    row = next(row for row in page.rows if row and row[0] == "F1")
    assert row[2:4] == ["\u2013", "\u2013"]
    assert "NaN" not in text[text.index('id="study"') : text.index("</script>", text.index('id="study"'))]


def test_empty_front_says_so(tmp_path: Path, study: dict[str, Any]) -> None:
    none = study | {"front": [], "counts": study["counts"] | {"front": 0}}
    page, _ = written(tmp_path, none)
    assert "The front is empty" in page.text("p")
    near = [one | {"violations": "memory short by 2.1 GB"} for one in study["front"][:3]]
    page, _ = written(tmp_path, none | {"nearest": near})
    row = next(row for row in page.rows if row and row[0] == "F1")
    assert row[1] == "memory short by 2.1 GB"


@pytest.mark.parametrize("count", [1, 4])
def test_any_number_of_objectives(tmp_path: Path, study: dict[str, Any], count: int) -> None:
    extra = {"name": "system_cost", "sense": "minimize", "unit": "USD", "means": "build cost times markup"}
    page, _ = written(tmp_path, study | {"objectives": [*OBJECTIVES, extra][:count]})
    assert page.open == []


def test_without_scripts_the_front_is_drawn_and_every_cause_is_told(page: Page, study: dict[str, Any]) -> None:
    drawn = set(page.texts["text"])
    assert {one["name"] for one in study["baselines"]} <= drawn
    assert {
        "tokens per second per user (token/s), more is better",
        "energy per token (mJ/token), less is better",
    } <= drawn
    rows = [row for row in page.rows if row and row[0] == "F3"]
    heads = [row for row in page.rows if row and row[0] == "point"]
    for section, names in PARTS.items():
        assert any(head[2:] == [words(name) for name in names] for head in heads), f"no table of {section}"
        told = [percent(study["front"][2][section][name]) for name in names]
        assert any(row[2:] == told for row in rows), f"no row of {section}"


def test_slopes_are_told_without_scripts(page: Page, study: dict[str, Any]) -> None:
    slope = study["front"][0]["sensitivity"]["elasticities"]["energy_per_token"][PATHS[0]]
    assert any(row and row[0] == PATHS[0] and signed(10 * slope) in row for row in page.rows)


@pytest.mark.parametrize(
    ("source", "link"),
    [
        ("Data sheet, https://example.org/a, 2025", "https://example.org/a"),
        ("Chiplet Actuary, DAC 2022, arXiv 2203.12268", "https://arxiv.org/abs/2203.12268"),
        ("US patent 12,260,223 B2, claim 1", "https://patents.google.com/patent/US12260223B2"),
        ("somebody/something@095f58a, measurements", "https://github.com/somebody/something/tree/095f58a"),
        ("Chapter 3, doi 10.1109/ICCAD57390.2023.1", "https://doi.org/10.1109/ICCAD57390.2023.1"),
        ("assumed: as in the smaller part", None),
    ],
)
def test_a_source_that_names_an_address_is_a_link(source: str, link: str | None) -> None:
    found = Page(linked(source))
    assert found.links == ([link] if link else [])
    assert link or found.text("span") == source


SECTIONS = sorted(set(study_of(2, 4)) - {"front"})


@pytest.mark.parametrize("missing", [*SECTIONS, "all of them"])
def test_a_study_without_a_section_still_shows_the_rest(tmp_path: Path, missing: str) -> None:
    whole = study_of(3, 10)
    kept = {key: value for key, value in whole.items() if key != missing and missing != "all of them"}
    page, _ = written(tmp_path, kept)
    assert page.open == []
    rows = {row[0] for row in page.rows if row}
    assert missing == "all of them" or {"F1", "F2", "F3"} <= rows


INSIDE = (
    "parameters",
    "headroom",
    "shares",
    "mapping",
    "bounds",
    "chance",
    "sensitivity",
    "command",
    "metrics",
    "name",
)


@pytest.mark.parametrize("missing", INSIDE)
def test_points_of_an_older_study_are_shown(tmp_path: Path, missing: str) -> None:
    old = study_of(3, 10)
    for point in (*old["front"], *old["baselines"]):
        point.pop(missing, None)
    page, _ = written(tmp_path, old)
    assert page.open == []
    assert "The front" in page.text("h2")


def test_an_empty_study_is_a_page(tmp_path: Path) -> None:
    page, text = written(tmp_path, {})
    assert page.open == []
    assert "There is nothing to draw." in page.text("figcaption")
    assert "A study" in page.text("h1")
    assert "Traceback" not in text


def test_numbers_are_short() -> None:
    values = {
        0: "0",
        1.2: "1.20",
        999.9: "1,000",
        123456: "123,456",
        1.5e9: "1.50e9",
        2e-5: "2.00e-5",
        -3.14159: "\u22123.14",
    }
    assert {value: number(value) for value in values} == values
    assert number(math.inf) == number(None) == "\u2013"


def test_elements_escape_what_is_plain() -> None:
    assert element("p", "<b>", element("i", "&"), class_='"') == '<p class="&quot;">&lt;b&gt;<i>&amp;</i></p>'
