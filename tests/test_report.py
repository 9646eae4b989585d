"""The report: whole without scripts, nothing from elsewhere, nothing that breaks out of its place."""

from __future__ import annotations

import copy
import json
import math
import random
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dse.report import write_report
from dse.report_assets.markup import element, number

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
CAUSES = {
    "compute": "the engine's arithmetic",
    "weights": "moving weights",
    "cache": "moving keys and values",
    "vector": "elementwise work",
    "exchange": "messages between chips",
    "overhead": "starting operators, software",
    "bubble": "stages that wait for the fullest stage",
}
ENERGY_CAUSES = {name: CAUSES[name] for name in list(CAUSES)[:5]} | {"idle": "leakage, clock, standby, hosts"}
COST_CAUSES = {"silicon": "compute dies", "memory": "memory", "system": "boards, hosts", "energy": "of the site"}
CARBON_CAUSES = {"silicon": "making compute dies", "energy": "of the site"}
METRICS = {
    "time_to_first_token": ("ms", 1e3, "time to fill one prompt and give its first token"),
    "time_per_output_token": ("ms", 1e3, "time between a user's tokens, prefill of others included"),
    "tokens_per_second_per_user": ("token/s", 1.0, "1 / time_per_output_token"),
    "tokens_per_second": ("token/s", 1.0, "output tokens of all users"),
    "energy_per_token": ("mJ/token", 1e3, "of the whole system for one output token"),
    "power": ("kW", 1e-3, "average of the whole system while serving"),
    "silicon_area": ("mm^2", 1e6, "all compute dies"),
    "system_cost": ("USD", 1.0, "build cost times markup"),
    "cost_per_million_tokens": ("USD", 1.0, "capital and energy for a million output tokens"),
    "carbon_per_million_tokens": ("kg", 1.0, "of making and of energy for a million output tokens"),
    "junction_temperature": ("K", 1.0, "of the compute die at full load"),
    "quantisation_noise": ("dB", 1.0, "noise over signal of a product in these formats"),
}
HEADROOM = {
    "memory": ("GB", 1e-9, "left in the fullest tier of a chip"),
    "power": ("W", 1.0, "left to the package's limit at full load"),
    "heat": ("K", 1.0, "left to the first temperature limit"),
    "latency": ("", 1.0, "share of the tighter latency target that is left"),
}
OBJECTIVES = [
    {"name": "tokens_per_second_per_user", "sense": "maximize", "unit": "token/s", "means": "speed a user sees"},
    {"name": "energy_per_token", "sense": "minimize", "unit": "mJ/token", "means": "of the whole system"},
    {"name": "cost_per_million_tokens", "sense": "minimize", "unit": "USD", "means": "capital and energy"},
]


def columns_of(table: dict) -> dict:
    return {name: {"unit": unit, "factor": factor, "means": means} for name, (unit, factor, means) in table.items()}


def shares_of(names: Any, dice: random.Random, lead: str) -> dict[str, float]:
    weights = {name: dice.uniform(0.02, 0.3) + (0.8 if name == lead else 0.0) for name in names}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


