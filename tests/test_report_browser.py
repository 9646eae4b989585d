"""The report as a reader uses it: pressed, walked through by keys, limited along axes, in small windows, on paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browsing
from fake_study import study_of

from dse.report.page import write_report

READY = "document.body.dataset.ready || document.body.dataset.error"
CHART = "#front-plot svg"
FOCUS = "document.activeElement"
WIDTH = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, study_of())
    return path


@pytest.fixture
def page(browser: Browser, report: Path) -> Browser:
    shown(browser, report)
    return browser


def shown(browser: Browser, report: Path, width: int = 1440, fragment: str = "", **media: str) -> None:
    """The report with its scripts run, and nothing to complain of."""
    browser.said.clear()
    browser.open(report, width, 1000, fragment, **media)
    browser.wait(READY)
    assert browser.said == []
    assert browser.run("document.body.dataset.error") is None


def selected(browser: Browser) -> str:
    """The point that the page says is selected; its parts agree."""
    name = browser.run("document.querySelector('#pick').value")
    assert name in browser.run("document.querySelector('#selected-note').textContent")
    marks = all_of(browser, f"{CHART} .mark[aria-pressed=true]", "dataset.name")
    assert set(marks) <= {name}
    return name


def all_of(browser: Browser, selector: str, what: str) -> list[Any]:
    """A property of every element that a selector finds."""
    return browser.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.{what})")


def choose(browser: Browser, selector: str, value: str) -> None:
    """Choose an option."""
    browser.run(
        f"(() => {{ const one = document.querySelector('{selector}'); one.value = '{value}'; "
        "one.dispatchEvent(new Event('change')); })()"
    )


def mark(name: str) -> str:
    return f'{CHART} .mark[data-name="{name}"] .hit'


@pytest.mark.parametrize(
    ("width", "scheme", "case"),
    [(390, "light", {}), (1440, "dark", {}), (1440, "light", {"count": 1}), (390, "dark", {"count": 200})],
)
def test_every_chart_is_drawn_within_the_window(
    browser: Browser, tmp_path: Path, width: int, scheme: str, case: dict[str, int]
) -> None:
    write_report(tmp_path / "report.html", study_of(**case))
    shown(browser, tmp_path / "report.html", width, prefers_color_scheme=scheme)
    assert browser.run(WIDTH) <= 0
    for name in ("front", "causes", *(["parallel"] if case.get("count") != 1 else [])):
        assert browser.run(f"document.querySelectorAll('#{name}-plot svg *').length") > 10, name
    assert browser.run("document.querySelectorAll('#cause-charts figure').length") == 6
    assert browser.run("document.querySelectorAll('#tornado-charts figure').length") == 3
    assert "NaN" not in browser.run("document.querySelector('main').innerHTML")
    assert "undefined" not in browser.run("document.querySelector('main').textContent")


def test_a_mark_that_is_pressed_is_selected(page: Browser) -> None:
    page.run("document.addEventListener('pointselected', (event) => { window.told = event.detail.name; })")
    page.click(mark("F4"))
    assert selected(page) == "F4"
    assert page.run("window.told") == "F4"
    assert page.run("document.querySelector('#front-table tr[aria-current=true]').dataset.point") == "F4"
    assert page.run("location.hash") == "#F4"
    assert page.run("document.querySelector('#command').textContent").startswith("dse task=evaluate")
    page.click(mark("Server of today"))
    assert selected(page) == "Server of today"
    assert page.said == []


def test_marks_are_walked_by_keys(page: Browser) -> None:
    page.run(f"document.querySelector('{CHART} .mark[tabindex=\"0\"]').focus()")
    assert page.run("document.activeElement.dataset.name") == "F1"
    page.key("End")
    last = page.run("document.activeElement.dataset.name")
    assert last == "F12"
    page.key("ArrowLeft", 2)
    page.key("Enter")
    assert selected(page) == "F10"
    assert page.run("document.activeElement.dataset.name") == "F10"
    assert not page.run("document.querySelector('#tip').hidden")
    page.key("ArrowUp")
    assert page.run("document.activeElement.dataset.name") not in ("F10", None)


def test_every_control_is_reached_and_shows_its_focus(page: Browser) -> None:
    """Tab by Tab from the top; what has the focus has an outline, or its own ring."""
    seen = set()
    for _ in range(48):
        page.key("Tab")
        seen.add(page.run(f"{FOCUS}.id || {FOCUS}.className?.baseVal || {FOCUS}.tagName"))
        own = page.run(f"getComputedStyle({FOCUS}).outlineStyle + getComputedStyle({FOCUS}).outlineWidth")
        ring = page.run(
            f"{FOCUS}.querySelector('.hit') ? getComputedStyle({FOCUS}.querySelector('.hit')).stroke : '{own}'"
        )
        assert ring not in ("none0px", "none", "")
    assert {"axis-x", "log-x", "axis-y", "colour", "frame", "spread", "save", "pick", "against", "next"} <= seen
    assert any("mark" in one for one in seen)
    assert any("handle" in one for one in seen)


def test_limits_of_an_axis_leave_points_out_everywhere(page: Browser) -> None:
    kept = "document.querySelector('#parallel-line').textContent"
    assert page.run(kept).startswith("All 12 points on ")
    handle = '#parallel-plot .handle[data-axis="metrics:tokens_per_second_per_user"][data-end="0"]'
    page.run(f"document.querySelector('{handle}').focus()")
    page.key("ArrowRight", 25)
    text = page.run(kept)
    count = int(text.split(" of 12 points")[0])
    assert 0 < count < 12
    for place in (f"{CHART} .mark.out", "#parallel-plot .trace.out", "#front-table tr.out", "#causes-plot .out"):
        found = page.run(
            f"new Set([...document.querySelectorAll('{place}')].map((one) => one.textContent + one.dataset.name)).size"
        )
        assert found == 12 - count, place
    assert page.run("document.activeElement.getAttribute('role')") == "slider"
    page.key("Escape")
    assert page.run(kept).startswith("All 12 points on ")


def test_a_range_is_dragged_along_an_axis(page: Browser) -> None:
    catcher = '#parallel-plot .catch[data-axis="parameters:hw/fabric"]'
    page.run(f"document.querySelector('{catcher}').scrollIntoView({{block: 'center'}})")
    box = page.run(f"document.querySelector('{catcher}').getBoundingClientRect().toJSON()")
    middle = box["y"] + box["height"] / 2
    page.drag([(box["x"] + 0.8 * box["width"], middle), (box["x"] + 0.9 * box["width"], middle),
               (box["x"] + box["width"] - 2, middle)])  # fmt: skip
    assert "hw/fabric from switched to switched" in page.run("document.querySelector('#parallel-line').textContent")
    page.click("#clear-limits")
    assert page.run("document.querySelectorAll('.trace.out').length") == 0


def test_any_two_metrics_are_axes(page: Browser) -> None:
    for axis, name in (("x", "system_cost"), ("y", "power")):
        choose(page, f"#axis-{axis}", name)
    titles = all_of(page, f"{CHART} .axis-title", "textContent")
    assert titles[0].startswith("system cost (")
    assert titles[1].startswith("power (")
    assert "known by the objectives alone" in page.run("document.querySelector('#front-line').textContent")


def test_spreads_are_drawn_as_asked(page: Browser) -> None:
    for kind, count in (("ellipses", 12), ("crosses", 12), ("selected", 1), ("none", 0)):
        choose(page, "#spread", kind)
        assert page.run(f"document.querySelector('{CHART}').querySelectorAll('.spread').length") == count


def test_a_rectangle_is_the_frame_until_escape(page: Browser) -> None:
    page.run(f"document.querySelector('{CHART}').scrollIntoView({{block: 'center'}})")
    box = page.run(f"document.querySelector('{CHART} .catch').getBoundingClientRect().toJSON()")
    before = page.run(f"document.querySelector('{CHART} .tick-text').textContent")
    page.drag([(box["x"] + 5, box["y"] + 5), (box["x"] + 100, box["y"] + 100),
               (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)])  # fmt: skip
    assert page.run("state.zoom !== null")
    page.key("Escape")
    assert page.run("state.zoom === null")
    assert page.run(f"document.querySelector('{CHART} .tick-text').textContent") == before


def test_a_baseline_is_picked_and_differences_are_marked(page: Browser) -> None:
    choose(page, "#against", "Server of today")
    rows = [row.split("\t") for row in all_of(page, "#parameters tbody tr", "innerText.replaceAll('\\n', '')")]
    told = {row[0]: row[1:] for row in rows}
    assert told["hw.chip.engine.cores"] == ["256", "256", ""]
    assert told["hw/fabric"][1:] == ["\u2013", "\u2260"]
    assert "The runner-up loses: time per output token 20 % worse." in page.run(
        "document.querySelector('#mapping-line').textContent"
    )


OVERLAPS = """(() => {
  const across = (p, q) => Math.min(p.right, q.right) > Math.max(p.x, q.x);
  const along = (p, q) => Math.min(p.bottom, q.bottom) > Math.max(p.y, q.y);
  return [...document.querySelectorAll('#front-plot svg')].flatMap((one) => {
    const texts = [...one.querySelectorAll('.names text')];
    const names = texts.map((name) => [name.textContent, name.getBoundingClientRect()]);
    return names.flatMap(([a, p], i) =>
      names.slice(i + 1).filter(([, q]) => across(p, q) && along(p, q)).map(([b]) => `${a} on ${b}`));
  });
})()"""


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("count", [12, 200])
def test_no_name_stands_on_another(browser: Browser, tmp_path: Path, width: int, count: int) -> None:
    """The chosen point is named, the rest as far as there is room."""
    write_report(tmp_path / "report.html", study_of(count))
    shown(browser, tmp_path / "report.html", width)
    assert browser.run(OVERLAPS) == []
    names = all_of(browser, f"{CHART} .names text", "textContent")
    assert "F1" in names
    assert len(names) > 8


def test_a_name_without_room_is_told_when_its_mark_has_the_focus(browser: Browser, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", study_of(200))
    shown(browser, tmp_path / "report.html", 390)
    named = set(all_of(browser, f"{CHART} .names text", "textContent"))
    without = next(name for name in all_of(browser, f"{CHART} .mark", "dataset.name") if name not in named)
    browser.run(f"focusMark('{without}', document.querySelector('{CHART}'))")
    assert browser.run("document.querySelector('#tip b').textContent") == without


def test_the_page_is_short_and_its_contents_stay_in_sight(page: Browser) -> None:
    """What is long is folded; a side column on wide screens leads to every section and says where the reader is."""
    assert page.run("document.documentElement.scrollHeight") < 7000
    targets = all_of(page, ".contents a", "hash")
    assert page.run("[...document.querySelectorAll('main > section, footer')].map((one) => '#' + one.id)") == [
        one for one in targets if one != "#closer"
    ]
    assert all(page.run(f"document.querySelector('{one}') !== null") for one in targets)
    page.click('.contents [href="#causes"]')
    page.wait("document.querySelector('.contents [aria-current]')?.hash === '#causes'")
    assert page.run("document.querySelector('.contents').getBoundingClientRect().y") == 0
    assert page.run("document.querySelectorAll('main details[open]').length") == 0


def test_contents_are_a_bar_on_small_screens(browser: Browser, report: Path) -> None:
    shown(browser, report, 390)
    browser.run("document.querySelector('#assumptions').scrollIntoView()")
    box = browser.run("document.querySelector('.contents').getBoundingClientRect().toJSON()")
    assert box["y"] == 0
    assert box["height"] < 60
    assert browser.run("document.querySelector('#assumptions h2').getBoundingClientRect().y") >= box["height"]


def test_a_baseline_is_drawn_along_all_axes(page: Browser) -> None:
    """Dashed, with a mark on each axis where it has a value."""
    assert page.run("document.querySelectorAll('#parallel-plot .base-trace').length") == 1
    assert page.run("document.querySelectorAll('#parallel-plot .base-mark').length") >= 3
    choose(page, "#against", "Server with HBM")
    assert "Server with HBM" in page.run("document.querySelector('#parallel-legend').textContent")


def test_assumptions_are_found(page: Browser) -> None:
    page.run("document.querySelector('#filter-text').focus()")
    page.ask("Input.insertText", text="quantity_14")
    assert page.run("document.querySelector('#filter-count').textContent") == "11 of 150 shown"
    assert page.run("document.querySelector('#assumptions details').open")


def test_charts_say_what_they_show(page: Browser) -> None:
    pictures = all_of(page, "main svg.chart", "getAttribute('aria-label')")
    assert len(pictures) > 10
    assert all(len(told) > 20 for told in pictures)
    captions = all_of(page, "figcaption", "textContent")
    assert all(told.strip() for told in captions)
    assert "Most tokens per second per user: 307\u00a0token/s (F12)." in captions[0]


def test_a_page_without_scripts_has_the_front_and_all_tables(browser: Browser, report: Path) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report, 390)
        assert browser.run(WIDTH) <= 0
        assert browser.run("document.querySelectorAll('#front-plot .mark').length") == 14
        hidden = "[...document.querySelectorAll('.needs-script')].filter((one) => one.checkVisibility()).length"
        assert browser.run(hidden) == 0
        assert browser.run("document.querySelectorAll('#causes table').length") == 9
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_paper_is_light_and_clips_no_table(browser: Browser, report: Path, tmp_path: Path) -> None:
    shown(browser, report, 1040, prefers_color_scheme="dark")
    browser.ask(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    wide = all_of(browser, ".scroll", "scrollWidth - one.clientWidth")
    assert max(wide) <= 1
    assert max(all_of(browser, ".scroll", "scrollHeight - one.clientHeight")) <= 1
    assert browser.run("document.querySelectorAll('details:not([open])').length") == 0
    assert browser.printed(tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    browser.ask("Emulation.setEmulatedMedia", media="")


OLD: dict[str, Any] = {
    "empty": {},
    "nothing feasible": study_of() | {"front": [], "baselines": [], "others": {}},
    "no baselines": study_of(4) | {"baselines": [], "mappings": []},
    "no objectives": {key: value for key, value in study_of(4).items() if key not in ("objectives", "columns")},
    "metrics alone": {"front": [{"metrics": {"power": 3.0 + i, "cost": 2.0 - i / 9}} for i in range(3)]},
}  # fmt: skip


@pytest.mark.parametrize("case", OLD)
def test_a_browser_shows_what_an_older_study_has(browser: Browser, tmp_path: Path, case: str) -> None:
    write_report(tmp_path / "report.html", json.loads(json.dumps(OLD[case])))
    shown(browser, tmp_path / "report.html", 390)
    assert browser.run(WIDTH) <= 0
