"""A space in Hydra's override grammar: one search over it, in words what cannot be searched."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from running import Done, run_here
from small import BATCH, DIFFERENT, MACHINE

from dse.configuration.compose import compose, conf_folder, plain
from dse.problem.problem import Problem
from dse.problem.session import read_wanted
from dse.problem.space import Interval, Values
from dse.search.sweep import numbers, overrides_of_job
from hw.units import Rule

SWEEPER = "hydra/sweeper=dse"
HERTZ, COUNT = Rule("Hz", above=0), Rule(least=1, whole=True)


@pytest.fixture
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def entry(value: str, rule: Rule) -> Any:
    """What a sweep over one quantity becomes."""
    return numbers("x", OverridesParser.create().parse_override(f"x={value}").value(), rule)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "rule", "expected"),
    [
        ("64,128", COUNT, [64, 128]),
        ("choice(64,128)", COUNT, [64, 128]),
        ("choice(1e9,2e9)", HERTZ, ["1 GHz", "2 GHz"]),
        ("choice('1 GHz','2.5 GHz')", HERTZ, ["1 GHz", "2.5 GHz"]),
        ("'1 GHz',2e9", HERTZ, ["1 GHz", "2 GHz"]),
        ("tag(MHz,choice(800,900))", HERTZ, ["800 MHz", "900 MHz"]),
        ("interval(1e9,2e9)", HERTZ, {"low": "1 GHz", "high": "2 GHz"}),
        ("tag(log,interval(1e9,2e9))", HERTZ, {"low": "1 GHz", "high": "2 GHz", "log": True}),
        ("tag(log,GHz,interval(1,2))", HERTZ, {"low": "1 GHz", "high": "2 GHz", "log": True}),
        ("tag(log,int,interval(1,64))", COUNT, {"low": 1, "high": 64, "log": True}),
        ("tag(int,interval(1,8))", COUNT, {"low": 1, "high": 8, "step": 1}),
        ("int(interval(1,8))", COUNT, {"low": 1, "high": 8, "step": 1}),
        ("range(1,5)", COUNT, {"low": 1, "high": 4, "step": 1}),
        ("range(8,1,-3)", COUNT, {"low": 2, "high": 8, "step": 3}),
        ("tag(GHz,range(1,1.6,0.2))", HERTZ, {"low": "1 GHz", "high": "1.4 GHz", "step": "0.2 GHz"}),
    ],
)
def test_sweeps_become_entries_of_a_space(value: str, rule: Rule, expected: Any) -> None:
    assert entry(value, rule) == expected


@pytest.mark.parametrize("value", ["range(1,2,0.1)", "range(0.8,1.55,0.1)", "range(5,1,-0.7)", "range(3,9,2)"])
def test_a_range_has_the_values_that_hydra_gives_it(value: str) -> None:
    """Where rounding does not decide whether the stop is reached, which it never is here."""
    found = entry(value, Rule())
    steps = round((found["high"] - found["low"]) / found["step"])
    listed = OverridesParser.create().parse_override(f"x={value}").sweep_iterator()
    ours = [found["low"] + found["step"] * n for n in range(steps + 1)]
    assert ours == pytest.approx(sorted(float(one) for one in listed), rel=1e-12)  # type: ignore[arg-type]


def space_of(loader: ConfigLoader, *words: str, params: dict[str, str] | None = None) -> dict[str, Any]:
    """The space of the search that stands for a sweep, composed as that search composes it."""
    made = overrides_of_job([*MACHINE, *words], params or {}, loader)
    return plain(compose(made))["space"]


def test_a_sweep_joins_the_space_of_the_configuration_and_replaces_what_it_names(loader: ConfigLoader) -> None:
    joined = space_of(loader, "space=stack_and_heat", "hw.chip.engine.cores=interval(64,512)", "format=mxint8,fp8")
    before = plain(compose(["space=stack_and_heat"]))["space"]
    swept = {"format": ["mxint8", "fp8"], "hw.chip.engine.cores": {"low": 64, "high": 512}}
    assert joined == before | swept


def test_the_command_line_wins_over_params(loader: ConfigLoader) -> None:
    params = {"hw.chip.engine.cores": "choice(1,2)", "serving.users": "choice(4,8)", "format": "mxint4"}
    made = overrides_of_job([*MACHINE, "space=none", "hw.chip.engine.cores=range(3,6)"], params, loader)
    assert "format=mxint4" in made
    assert plain(compose(made))["space"] == {
        "hw.chip.engine.cores": {"low": 3, "high": 5, "step": 1},
        "serving.users": [4, 8],
    }


def test_a_quantity_of_one_of_the_files_swept_is_found(loader: ConfigLoader) -> None:
    """SRAM and LPDDR have no stack; its bandwidth is read in B/s, and SRAM's designs do without."""
    words = ("space=none", "hw/chip/memory=glob(s*_lpddr5*,exclude=*en100*)",
             "hw.chip.memory.stack.bandwidth=tag(log, interval(1e12, 8e12))")  # fmt: skip
    made = overrides_of_job([*MACHINE, *words], {}, loader)
    config = plain(compose(made))
    space = Problem(made, config["space"], read_wanted(config["mapping"]), BATCH).space
    assert space.parameters[0].key == "hw/chip/memory"
    assert set(space.files[0].options) == {"sram_lpddr5", "stack_lpddr5x"}
    assert space.numeric[0] == Interval("hw.chip.memory.stack.bandwidth", 1e12, 8e12, True, "B/s", False)


