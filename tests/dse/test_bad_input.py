"""Wrong input: an exit code, and one message with the place, the value, the rule and what to write instead."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import Done, run_here, run_process
from small import MACHINE, SMALL, write_own

from dse.configuration.messages import message
from dse.machine.single import answer
from dse.problem.budget import duration, too_large
from dse.problem.problem import Problem
from dse.problem.session import read_wanted
from dse.problem.space import Space, Values, files, numbers
from dse.problem.template import Template, template
from dse.run.damaged import set_aside
from dse.run.resumed import gone_on_with
from dse.run.store import Trials
from dse.search.enumerate import Enumeration
from dse.search.optimise import OptunaSearch
from dse.search.resuming import differences, listed
from hw.units import Rule

EVALUATE = ("task=evaluate", *MACHINE, "tracking=none")


@pytest.fixture(scope="module")
def card() -> Template:
    return template(MACHINE)


def refused(done: Done, *words: str) -> None:
    """One message, with all of these words, and no traceback."""
    assert done.code == 1
    lines = done.err.strip().splitlines()
    told = [line for line in lines if line.startswith("dse: ")]
    assert len(told) == 1, done.err
    assert lines[-1] == told[0], "the message is the last line and the only one of its kind"
    assert "Traceback" not in done.err + done.out
    assert "not your input's fault" not in done.err
    for word in words:
        assert word in told[0], told[0]


COMPONENTS = [
    # quantities: place, value, rule, remedy
    ("hw.chip.engine.frequency='4 TB'", ["frequency", "'4 TB'", "Hz", "'1.2 GHz'"]),
    ("hw.chip.engine.frequency=4", ["frequency: 4 has no unit", "'1.2 GHz'"]),
    ("hw.chip.engine.frequency=-1 GHz", ["frequency", "'-1 GHz'", "must be above 0 Hz"]),
    ("hw.chip.engine.frequency=0 GHz", ["'0 GHz'", "must be above 0 Hz"]),
    ("hw.chip.engine.frequency=null", ["frequency", "None", "'1.2 GHz'"]),
    ("hw.chip.engine.frequency=1 GHz +/- some", ["frequency", "some"]),
    ("hw.chip.engine.cores=1.5", ["cores", "1.5 must be a whole number"]),
    ("hw.levels.card.fanout=-2", ["hw.levels.card.fanout", "-2 must be at least 1"]),
    ("serving.users=0", ["serving.users", "0 must be at least 1"]),
    ("serving.prefill_share=2", ["serving.prefill_share", "2 must be at most 1"]),
    ("serving.prompt=many", ["serving.prompt", "'many'", "whole number"]),
    ("model.blocks.all.mixer.heads=33", ["heads", "33", "8"]),
    ("+hw.chip.engine.freqency=1 GHz", ["hw.chip.engine.freqency", "did you mean 'frequency'?"]),
    ("~hw.chip.engine.cores", ["hw.chip.engine", "cores is missing"]),
    ("format=fp8", ["format", "exponent", "format=mxint8"]),
    ("hw.chip.engine._target_=os.system", ["hw.chip.engine", "'os.system'", "hw., models."]),
    ("hw.chip.engine._target_=hw.engine.Nothing", ["hw.chip.engine", "'hw.engine.Nothing' does not exist"]),
    ("hw.chip.cooling.thermal_resistance=200 K", ["thermal_resistance", "'200 K'", "'200 K*mm2/W'"]),
    ("hw.chip.leakage.doubling=30 W", ["doubling", "'30 W'"]),
    ("hw.chip.memory.sram=3", ["hw.chip.memory", "component"]),
]


@pytest.mark.parametrize(("word", "told"), COMPONENTS, ids=[word for word, _ in COMPONENTS])
def test_a_machine_that_cannot_be_is_refused(word: str, told: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        template([*MACHINE, word])
    for part in told:
        assert part in message(error.value)
    assert "\n" not in message(error.value)


MAPPINGS = [
    ("tensor", 48, ["mapping.tensor=48", "8 chips", "[1, 2, 4, 8]"]),
    ("tensor", -1, ["mapping.tensor", "-1", "whole number from 1, or auto"]),
    ("tensor", 2.5, ["mapping.tensor", "2.5", "whole number from 1, or auto"]),
    ("batch", 0, ["mapping.batch", "0", "whole number from 1, or auto"]),
    ("tensor", 3, ["mapping.tensor=3", "does not fill levels from the inside", "[1, 2, 4, 8]"]),
    ("pipeline", 33, ["mapping.pipeline=33", "more than 32 layers", "is more than 8 chips"]),
    ("data", 16, ["mapping.data=16", "is more than 8 chips"]),
    ("expert", 2, ["mapping.expert", "this one has none", "1 or auto"]),
    ("attention_data", 2, ["mapping.attention_data", "this one has none", "1 or auto"]),
    ("stages_inside", "maybe", ["mapping.stages_inside", "'maybe'", "true, false nor auto"]),
    ("weights", "hbm", ["mapping.weights", "'hbm'", "lpddr, sram"]),
    ("cache", "srm", ["mapping.cache", "'srm'", "did you mean 'sram'?"]),
    ("objective", "energy_per_tokn", ["mapping.objective", "'energy_per_tokn'", "did you mean 'energy_per_token'?"]),
]


@pytest.mark.parametrize(("name", "value", "told"), MAPPINGS)
def test_a_mapping_that_cannot_be_is_refused(card: Template, name: str, value: Any, told: list[str]) -> None:
    given = {"objective": "time_per_output_token"} | {name: value}
    with pytest.raises(ValueError) as error:
        answer(card, read_wanted(given))
    for part in told:
        assert part in message(error.value)


STACKS = [
    ("hw.chip.memory.stack.overlap=-0.1", ["overlap", "-0.1", "above 0"]),
    ("hw.chip.memory.stack.overlap=1.2", ["overlap", "1.2", "at most 1"]),
    ("hw.chip.memory.stack.pitch=10 um", ["pitch: 10 um is below finest_pitch", "25 um", "finer bonding"]),
    ("hw.chip.memory.stack.layers=0", ["layers", "0 must be at least 1"]),
]


@pytest.mark.parametrize(("word", "told"), STACKS, ids=[word for word, _ in STACKS])
def test_a_stack_that_cannot_be_is_refused(word: str, told: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        template(["hw=raptor_card", word])
    for part in told:
        assert part in message(error.value)


def test_a_search_that_would_break_a_rule_between_numbers_is_refused() -> None:
    """Before anything is evaluated, at the least value of the range."""
    space = {"hw.chip.memory.stack.pitch": ["36 um", "20 um"]}
    problem = Problem(["hw=raptor_card"], space, read_wanted({"objective": "power"}), 8)
    with pytest.raises(ValueError, match=r"space: hw.chip.memory.stack.pitch: pitch: 20 um is below finest_pitch"):
        problem.evaluate(problem.space.designs(0, 2))


@pytest.mark.slow
def test_a_stack_too_hot_to_settle_is_said_in_words(tmp_path: Path) -> None:
    words = ("task=evaluate", "hw=raptor_card", "format=mxint8", "tracking=none", "hydra.run.dir=run")
    done = run_here(tmp_path, *words, "hw.chip.memory.stack.layers=16", "hw.chip.memory.stack.cooled_through=1")
    assert done.code == 0, done.err
    assert "does not settle: leakage and refresh feed on their own heat" in " ".join(done.out.split())
    assert "NaN" not in (tmp_path / "run" / "metrics.json").read_text()


WORDS = [
    ("hw.chip.engine.frequency=4 TB", ["command line", "frequency", "'4 TB'", "Hz", "'1.2 GHz'"]),
    ("hw.chip.engine.freqency=1 GHz", ["hw.chip.engine.freqency", "did you mean 'frequency'?"]),
    ("mapping.tenser=4", ["mapping.tenser", "did you mean 'tensor'?"]),
    ("+mapping.tenser=4", ["mapping", "'tenser'", "did you mean 'tensor'?"]),
    ("hwd.chip=1", ["hwd", "hw"]),
    ("hw=corsiar_card", ["hw=corsiar_card", "did you mean hw=corsair_card?"]),
    ("hw/chip/memory=stack_lpddr5", ["hw/chip/memory=stack_lpddr5", "did you mean hw/chip/memory=stack_lpddr5x?"]),
    ("task=evalute", ["task=evalute", "did you mean task=evaluate?"]),
    ("mapping.tensor=48", ["mapping.tensor=48", "8 chips", "[1, 2, 4, 8]"]),
    ("format=fp8", ["format", "exponent", "format=mxint8"]),
]


@pytest.mark.parametrize(("word", "told"), WORDS, ids=[word for word, _ in WORDS])
def test_a_wrong_word_is_refused(tmp_path: Path, word: str, told: list[str]) -> None:
    done = run_here(tmp_path, *EVALUATE, "hydra.run.dir=run", word)
    refused(done, *told)
    assert not list(tmp_path.rglob("metrics.json"))


SEARCHES = [
    ("search.trials=0", ["search.trials", "0 must be at least 1"]),
    ("search.trials=many", ["search.trials", "many"]),
    ("+search.trails=3", ["search", "trails", "trials"]),
    ("+search.sampler.populaton_size=8", ["search.sampler", "populaton_size"]),
    ("seed=abc", ["seed", "'abc'"]),
    ("seed=-1", ["seed", "-1"]),
    ("mapping.tenser=4", ["mapping.tenser", "did you mean 'tensor'?"]),
    ("+space.hw.chip.engine.coers=[1,2]", ["space: hw.chip.engine.coers", "did you mean 'hw.chip.engine.cores'?"]),
    ("+space.speed=[1,2]", ["space", "speed"]),
    ("+space.model=[llama3_8b,llama]", ["model=llama", "did you mean model=llama3_8b?"]),
    ("+objectives.goals.energy=minimize", ["objectives.goals", "'energy'"]),
    ("mapping.tensor=48", ["mapping.tensor=48", "[1, 2, 4, 8]"]),
    ("mapping.weights=hbm", ["mapping.weights", "'hbm'"]),
    pytest.param("mapping.weights=sram", ["mapping.weights", "'sram'", "lpddr, stack"], marks=pytest.mark.slow),
    ("resume=nowhere", ["resume", "'nowhere'", "name the folder"]),
    ("objectives.constraints=[memry]", ["objectives.constraints", "'memry'", "did you mean 'memory'?"]),
]


@pytest.mark.parametrize(("word", "told"), SEARCHES, ids=lambda given: given if isinstance(given, str) else "")
def test_a_wrong_search_is_refused(own: Path, tmp_path: Path, word: str, told: list[str]) -> None:
    given = [other for other in (*SMALL, "search.trials=8") if other.split("=")[0] != word.split("=")[0]]
    words = given if word.startswith("resume") else [*given, "hydra.run.dir=run"]
    refused(run_here(tmp_path, "--config-dir", str(own), *words, word), *told)
    assert not list(tmp_path.rglob("front.csv"))


@pytest.mark.parametrize("name", ["chunk", "batch", "keep", "most"])
@pytest.mark.parametrize("given", [0, -1, 1.5, "many", None])
def test_an_enumeration_without_a_budget_is_refused(name: str, given: Any) -> None:
    with pytest.raises(ValueError, match=rf"search\.{name}: "):
        Enumeration(**{"chunk": 8, "batch": 8, "keep": 8, "most": 8} | {name: given})


@pytest.mark.parametrize("name", ["trials", "batch"])
def test_a_sampler_without_a_budget_is_refused(name: str) -> None:
    given: dict[str, Any] = {"trials": 8, "batch": 8, "sampler": {}} | {name: 0}
    with pytest.raises(ValueError, match=rf"search\.{name}: 0 must be at least 1"):
        OptunaSearch(**given)


def test_a_space_too_large_says_its_size_its_time_and_what_to_use_instead() -> None:
    """10^12 designs of 100 mappings at a million evaluations a second: 10^8 s, three years."""
    words = too_large(Space(tuple(Values(f"hw.{n}", tuple(range(1000)), "") for n in "abcd")), 1e9, 100, 1e6)
    assert "1,000,000,000,000 designs are more than search.most=1,000,000,000" in words
    assert "with 100 mappings each they would take about 3.2 years at 1,000,000 evaluations a second" in words
    assert "search=evolve or search=optuna" in words
    assert "name fewer values (1,000 of hw.d and 1,000 of hw.c)" in words


@pytest.mark.parametrize(
    ("time", "words"),
    [(0.5, "0.5 seconds"), (200, "3.3 minutes"), (7200, "120 minutes"), (2e4, "5.6 hours"), (1e9, "32 years")],
)
def test_times_are_said_in_a_unit_that_reads_well(time: float, words: str) -> None:
    assert duration(time) == words


def test_choices_that_are_named_twice_count_once() -> None:
    assert files("hw/fabric", ["one", "other", "one"]).options == ("one", "other")
    assert numbers("hw.x", ["1 GHz", "1000 MHz", "2 GHz"], Rule("Hz")).size == 2
    assert numbers("hw.x", {"low": 3, "high": 3, "count": 5}, Rule(whole=True)).size == 1


CHANGES = [
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ["a.c: 2 then, 3 now"]),
    ({"a": {"b": [1, 2]}}, {"a": {"b": [1]}}, ["a.b: [1, 2] then, [1] now"]),
    ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {}}, ["a.b.c: 1 then, nothing now", "a.b.d: 2 then, nothing now"]),
    ({"a": None}, {"a": {"b": {"c": "1 GHz"}}}, ["a.b.c: nothing then, '1 GHz' now"]),
    ({"a": 1}, {"a": None}, ["a: 1 then, None now"]),
    ({"a": 1}, {"a": 1, "b": None}, ["b: nothing then, None now"]),
    ({"a": {"b": 1}}, {"a": {"b": 1}}, []),
]


@pytest.mark.parametrize(("one", "other", "words"), CHANGES)
def test_every_difference_is_named_by_its_path(one: Any, other: Any, words: list[str]) -> None:
    assert differences(one, other) == words


def test_more_differences_than_a_message_holds_are_counted() -> None:
    words = listed([f"a.{n}: 1 then, 2 now" for n in range(25)])
    assert "a.19: 1 then, 2 now" in words
    assert words.endswith("and 5 more")


def test_a_file_of_ones_own_is_named_where_it_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "mine" / "hw").mkdir(parents=True)
    path = tmp_path / "mine" / "hw" / "slow_card.yaml"
    path.write_text("defaults: [corsair_card, _self_]\nchip: {engine: {frequency: 4 TB}}\n")
    words = [word for word in EVALUATE if not word.startswith("hw=")]
    done = run_here(tmp_path, "--config-dir=mine", *words, "hw=slow_card", "hydra.run.dir=run")
    refused(done, f"{path}: chip.engine.frequency", "'4 TB'", "'1.2 GHz'")


@pytest.mark.parametrize("words", [("task=log",), ("task=log", "run=nowhere")], ids=["run missing", "run nowhere"])
def test_a_run_that_is_not_there_cannot_be_logged(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run_here(tmp_path, *words, f"tracking.uri=sqlite:///{tmp_path}/runs.db")
    refused(done, "run: ", "nowhere" if len(words) > 1 else "dse task=log run=FOLDER")
    assert not (tmp_path / "nowhere").exists()


def test_a_run_that_did_not_finish_cannot_be_logged(tmp_path: Path) -> None:
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "search.json").write_text("{}")
    done = run_here(tmp_path, "task=log", "run=begun", f"tracking.uri=sqlite:///{tmp_path}/runs.db")
    refused(done, "begun", "did not finish")
    assert "tracking.uri" not in done.err


def test_a_folder_that_is_not_there_is_not_made_by_resuming(own: Path, tmp_path: Path) -> None:
    run_here(tmp_path, "--config-dir", str(own), *SMALL, "search.trials=8", "resume=nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.fixture(scope="module")
def begun(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of eight designs."""
    folder = tmp_path_factory.mktemp("begun")
    done = run_here(folder, "--config-dir", str(own), *SMALL, "search.trials=8", "hydra.run.dir=study")
    assert done.code == 0, done.err
    return folder


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("seed=2", "seed: 1 then, 2 now"),
        ("search.trials=16", "search.trials: 8 then, 16 now"),
        ("hw.chip.engine.overhead=100 ns", "hw.chip.engine.overhead: '200 ns' then, '100 ns' now"),
    ],
)
def test_a_search_cannot_go_on_as_another(own: Path, begun: Path, word: str, told: str) -> None:
    given = [other for other in (*SMALL, "search.trials=8") if other.split("=")[0] != word.split("=")[0]]
    done = run_here(begun, "--config-dir", str(own), *given, word, "resume=study")
    refused(done, "resume: ", told, "repeat its command line: dse ")


