"""The report's closer look at each machine, in a browser: its charts, and what is copied beside the selected point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browsing
from fake_study import study_of
from test_report import written
from test_report_browser import shown

from dse.report.page import write_report

OPERATOR = {"tier": "sram", "operations": 4e9, "bytes": 2e9, "seconds": 1e-3, "share": 0.8, "energy_share": 0.9,
            "intensity": 2.0, "rate": 4e12, "roof": 5e12, "bound": "weights"}  # fmt: skip
PASS = {
    "pass": "decode step",
    "seconds": 1.25e-3,
    "tiers": [{"name": "sram", "sustained": 2.5e12, "peak": 3e12}, {"name": "lpddr", "sustained": 4e10, "peak": 5e10}],
    "peaks": [1e14, 5e13],
    "operators": [OPERATOR | {"name": "head"}, OPERATOR | {"name": "nothing read", "intensity": None, "share": 0.1}],
    "rest": {"exchanges": 0.1, "software": 0.0},
}
MAPPING = {"tensor": 8, "sequence": 1, "attention_data": 1, "expert": 1, "pipeline": 1, "data": 1, "batch": 1,
           "weights": "sram", "cache": "sram"}  # fmt: skip


def row(users: int) -> dict[str, Any]:
    speed = 500 / (1 + users / 16)
    return {"users": users, "tokens_per_second_per_user": speed, "tokens_per_second": users * speed, "power": 4e3,
            "system_cost": 1e5, "cost_per_million_tokens": 5.0 / users, "works": users < 64, "late": users > 16,
            "mapping": MAPPING | {"batch": users}}  # fmt: skip


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    """Three points, of which the first and a baseline were looked at; of the baseline all parts failed."""
    found = study_of(3)
    one = {"chips": 64.0, "curve": [row(2**n) for n in range(8)], "roofline": [PASS], "absent": {}}
    one["mappings"] = {"chosen": MAPPING, "runners_up": [MAPPING | {"tensor": 4, "loses": "cost, 3 % worse"}]}
    one["sources"] = {"rows": [0, 3], "more": [], "chosen": [{"path": "hw.a", "value": "2", "instead": "1"}]}
    lost = {"chips": 8.0, "absent": {"curve": "no <power>", "machine": "nothing"}}
    hurt = {"chips": 8.0, "curve": [row(1) | {"power": None}], "roofline": [PASS | {"seconds": None}], "absent": {}}
    names = [base["name"] for base in found["baselines"]]
    return found | {"details": {"F1": one, names[0]: lost, names[1]: hurt}}


def test_the_sections_stand_without_scripts(tmp_path: Path, study: dict[str, Any]) -> None:
    page, text = written(tmp_path, study)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert "Its curve could not be worked out: no <power>" in page.text("p")
    assert any(cells and cells[0] == "head" and "80.0 %" in cells for cells in page.rows)
    assert "cost, 3 % worse" in text


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, study: dict[str, Any]) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, study)
    return path


def beside(browser: Browser) -> str:
    return browser.run("document.querySelector('#details-of-point').textContent")


def test_browser_draws_the_selected_machine(browser: Browser, report: Path) -> None:
    """Its curve with a mark for each load and a star, its roofline with a dot for each operator that reads."""
    shown(browser, report)
    assert browser.run("document.querySelectorAll('#curves-plot .load-line').length") >= 1
    assert browser.run("document.querySelectorAll('#curves-plot .mark.load').length") >= 3
    assert browser.run("document.querySelectorAll('#roofline-plot-0 .operator').length") == 2
    assert browser.run("document.querySelectorAll('#roofline-plot-0 .roof').length") == 3
    assert "all 2 numbers" in beside(browser)
    assert "cost, 3 % worse" in beside(browser)


def test_parts_stay_open_from_machine_to_machine(browser: Browser, report: Path) -> None:
    """Those of the chosen point and of the baseline that it is held against, side by side."""
    shown(browser, report)
    fold = "document.querySelector('#details-of-point details')"
    assert browser.run("document.querySelectorAll('#details-of-point details[open]').length") == 0
    browser.run(f"{fold}.querySelector('summary').click()")
    title = browser.run(f"{fold}.querySelector('summary').textContent")
    browser.wait(f"openParts.has('{title}')")
    browser.run("select('Server of today'); select('F1')")
    assert browser.run("document.querySelectorAll('#details-of-point details[open]').length") == 1
    assert browser.run("document.querySelectorAll('.closely').length") == 3
    assert not browser.run("document.querySelector('.closely').checkVisibility()")


def test_curves_have_colours_for_those_that_are_chosen(browser: Browser, report: Path) -> None:
    """A name greys its line and colours it again; baselines are dashed."""
    shown(browser, report)
    stroke = "document.querySelector('#curves-plot .load-line[data-name=\"F1\"]').style.stroke"
    assert browser.run(stroke) == "var(--line-0)"
    browser.click("#curves-legend button")
    assert browser.run(stroke) == "var(--infeasible)"
    assert browser.run("document.querySelector('#curves-legend button').getAttribute('aria-pressed')") == "false"
    browser.key("Enter")
    assert browser.run(stroke) == "var(--line-0)"
    assert "F1" in browser.run("document.querySelector('#curves-plot .names').textContent")


def test_browser_says_that_a_machine_was_not_looked_at(browser: Browser, report: Path) -> None:
    shown(browser, report)
    browser.run("select('F2')")
    assert "F2 is not among the machines" in beside(browser)


def test_a_load_is_pressed_and_its_machine_selected(browser: Browser, report: Path) -> None:
    shown(browser, report, 390)
    browser.run("select('F2'); document.querySelector('#curves-plot .mark.load').dispatchEvent(new Event('click'))")
    assert browser.run("document.querySelector('#pick').value") != "F2"
