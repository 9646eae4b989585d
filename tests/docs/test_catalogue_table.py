"""The page of all machines: one row a machine, numbers to sort by beside what is shown, nothing fetched."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from machines import composed
from running import run_here

from dse.configuration.compose import beside
from dse.documents import catalogue_table
from dse.documents.catalogue_table import CITED, COLUMNS, Entry, entry, page
from dse.problem.template import parts


def machine(name: str, **values: float) -> Entry:
    """A machine as the page takes it."""
    everywhere = {column.key: 1.0 for column in COLUMNS} | values
    return Entry(
        name, "some engine", ["Alias"], ["near"], everywhere, {"published": 2}, ["A & B <1>"], [("x", "a or b")]
    )


@pytest.fixture(scope="module")
def shown() -> str:
    few = machine("few")
    few.values.pop("link")
    return page([machine("many", price=2.5e6), few])


def table(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(re.search(r"<table.*</table>", text, re.DOTALL)[0])  # type: ignore[index]


def test_a_row_for_each_machine_and_a_cell_for_each_figure(shown: str) -> None:
    rows = table(shown).findall("tbody/tr")
    assert [row.find("th").get("data-value") for row in rows] == ["many", "few"]  # type: ignore[union-attr]
    assert {len(row.findall("td")) for row in rows} == {1 + len(COLUMNS)}
    assert len(table(shown).findall("thead/tr/th")) == 2 + len(COLUMNS)


def test_numbers_to_sort_by_stand_beside_what_is_shown(shown: str) -> None:
    cells = table(shown).findall("tbody/tr/td[@data-label='price']")
    assert [float(cell.get("data-value", "nan")) for cell in cells] == [2.5e6, 1.0]
    link = table(shown).findall("tbody/tr/td[@data-label='outer link']")
    assert [cell.get("data-value") for cell in link] == ["1", None]


def test_what_is_written_is_escaped_and_nothing_is_fetched(shown: str) -> None:
    assert "A &amp; B &lt;1&gt;" in shown
    assert not re.search(r'(src|href)="(?!#)', shown)
    assert "$" not in re.sub(r"<script>.*?</script>", "", shown, flags=re.DOTALL)


def test_what_was_written_is_told_as_by_every_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_table, "choices", lambda _: ["corsair_card"])
    done = run_here(tmp_path, "--json", "task=catalogue", "tracking=none", "hydra.run.dir=run")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["files"] == [str(tmp_path / "run/catalogue.html")]
    assert (tmp_path / "run/catalogue.html").is_file()
    assert found["machines"]["corsair_card"]["price"] > 0
    assert found["units"]["price"] == "USD"


def test_a_shipped_machine_comes_to_what_its_parts_say() -> None:
    """Eight chips; capacity by the sheet; every number is counted once by the kind of its source."""
    with beside([]):
        found = entry("dgx_h100", parts(["hw=dgx_h100", "tracking=none"]), {})
    tier = composed("hw=dgx_h100")["hw"]["chip"]["memory"]["hbm"]
    assert found.values["chips"] == 8
    assert found.values["near"] == pytest.approx(8 * int(tier["parts"]) * float(tier["capacity"].split()[0]) * 1e9)
    assert found.values["power"] > 0.5 * found.values["limit"]
    share = sum(found.counts.get(kind, 0) for kind in CITED) / sum(found.counts.values())
    assert found.values["believed"] == pytest.approx(100 * share)
    assert found.documents