def test_a_refused_search_is_left_as_it_was_and_says_how_to_go_on(own: Path, begun: Path) -> None:
    """The command line that is told, typed as it is told, goes on."""
    before = snapshot(begun / "study")
    done = run_here(begun, "--config-dir", str(own), *SMALL, "search.trials=8", "seed=2", "resume=study")
    program, *words = shlex.split(done.err.strip().rpartition("repeat its command line: ")[2])
    assert program == "dse"
    assert run_here(begun, *words).code == 0
    again = snapshot(begun / "study")
    assert {name for name in before if before[name] != again.get(name)} <= {
        "study.json",
        "report.html",
        "search.json",
        "dse.log",
    }


def test_a_folder_alone_is_gone_on_with_as_it_was_begun(begun: Path, tmp_path: Path) -> None:
    """From anywhere, and with what is said of how it is done, not of what is searched."""
    before = (begun / "study" / "front.csv").read_text()
    done = run_here(tmp_path, f"resume={begun / 'study'}", "--json", "details=1")
    assert done.code == 0, done.err
    assert json.loads(done.out)["counts"]["evaluated"] == 8
    assert (begun / "study" / "front.csv").read_text() == before
    assert not list(tmp_path.iterdir())


def test_a_line_that_says_more_is_taken_as_it_is_typed(tmp_path: Path) -> None:
    command = "dse --config-dir=/own experiment=x scale=none 'a.b=1 GHz' resume=before"
    (tmp_path / "search.json").write_text(json.dumps({"command": command}))
    resume = f"resume={tmp_path}"
    whole = ["--config-dir=/own", "experiment=x", "a.b=1 GHz", "scale=dask", resume]
    assert gone_on_with(["scale=dask", resume]) == whole
    for typed in ([resume, "seed=2"], ["--config-dir", "mine", resume], ["experiment=x"], ["resume=nowhere"], []):
        assert gone_on_with(typed) == typed
    (tmp_path / "search.json").write_text(json.dumps({"command": "dse search.storage=postgresql://u:***@h/d"}))
    assert gone_on_with([resume]) == [resume], "a password is nowhere written down"


