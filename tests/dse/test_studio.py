"""The studio without its page: what is moved answers as the command line does, and nothing else gets in."""

from __future__ import annotations

import asyncio
import copy
import json
import shlex
import socket
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import yaml
from machines import candidate
from running import run_here
from small import GOALS, MACHINE, SPACE, WANTED

from dse.configuration.compose import beside
from dse.configuration.spreads import leaf_paths
from dse.evaluation.goals import Goals
from dse.evaluation.grids import grids, own_fanouts
from dse.machine.single import answer
from dse.problem.problem import read_parameters
from dse.problem.template import template
from dse.run.answers import NEEDED, STUDY
from dse.studio.chart import NOW, chart
from dse.studio.front import Front, against, read_front
from dse.studio.guard import Guard, bound
from dse.studio.knobs import Knob, around, movable, telling, written
from dse.studio.save import rebuilding, save
from dse.studio.state import Moved, Studio, answered, filled_up
from dse.studio.task import moved_by, settings
from dse.uncertainty.elasticities import rules_of
from hw.units import Rule

CORES, CLOCK, LAYERS = "hw.chip.engine.cores", "hw.chip.engine.frequency", "hw.chip.memory.stack.layers"
WORDS = [*MACHINE, "mapping.tensor=8", "mapping.pipeline=1"]


@pytest.fixture(scope="module")
def begun() -> Studio:
    """The small machine, as it is composed; composed and compiled once for all tests."""
    return Studio(WORDS, WANTED, GOALS, read_parameters(SPACE, template(MACHINE)), "sram_or_3d_dram")


@pytest.fixture
def studio(begun: Studio) -> Studio:
    """The session at its beginning."""
    return copy.copy(begun)


def metrics(studio: Studio) -> dict[str, float]:
    return studio.shown.point["metrics"]


# Numbers and how they are read.