def test_what_is_not_swept_is_the_searchs_own(loader: ConfigLoader) -> None:
    words = [*MACHINE, "search=optuna", "search.trials=7", "objectives.constraints=[memory]"]
    assert overrides_of_job(words, {}, loader) == words
    assert overrides_of_job([*words, "space=none", "serving.users=1,2"], {}, loader)[: len(words)] == words


@pytest.mark.parametrize(
    ("words", "searched"),
    [
        (("search=enumerate", "hw.chip.engine.cores=interval(1,9)"), ["search=enumerate"]),
        (("hw.chip.engine.cores=interval(1,9)",), ["search=optuna"]),
        (("hw.chip.engine.cores=range(1,9)",), []),
    ],
)
def test_an_interval_is_sampled_unless_a_search_is_named(loader: ConfigLoader, words: Any, searched: list[str]) -> None:
    """The default experiment enumerates."""
    found = overrides_of_job(words, {}, loader)
    assert [word for word in found if word.startswith("search")] == searched


WRONG = [
    ("task=evaluate", ["task is 'evaluate'", "leave hydra/sweeper=dse out"]),
    ("hw.chip.engine.coers=1,2", ["no such quantity", "did you mean 'hw.chip.engine.cores'?"]),
    ("hw/chip/memry=a,b", ["no group 'hw/chip/memry'", "did you mean 'hw/chip/memory'?"]),
    ("hw/chip/memory=interval(1,2)", ["space: hw/chip/memory: files have no order"]),
    ("hw/chip/memory=range(1,3)", ["space: hw/chip/memory: files have no order"]),
    ("hw/chip/memory=glob(zz*)", ["no file fits glob(zz*)"]),
    ("hw.chip.engine.cores=glob(*)", ["glob(…) names files, not numbers"]),
    ("experiment=a,b", ["'experiment' is none of them", "leave hydra/sweeper=dse out"]),
    ("seed=1,2", ["'seed' is none of them"]),
    ("mapping.tensor=1,2", ["'mapping' is none of them"]),
    ("+hw.levels.card.packaged=0,1", ["+hw.levels.card.packaged=…, and sweep hw.levels.card.packaged"]),
    ("hw.chip.engine.cores=range(3,1)", ["range(3, 1, 1) is empty"]),
    ("hw.chip.engine.cores=range(1,3,0)", ["range(1, 3, 0) is empty"]),
    ("hw.chip.engine.cores=tag(log,choice(1,2))", ["the tag 'log' is for an interval"]),
    ("hw.chip.engine.frequency=tag(log,int,interval(1,2))", ["leave out log or int"]),
    ("hw.chip.engine.frequency=tag(GHz,MHz,interval(1,2))", ["'GHz' and 'MHz' cannot both be its unit"]),
]