def test_a_space_that_a_machine_has_no_part_for_is_refused_in_words(tmp_path: Path) -> None:
    done = run_here(tmp_path, "hw=corsair_card", "tracking=none", "hydra.run.dir=run")
    told = "that of the default experiment varies hw/fabric, which hw=corsair_card has not"
    refused(done, told, "dse task=evaluate hw=corsair_card", "experiment=NAME")
    done = run_here(tmp_path, *EVALUATE, "hw/fabric=fabrex", "hydra.run.dir=run")
    refused(done, "hw/fabric: the composed configuration has no such part")


def test_every_change_of_a_files_content_is_named(own: Path, begun: Path) -> None:
    """Another file in the place of one: each number that differs, not the name of the file alone."""
    words = (*SMALL, "search.trials=8", "format=mxint4", "serving.users=61", "resume=study")
    done = run_here(begun, "--config-dir", str(own), *words)
    told = ("format.weights.element_bits: 8 then, 4 now", "serving.users: 60 then, 61 now")
    refused(done, "resume: ", *told, "repeat its command line: dse ")


def test_a_configuration_that_was_cut_short_is_not_gone_on_with(own: Path, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "search.json").write_text('{"overrides": [')
    done = run_here(tmp_path, "--config-dir", str(own), *SMALL, "search.trials=8", "resume=study")
    refused(done, "search.json is no longer what was written", "begin a search of its own")


