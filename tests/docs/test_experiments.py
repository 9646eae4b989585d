"""Every page of docs/experiments is about an experiment that exists, and says what a reader needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from machines import ROOT, files

FOLDER = ROOT / "docs/experiments"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.stem != "README")
HEADS = ("## Why", "## What could change this", "## Run it")


def shown(path: Path) -> str:
    return path.stem


def test_there_are_pages() -> None:
    assert PAGES


def test_every_experiment_is_in_the_index() -> None:
    index = (FOLDER / "README.md").read_text()
    assert [name for name in files("experiment") if name not in index] == []


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_a_page_names_its_experiment(path: Path) -> None:
    assert path.stem in files("experiment")
    assert f"experiment={path.stem}" in path.read_text()


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_a_page_has_its_parts(path: Path) -> None:
    text = path.read_text()
    assert [head for head in HEADS if head not in text] == []
    assert "modelled" in text, "figures that a model gave are called modelled"


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_what_a_page_shows_and_points_at_is_there(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_experiments_in_commands_exist(path: Path) -> None:
    named = re.findall(r"experiment=(\w+)", path.read_text())
    assert set(named) <= set(files("experiment"))
