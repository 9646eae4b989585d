"""The tutorial is true: its files build, its commands run, and they print what it shows."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from blocks import Block, blocks, holds
from machines import ROOT
from running import run_here

from dse.configuration.compose import beside, choices, compose, plain
from dse.documents.check import written
from dse.problem.problem import Problem
from dse.problem.session import read_wanted
from dse.problem.template import parts

PAGE = ROOT / "docs/tutorial.md"
BLOCKS = blocks(PAGE)


def lay(folder: Path) -> list[Path]:
    """The YAMLs of the page, in a folder."""
    laid = []
    for block in BLOCKS:
        if block.kind == "yaml":
            path = folder / block.text.splitlines()[0].removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text.partition("\n")[2])
            laid.append(path)
    return laid


def commands() -> list[tuple[list[str], list[Block]]]:
    """Each command line after `dse`, with the blocks of its output."""
    found: list[tuple[list[str], list[Block]]] = []
    for block in BLOCKS:
        if block.kind == "sh":
            assert block.text.count("\n") == 1, "one command a block, so that it is known what printed what"
            found.append((shlex.split(block.text)[1:], []))
        elif block.kind == "text":
            found[-1][1].append(block)
    return found


def overrides(line: list[str]) -> list[str]:
    """What a command line says to the composition; of a sweep, the first of each choice."""
    said = [word for word in line if "=" in word and not word.startswith(("-", "hydra."))]
    return [word.partition(",")[0] for word in said]


def test_there_is_something_to_run() -> None:
    assert len(commands()) >= 6
    assert sum(block.kind == "yaml" for block in BLOCKS) >= 6


def test_the_files_build_and_the_commands_compose(tmp_path: Path) -> None:
    laid = lay(tmp_path)
    assert all(path.is_relative_to(tmp_path / "mine") for path in laid)
    with beside([tmp_path / "mine"]):
        for line, _ in commands():
            assert plain(compose(overrides(line))), line
        assert "my_server" in choices("hw")
        assert [row.rule for row in written(parts(["hw=my_server"])) if row.broken] == []
        config = plain(compose(["experiment=my_question"]))
        problem = Problem(["experiment=my_question"], config["space"], read_wanted(config["mapping"]), batch=1)
        assert problem.space.size == 6


def test_a_file_without_a_unit_is_refused_in_the_words_shown(tmp_path: Path) -> None:
    laid = next(path for path in lay(tmp_path) if path.name == "my_dram.yaml")
    laid.write_text(laid.read_text().replace("bandwidth: 800 GB/s", "bandwidth: 800"))
    with beside([tmp_path / "mine"]), pytest.raises(ValueError, match="has no unit") as refused:
        parts(["hw=my_server"])
    assert str(refused.value).replace(f"{tmp_path}/", "") in PAGE.read_text()


def test_schemas_take_the_files(tmp_path: Path) -> None:
    """What the tutorial teaches is what editors accept."""
    pytest.importorskip("jsonschema", reason="jsonschema, of the test extra, is not installed")
    import yaml
    from test_json_schema import errors

    for path in lay(tmp_path):
        group = str(path.parent.relative_to(tmp_path / "mine"))
        assert errors(group, yaml.safe_load(path.read_text())) == [], path


def test_the_commands_print_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # tables as wide as in a file, whatever the tests run in
    lay(tmp_path)
    for line, outputs in commands():
        done = run_here(tmp_path, *line)
        assert done.code == 0, f"dse {shlex.join(line)}\n{done.err}"
        missing = [row for block in outputs for row in block.text.splitlines() if not holds(row, done.out)]
        assert missing == [], f"dse {shlex.join(line)}\n{done.out}"
    assert (tmp_path / "searched/report.html").is_file()
    assert (tmp_path / "described/machine.svg").is_file()
    assert (tmp_path / "mlflow.db").is_file()


def test_near_numbers_are_held_and_far_ones_are_not() -> None:
    output = "│ power │ 63.1 W │ 804.8 W │\nother 2"
    assert holds("power  63 W  804 W", output)
    assert not holds("power  63 W  900 W", output)
    assert not holds("power  804.8 W  63.1 W", output)