def written(folder: Path, batches: int) -> Trials:
    """So many batches of two designs."""
    trials = Trials(folder, ["x"])
    for n in range(batches):
        trials.append(np.array([[2.0 * n], [2.0 * n + 1]]), {"metrics.power": np.zeros(2)}, (2 * n + 2, 2, 0))
    return trials


@pytest.mark.parametrize("left", [0, 4, 0.5, -1])
def test_a_batch_that_was_cut_short_is_set_aside_with_those_after_it(tmp_path: Path, left: float) -> None:
    trials = written(tmp_path, 4)
    path = trials.parts()[2]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole)) if isinstance(left, float) else left])
    (said,) = set_aside(tmp_path)
    assert said.startswith(f"resume: {path} cannot be read (")
    assert "it and the 1 after it are set aside as *.damaged and evaluated again; 2 batches are kept" in said
    assert trials.load()[0].ravel().tolist() == [0, 1, 2, 3]
    assert trials.covered() == 4
    written_again = {part.name for part in trials.parts()}
    trials.append(np.array([[4.0], [5.0]]), {"metrics.power": np.zeros(2)}, (6, 2, 0))
    assert len(trials.parts()) == len(written_again) + 1
    assert set_aside(tmp_path) == []


def test_whole_batches_are_left_alone_and_drafts_removed(tmp_path: Path) -> None:
    trials = written(tmp_path, 2)
    (tmp_path / "trials" / "000002-6-2-0.tmp").write_bytes(b"PAR1")
    assert set_aside(tmp_path) == []
    assert len(trials.parts()) == 2
    assert not list(tmp_path.rglob("*.tmp"))
    assert set_aside(tmp_path / "nowhere") == []