def point(name: str, speed: float, dice: random.Random) -> dict[str, Any]:
    """A machine that pays for its speed; speed: tokens a second a user."""
    cost, energy = (
        0.06 * (speed / 60) ** 0.8 * dice.uniform(0.8, 1.25),
        0.12 * (speed / 60) ** 0.7 * dice.uniform(0.9, 1.1),
    )
    metrics = {
        "time_to_first_token": 40 / speed,
        "time_per_output_token": 1 / speed,
        "tokens_per_second_per_user": speed,
    }
    metrics |= {"tokens_per_second": 60 * speed, "energy_per_token": energy, "power": 60 * speed * energy}
    metrics |= {"silicon_area": 0.0512, "system_cost": 3e5 * cost, "cost_per_million_tokens": cost}
    metrics |= {"carbon_per_million_tokens": 0.2 * energy}
    metrics |= {"junction_temperature": 350 + speed / 20, "quantisation_noise": -31.4}
    return {
        "name": name,
        "parameters": {
            "hw.chip.engine.frequency": round(0.8 + speed / 500, 2),
            "hw.chip.memory.tiers.dram.bandwidth": round(400 + 3.1 * speed, 1),
            "hw.chip.engine.cores": 256,
            "hw/fabric": "switched" if speed > 150 else "direct",
            "format": "mxint8",
        },
        "metrics": metrics,
        "headroom": {"memory": 2.1e9 * dice.random(), "power": 55.0, "heat": 12.5, "latency": 0.31},
        "shares": shares_of(CAUSES, dice, "weights" if speed > 120 else "exchange"),
        "energy_shares": shares_of(ENERGY_CAUSES, dice, "weights"),
        "cost_shares": shares_of(COST_CAUSES, random.Random(2), "memory"),
        "carbon_shares": shares_of(CARBON_CAUSES, random.Random(3), "energy"),
        "mapping": {"tensor": 8, "pipeline": 8, "expert": 1, "data": 1, "batch": 60, "users": 60,
                    "weights": "sram", "cache": "sram"},
        "command": f"dse task=evaluate hw=system hw.chip.engine.frequency='{0.8 + speed / 500:.2f} GHz'",
    }  # fmt: skip