@pytest.mark.parametrize(("word", "told"), WRONG, ids=[word for word, _ in WRONG])
def test_what_no_space_can_vary_is_refused(loader: ConfigLoader, word: str, told: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        overrides_of_job([*MACHINE, "space=none", word], {}, loader)
    assert all(words in str(error.value) for words in told), error.value


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("hw.chip.engine.cores=choice()", "empty choice"),
        ("hw.chip.engine.frequency=interval('1 GHz','2 GHz')", "tag(GHz, interval(1, 2))"),
        ("hw.chip.engine.frequency=tag(TB/s,choice(1,2))", "'1 TB/s' is not a quantity in Hz"),
        ("hw.chip.engine.frequency=interval(2e9,1e9)", "low '2 GHz' is above high '1 GHz'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(own: Path, tmp_path: Path, word: str, told: str) -> None:
    done = run_here(tmp_path, "--config-dir", str(own), "-m", SWEEPER, "experiment=small", word, "hydra.sweep.dir=s")
    assert done.code == 1
    assert told in done.err
    assert done.err.startswith("dse: ")
    assert len(done.err.strip().splitlines()) == 1


# The small question, asked as a sweep.

SWEPT = (
    "-m", SWEEPER, "experiment=small", "space=none", f"search.batch={BATCH}", "search=enumerate", "tracking=none",
    "spreads.draws=0", "details=0",
    "hw/chip/memory=choice(sram_lpddr5, stack_lpddr5x)", "hw.chip.engine.cores=128,256,512",
    "hw.chip.engine.frequency=tag(GHz, range(0.8, 1.3, 0.4))", "hw.chip.memory.stack.layers=choice(1,2,4)",
)  # fmt: skip


@pytest.fixture(scope="module")
def swept(own: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    folder = tmp_path_factory.mktemp("swept")
    done = run_here(folder, "--config-dir", str(own), *SWEPT, "hydra.sweep.dir=study")
    assert done.code == 0, done.err
    return folder, done


def test_a_sweep_is_one_study_in_the_sweeps_folder(swept: tuple[Path, Done]) -> None:
    study = json.loads((swept[0] / "study" / "study.json").read_text())
    assert study["counts"]["evaluated"] == DIFFERENT
    assert not [path for path in (swept[0] / "study").iterdir() if path.is_dir() and path.name.isdigit()]
    assert (swept[0] / "study" / "report.html").is_file()


def test_its_points_are_rebuilt_by_plain_command_lines(swept: tuple[Path, Done]) -> None:
    front = pd.read_csv(swept[0] / "study" / "front.csv")
    for line in front["command"]:
        assert "task=evaluate" in shlex.split(line)[:3]
        assert not any("sweep" in word or "space" in word for word in shlex.split(line))


def test_a_sweep_is_gone_on_with_as_a_sweep_and_as_it_says_itself(own: Path, swept: tuple[Path, Done]) -> None:
    """Its own command line is that of a plain search over the same space; both find all designs on disk."""
    folder, before = swept[0] / "study", (swept[0] / "study" / "front.csv").read_text()
    _, *words = shlex.split(json.loads((folder / "study.json").read_text())["command"])
    parts = sorted(path.name for path in (folder / "trials").iterdir())
    for again in (("--config-dir", str(own), *SWEPT), tuple(words)):
        done = run_here(swept[0], *again, "resume=study")
        assert done.code == 0, done.err
        assert (folder / "front.csv").read_text() == before
        assert sorted(path.name for path in (folder / "trials").iterdir()) == parts
    assert not (swept[0] / "multirun").exists()
    assert not (swept[0] / "outputs").exists()


def test_values_and_kinds_are_those_of_the_plain_space(loader: ConfigLoader) -> None:
    """The same designs as a space in YAML."""
    made = overrides_of_job(
        [*MACHINE, "space=none", "hw.chip.engine.frequency=tag(GHz, range(0.8, 1.7, 0.1))"], {}, loader
    )
    config = plain(compose(made))
    (found,) = Problem(made, config["space"], read_wanted(config["mapping"]), BATCH).space.parameters
    assert isinstance(found, Values)
    assert found.numbers == pytest.approx([0.8e9 + 0.1e9 * n for n in range(9)], rel=1e-9)