def test_a_search_goes_on_from_the_last_good_batch(own: Path, begun: Path, tmp_path: Path) -> None:
    shutil.copytree(begun / "study", tmp_path / "study")
    part = sorted((tmp_path / "study" / "trials").glob("*.parquet"))[-1]
    part.write_bytes(part.read_bytes()[:100])
    done = run_here(tmp_path, "--config-dir", str(own), *SMALL, "search.trials=8", "resume=study")
    assert done.code == 0, done.err
    assert "cannot be read" in done.out
    assert json.loads((tmp_path / "study" / "study.json").read_text())["counts"]["evaluated"] == 8


def test_a_space_of_one_design_is_searched(tmp_path: Path) -> None:
    """Every parameter has one value: no sampler has anything to choose, and the one design is the answer."""
    one = {"hw/chip/memory": "[stack_lpddr5x, stack_lpddr5x]", "hw.chip.engine.cores": "[128]"}
    one |= {"hw.chip.engine.frequency": "[0.8 GHz]", "hw.chip.memory.stack.layers": "{low: 2, high: 2, step: 1}"}
    lines = [f"{key}: {values}" for key, values in one.items()]
    (write_own(tmp_path / "mine") / "space" / "one.yaml").write_text("\n".join(lines))
    words = (*SMALL, "space=one", "search.trials=8", "hydra.run.dir=study")
    done = run_here(tmp_path, "--config-dir", "mine", *words)
    assert done.code == 0, done.err
    counts = json.loads((tmp_path / "study" / "study.json").read_text())["counts"]
    assert (counts["evaluated"], counts["space"]) == (1, 1)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tracebacks_are_shown_where_they_are_asked_for(tmp_path: Path) -> None:
    words = (*EVALUATE, "hw.chip.engine.frequency=4 TB")
    plain, full = run_process(tmp_path, *words), run_process(tmp_path, *words, HYDRA_FULL_ERROR="1")
    refused(plain, "'4 TB' is not a quantity in Hz")
    assert plain.err.count("\n") == 1, "one line"
    assert full.code != 0
    assert "Traceback" in full.err
    assert "'4 TB' is not a quantity in Hz" in full.err