def study_of(count: int = 12, others: int = 200) -> dict[str, Any]:
    dice = random.Random(1)
    speeds = [60 * 1.16 ** (11 * i / max(count - 1, 1)) for i in range(count)]
    rest = {kind: [point("", dice.uniform(30, 250), dice)["metrics"] for _ in range(others // 2)] for kind in "ab"}

    def cloud(kind: str, worse: float) -> dict[str, list[float]]:
        names = [item["name"] for item in OBJECTIVES]
        scale = {names[0]: 1 / worse, names[1]: worse, names[2]: worse}
        return {name: [row[name] * scale[name] * dice.uniform(1, 1.5) for row in rest[kind]] for name in names}

    first, second = point("Server of today", 55, dice), point("Server with HBM", 90, dice)
    second |= {"feasible": False, "violations": "memory short by 2.1 GB"}
    second["headroom"]["memory"] = -2.1e9
    for baseline in (first, second):
        baseline["parameters"] = {}
        baseline["metrics"]["energy_per_token"] *= 1.6
        baseline["metrics"]["cost_per_million_tokens"] *= 1.9
    return {
        "title": "sram_or_3d_dram",
        "question": "Which memory holds the weights best for a voice agent: SRAM in the array, or DRAM stacked on it?",
        "command": "dse experiment=sram_or_3d_dram search.trials=2048",
        "created": "2026-11-21T23:10:00",
        "seed": 1,
        "versions": {"inferscape": "0.1.0", "jax": "0.10.2", "plotly": "7.1.0"},
        "commit": "abc123",
        "counts": {"evaluated": 2048, "feasible": 1400, "front": count, "space": 46080},
        "seconds": {"total": 31.2, "search": 20.0, "evaluate": 6.1, "sampler": 12.3},
        "hypervolume": 0.81,
        "finding": [
            "Stacked DRAM wins below 130 tokens a second a user, SRAM above.",
            "Every point of the front beats the server of today on energy, by 1.4 to 2.2 times.",
        ],
        "objectives": OBJECTIVES,
        "constraints": ["memory", "power", "heat"],
        "columns": {
            "metrics": columns_of(METRICS),
            "headroom": columns_of(HEADROOM),
            "shares": {name: {"unit": "", "factor": 1, "means": means} for name, means in CAUSES.items()},
            "energy_shares": {name: {"unit": "", "factor": 1, "means": means} for name, means in ENERGY_CAUSES.items()},
            "cost_shares": {name: {"unit": "", "factor": 1, "means": means} for name, means in COST_CAUSES.items()},
            "carbon_shares": {name: {"unit": "", "factor": 1, "means": means} for name, means in CARBON_CAUSES.items()},
            "parameters": {"hw.chip.engine.frequency": {"unit": "GHz"}, "hw.chip.engine.cores": {"unit": ""},
                           "hw.chip.memory.tiers.dram.bandwidth": {"unit": "GB/s"}, "hw/fabric": {"unit": ""},
                           "format": {"unit": ""}},
        },
        "front": [point(f"F{i + 1}", speed, dice) for i, speed in enumerate(speeds)],
        "baselines": [first, second],
        "others": {"feasible": cloud("a", 1.3), "infeasible": cloud("b", 1.2)},
        "assumptions": assumptions(150),
    }  # fmt: skip


def assumptions(count: int) -> list[dict[str, str]]:
    kinds = {"published": "Data sheet, https://example.org/a", "third-party": "A newsletter, 2025",
             "derived": "derived: cores times rows", "assumed": "assumed: as in the smaller part"}  # fmt: skip
    rows = []
    for i in range(count):
        kind = list(kinds)[i % 4 if i % 3 else 0]
        rows.append({"machine": ["front template", "Server of today"][i % 2], "path": f"hw.chip.engine.quantity_{i}",
                     "value": f"{i}.5 GB/s", "source": "sheet" if kind == "published" else "", "cite": kinds[kind],
                     "kind": kind, "file": f"conf/hw/chip/engine/part_{i % 5}.yaml"})  # fmt: skip
    return rows


class Page(HTMLParser):
    """The page as a reader without scripts has it: tags with their text, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.rows: list[list[str]] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        keys = dict(attrs)
        self.ids += [keys["id"] or ""] if "id" in keys else []
        self.addresses += [keys[key] or "" for key in ("src", "href", "srcset", "data", "action") if key in keys]
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
    assert page.addresses
    assert all(address.startswith("#") for address in page.addresses)
    assert "@import" not in page.text("style")
    assert "url(" not in page.text("style")


def test_every_point_is_a_row_with_its_values(page: Page, study: dict[str, Any]) -> None:
    rows = {row[0]: row for row in page.rows if row}
    for one in study["front"]:
        row = rows[one["name"]]
        assert row[1] == number(one["metrics"]["tokens_per_second_per_user"])
        assert row[2] == number(1e3 * one["metrics"]["energy_per_token"])
        assert "mxint8" in row
        assert row[-2:] == ["sram", "sram"]


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
    assert text.count("</script>") == 4
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


CASES = {"front": {}, "one": {"count": 1}, "many": {"count": 200}}


def drawn(folder: Path, study: dict[str, Any], name: str = "") -> str:
    """The page's elements once a browser has run its scripts."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium on PATH")
    write_report(folder / "report.html", study)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--virtual-time-budget=8000",
             f"--user-data-dir={folder / 'profile'}", "--dump-dom"]  # fmt: skip
    address = (folder / "report.html").as_uri() + (f"#{name}" if name else "")
    run = subprocess.run([browser, *flags, address], capture_output=True, text=True, timeout=120, check=True)
    return run.stdout


@pytest.mark.parametrize("case", CASES)
def test_browser_draws_it(tmp_path: Path, case: str) -> None:
    dom = drawn(tmp_path, study_of(**CASES[case]), "F1")
    body = re.search(r"<body[^>]*>", dom)
    assert body is not None
    assert 'data-ready="yes"' in body.group()
    assert "data-error" not in body.group()
    plots = re.findall(r'id="([a-z]+-plot)"[^>]*class="[^"]*js-plotly-plot', dom)
    assert plots == ["front-plot", "time-plot", "energy-plot", "cost-plot", "carbon-plot", "causes-plot"]
    assert dom.count('<svg class="main-svg"') >= 6
    assert re.search(r'<tr data-point="F1"[^>]*aria-current="true"', dom)


def test_browser_draws_an_empty_front(tmp_path: Path, study: dict[str, Any]) -> None:
    dom = drawn(tmp_path, study | {"front": [], "baselines": [], "others": {}})
    assert 'data-ready="yes"' in dom
    assert "data-error=" not in re.search(r"<body[^>]*>", dom).group()  # type: ignore[union-attr]