def test_any_number_of_a_machine_reads_back_as_it_was_written() -> None:
    """What a slider gives is kept as text, and the text is what a command line or a file is composed from."""
    found = candidate("hw=raptor_server")
    numbers = dict(zip(leaf_paths(found), map(float, jax.tree.leaves(found)), strict=True))
    for key, rule in movable(rules_of(found)).items():
        knob = around(key, rule, numbers[key])
        for position in {0, knob.ticks // 3, knob.ticks}:
            text = written(rule, knob.at(position))
            assert rule.read(text) == pytest.approx(knob.at(position), rel=1e-11), key
            assert written(rule, rule.read(text)) == text


def test_a_slider_goes_from_end_to_end_and_back() -> None:
    sizes = Knob("x", Rule("B/s", above=0), 1e9, 64e9, log=True)
    assert sizes.at(0) == 1e9
    assert sizes.at(sizes.ticks) == 64e9
    assert sizes.at(sizes.ticks / 2) == pytest.approx(8e9)
    assert [sizes.position(sizes.at(i)) for i in (0, 50, 200)] == [0, 50, 200]
    assert sizes.at(1e9) == 64e9, "a position from elsewhere stays inside"


def test_whole_numbers_stay_whole_and_shares_stay_shares() -> None:
    cores = around(CORES, Rule(least=1, whole=True), 256.0)
    assert all(cores.at(i) == round(cores.at(i)) for i in range(cores.ticks + 1))
    share = around("hw.x.sustained_fraction", Rule(above=0, most=1), 0.8)
    assert 0 < share.at(0) < share.at(share.ticks) == 1
    fanout = around("hw.levels.server.fanout", Rule(least=1, whole=True), 4.0)
    assert [fanout.at(i) for i in range(3)] == [1, 2, 3]
    assert around("hw.x.price", Rule("USD/B", least=0), 0.0).ticks == 0, "nothing says how large it may be"


@pytest.mark.parametrize(
    "given",
    ["", "fast", "1.2 GB", "-1 GHz", "0 GHz", "nan", "inf GHz", "1e999 GHz", "${oc.env:HOME}", "1 GHz; rm",
     "!!python/object:x", "__import__('os')", "9**9**9 GHz", "1" * 500],
)  # fmt: skip
def test_what_is_no_number_of_its_kind_is_refused_in_words(studio: Studio, given: str) -> None:
    before = studio.shown
    with pytest.raises(ValueError, match=CLOCK):
        studio.type(CLOCK, given)
    assert studio.shown is before


@pytest.mark.parametrize(
    ("key", "words"),
    [("hw.chip.engine.coers", "did you mean 'hw.chip.engine.cores'"), ("__class__", "no such number"),
     ("model.layers", "no such number"), ("", "no such number")],
)  # fmt: skip
def test_only_numbers_of_machine_and_traffic_move(studio: Studio, key: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        studio.type(key, "4")
    with pytest.raises(ValueError, match=words):
        studio.turn(key, 4)


@pytest.mark.parametrize(
    ("group", "name"), [("hw/chip/memory", "../../secret"), ("task", "log"), ("hw", "nothing"), ("hw/chip/memory", "")]
)
def test_only_files_that_there_are_can_be_picked(studio: Studio, group: str, name: str) -> None:
    with pytest.raises(ValueError, match="no such choice"):
        studio.pick(group, name)


# Answers.


def test_mappings_that_fill_up_a_grid_change_no_digit(studio: Studio) -> None:
    assert studio.shown.point == answer(studio.shown.found, WANTED)
    grid = filled_up(studio_grid(studio))
    assert len(grid.tensor) == 512
    assert len({tuple(map(float, row)) for row in zip(*grid, strict=True)}) == studio_grid(studio).size


def studio_grid(studio: Studio) -> Any:
    return grids([studio.candidate], own_fanouts(studio.candidate), WANTED).own


def test_the_command_line_composes_what_is_seen_to_the_digit(studio: Studio) -> None:
    studio.turn(CORES, 1)
    studio.type(CLOCK, "1.1234567 GHz")
    studio.type("serving.users", "7")
    words = shlex.split(studio.command())
    assert words[:2] == ["dse", "task=evaluate"]
    found = template(words[2:])
    assert same(found.candidate, studio.candidate)
    assert float(found.candidate.hw.chip.engine.frequency) == 1123456700.0
    assert answered(found, WANTED) == studio.shown.point


def test_the_knobs_are_those_of_the_space_that_the_machine_has(studio: Studio) -> None:
    assert list(studio.knobs()) == [CORES, CLOCK]
    assert studio.knob(CORES).steps == (128, 256, 512)
    studio.ask("serving.users")
    assert list(studio.knobs()) == [CORES, CLOCK, "serving.users"]


def test_without_a_space_the_telling_numbers_are_shown() -> None:
    keys = list(movable(rules_of(candidate("hw=raptor_server"))))
    found = telling(keys)
    assert 8 <= len(found) <= 18
    assert found == [key for key in keys if key in found], "in the machine's order"
    assert {CORES, CLOCK, "serving.users"} <= set(found)


def test_undo_takes_back_a_whole_slide(studio: Studio) -> None:
    begun = metrics(studio)
    studio.type(CLOCK, "0.8 GHz")
    slow = metrics(studio)
    assert (slow["clock"], begun["clock"]) == (0.8e9, pytest.approx(1.144e9))
    for position in (0, 2, 0):
        studio.turn(CORES, position)
    studio.undo()
    assert metrics(studio) == slow
    studio.undo()
    assert metrics(studio) == begun
    assert not studio.moved.texts


def test_a_number_that_breaks_a_rule_between_numbers_changes_nothing(studio: Studio) -> None:
    before = studio.shown
    with pytest.raises(ValueError, match="attends to"):
        studio.type("serving.prompt", "10000000")
    assert studio.shown is before
    assert not studio.moved.texts


# What is kept.


def test_what_is_saved_rebuilds_to_the_digit(studio: Studio, tmp_path: Path) -> None:
    """The machine and the question, composed afresh from their files, are the candidate that was seen."""
    studio.type(CLOCK, "1.1234567 GHz")
    studio.type("serving.users", "7")
    studio.type("hw.levels.card.link.bandwidth", "48 GB/s")
    mine = tmp_path / "mine"
    written_files = save(studio, mine, "my_find")
    assert [str(path.relative_to(mine)) for path in written_files] == ["hw/my_find.yaml", "experiment/my_find.yaml"]
    assert rebuilding(studio, mine, "my_find") == f"dse --config-dir={mine} task=evaluate experiment=my_find"
    with beside([mine]):
        question, machine = template(["experiment=my_find"]), template([*WORDS, "hw=my_find"])
    assert same(question.candidate, studio.candidate)
    assert same(machine.candidate.hw, studio.candidate.hw)
    assert answered(question, WANTED) == studio.shown.point
    assert question.config["mapping"]["tensor"] == 8
    assert question.config["hw"]["chip"]["engine"]["sources"]["frequency"].startswith("assumed:")


def same(one: Any, other: Any) -> bool:
    return jax.tree.structure(one) == jax.tree.structure(other) and bool(
        np.array_equal(np.array(jax.tree.leaves(one), float), np.array(jax.tree.leaves(other), float))
    )


def test_another_file_is_saved_and_leaves_its_numbers_behind(tmp_path: Path) -> None:
    """Of what was moved, what the new file says otherwise goes."""
    studio = Studio(WORDS, WANTED, GOALS, None, "sram_or_3d_dram")
    studio.type("serving.users", "7")
    left = studio.pick("serving", "chat")
    assert left == ["serving.users=7"], "another traffic has users of its own"
    save(studio, tmp_path, "chatting")
    with beside([tmp_path]):
        assert same(template(["experiment=chatting"]).candidate, studio.candidate)


@pytest.mark.parametrize(
    "name", ["", "My", "a b", "../up", "a/b", "a.b", "1st", "_x", "a" * 61, "ü", "corsair_card", "a\n"]
)
def test_names_that_are_none_write_nothing(studio: Studio, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError):
        save(studio, tmp_path, name)
    assert list(tmp_path.rglob("*")) == []


def test_nothing_is_written_over(studio: Studio, tmp_path: Path) -> None:
    save(studio, tmp_path, "mine")
    with pytest.raises(ValueError, match="already"):
        save(studio, tmp_path, "mine")


def test_files_hold_plain_values_alone(studio: Studio, tmp_path: Path) -> None:
    studio.type(CLOCK, "1.3 GHz")
    for path in save(studio, tmp_path, "plain_one"):
        assert "!" not in path.read_text()
        assert yaml.safe_load(path.read_text())["defaults"][-1] == "_self_"


# Against others.


def front(**points: tuple[float, float]) -> Front:
    rows = [
        (name, {"tokens_per_second_per_user": fast, "energy_per_token": dear}) for name, (fast, dear) in points.items()
    ]
    return Front(points=rows)


@pytest.mark.parametrize(
    ("own", "begins"),
    [((100.0, 1.0), "Exactly F1"), ((90.0, 1.1), "Behind the front: F1"), ((110.0, 0.9), "Beyond the front"),
     ((150.0, 1.5), "Beside the front")],
)  # fmt: skip
def test_where_a_point_lies_to_a_front(own: tuple[float, float], begins: str) -> None:
    goals = Goals({"tokens_per_second_per_user": "maximize", "energy_per_token": "minimize"}, ())
    seen = {"tokens_per_second_per_user": own[0], "energy_per_token": own[1]}
    assert against(seen, front(F1=(100.0, 1.0), F2=(200.0, 2.0)), goals).startswith(begins)


def test_a_folder_without_a_study_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="finished run"):
        read_front(tmp_path)
    for content in ("{", "[]", "{}"):
        (tmp_path / "study.json").write_text(content)
        with pytest.raises(ValueError, match="run: "):
            read_front(tmp_path)


def test_the_chart_holds_where_one_is_and_was(studio: Studio) -> None:
    studio.type(CLOCK, "0.9 GHz")
    axes = ("tokens_per_second_per_user", "energy_per_token")
    drawn = chart(axes, front(F1=(100.0, 1.0)), studio.trail, GOALS.objectives, dark=False)
    assert drawn["data"][NOW]["x"] == [metrics(studio)["tokens_per_second_per_user"]]
    assert len(drawn["data"][NOW - 1]["x"]) == 2
    json.dumps(drawn, allow_nan=False)


# The door.


@pytest.mark.parametrize(
    ("kind", "headers", "trusted"),
    [
        ("http", {"host": "127.0.0.1:8877"}, True),
        ("http", {"host": "localhost:8877", "origin": "http://localhost:8877"}, True),
        ("websocket", {"host": "127.0.0.1:8877", "origin": "http://127.0.0.1:8877"}, True),
        ("websocket", {"host": "127.0.0.1:8877"}, False),
        ("websocket", {"host": "127.0.0.1:8877", "origin": "https://evil.example"}, False),
        ("websocket", {"host": "127.0.0.1:8877", "origin": "null"}, False),
        ("websocket", {"host": "127.0.0.1:8877", "origin": "http://127.0.0.1:9000"}, False),
        ("http", {"host": "evil.example:8877"}, False),
        ("http", {"host": "127.0.0.1.evil.example:8877"}, False),
        ("http", {"host": "127.0.0.1"}, False),
        ("http", {}, False),
        ("http", {"host": "127.0.0.1:8877", "origin": "http://evil.example"}, False),
        ("http", {"host": "127.0.0.1:8877", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_a_foreign_page_stays_outside(kind: str, headers: dict[str, str], trusted: bool) -> None:
    asked, sent = [], []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind, "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    asyncio.run(Guard(inner, 8877)(scope, None, send))
    assert bool(asked) == trusted
    assert sent[0].get("status", sent[0].get("code")) == (200 if trusted else 1008 if kind == "websocket" else 403)
    if trusted:
        policy = dict(sent[0]["headers"])[b"content-security-policy"].decode()
        assert "default-src 'self'" in policy
        assert "http:" not in policy
        assert "https:" not in policy


def test_a_taken_port_gives_the_next_on_this_machine_alone() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found, other = bound(port)
        with found:
            assert other > port
            assert found.getsockname() == ("127.0.0.1", other)


@pytest.mark.parametrize(
    ("key", "value"), [("port", 80), ("port", "all"), ("port", 8877.5), ("open", "perhaps"), ("folder", "")]
)
def test_settings_that_are_none_are_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"studio.{key}"):
        settings({"port": 8877, "open": False, "folder": "mine", key: value})


def test_without_the_library_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "nicegui" else found(name, *rest)
    )
    done = run_here(tmp_path, "task=studio", "hydra.run.dir=here")
    assert done.code == 1
    assert "pip install 'inferscape[studio]'" in done.err


def test_a_study_gives_its_first_point_to_begin_with(tmp_path: Path) -> None:
    """Its mapping is left free, and what the command line names is not taken from it."""
    command = "dse task=evaluate experiment=e hw/chip/memory=stack hw.chip.engine.cores=128 mapping.tensor=8"
    point = {"name": "F1", "metrics": {}, "command": command, "parameters": {"hw/chip/memory": "stack", CORES: 128}}
    study: dict[str, Any] = dict.fromkeys(NEEDED[STUDY], "e")
    study |= {"front": [point], "baselines": [], "others": {}, "config": {"space": SPACE}, "experiment": "e"}
    study |= {"command": "dse --config-dir=/x experiment=e search=optuna hw=corsair_card"}
    (tmp_path / "study.json").write_text(json.dumps(study))
    found = read_front(tmp_path)
    assert (list(found.words), list(found.folders)) == (["experiment=e", "hw=corsair_card"], ["/x"])
    assert moved_by(found.design, []) == Moved({"hw/chip/memory": "stack"}, {CORES: "128"})
    assert moved_by(found.design, [f"{CORES}=64"]) == Moved({"hw/chip/memory": "stack"}, {})