def test_the_other_jobs_of_a_sweep_are_done(tmp_path: Path) -> None:
    words = ("-m", *EVALUATE, "mapping.tensor=48,8", "mapping.pipeline=1", "hydra.sweep.dir=many")
    done = run_here(tmp_path, *words)
    refused(done, "mapping.tensor=48")
    assert [path.parent.name for path in tmp_path.rglob("metrics.json")] == ["1"]


@pytest.mark.parametrize("keep", [1, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_fits_nowhere_is_an_answer(own: Path, tmp_path: Path, keep: int) -> None:
    """Llama 3 70B in the 2 GB of a card's SRAM: no error; the smallest violation is said, the front has only a head."""
    words = ("hw=corsair_card", "model=llama3_70b", "serving=interactive", "space=none", "baselines=null")
    space = "+space.hw.chip.engine={cores: [128, 256], frequency: [0.8 GHz, 1.2 GHz]}"
    limits = ("mapping.weights=sram", "mapping.tensor=8", "mapping.pipeline=1", "tracking=none")
    search = (
        "search=enumerate",
        "search.batch=8",
        f"search.keep={keep}",
        "spreads.draws=0",
        "details=0",
        "hydra.run.dir=study",
    )
    done = run_here(tmp_path, *words, space, *limits, *search)
    assert done.code == 0, done.err
    front = pd.read_csv(tmp_path / "study" / "front.csv")
    assert len(front) == 0
    assert {"hw.chip.engine.cores", "command"} <= set(front.columns)
    study = json.loads((tmp_path / "study" / "study.json").read_text())
    assert study["counts"] == {"evaluated": 4, "feasible": 0, "front": 0, "space": 4}
    least = min(-point["headroom"]["memory"] for point in study["nearest"])
    assert least > 8e9, "72 GB over 8 chiplets of 256 MB"
    out = " ".join(done.out.split())
    assert f"memory: {least / 1e9:.3g} GB are missing in tier sram of a chip, which holds 256 MB" in out
    assert f"Least to give: memory, {least / 1e9:.3g} GB more (tier sram of a chip from 256 MB to" in out
    assert f"would let {study['opening'][0]['design']} in" in out
    assert study["opening"][0]["gives"] == {"memory": least}


def test_a_bug_is_not_blamed_on_the_input() -> None:
    assert message(KeyError("x")).startswith("this is not your input's fault: KeyError: 'x'")
    assert message(ValueError("hw: wrong")) == "hw: wrong"
