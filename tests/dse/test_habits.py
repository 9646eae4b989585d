"""Habits of the command: flags, exit codes, what is said where, and folders of other versions."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from machines import composed
from omegaconf import OmegaConf
from running import COMMAND, Done, run_here
from small import SMALL

from dse.configuration.messages import hydra_message
from dse.problem.commands import kept
from dse.problem.folders import ADDED, other_hand, read
from dse.problem.session import LAYOUT
from dse.run import bars, logs, outcome
from dse.run.answers import NEEDED, STUDY
from dse.run.bars import activity, along, bar, clock, rate
from dse.run.console import console, speak, warn
from dse.run.flags import Manner, left_to_hydra, translated
from dse.search.resuming import tell_what_is_kept
from dse.search.sweeping import Sweep, said
from dse.uncertainty.robust import asked_for

REFUSED_EARLY = (
    "hw=corsair_sever", "hw.chip.engin.cores=3", "seed=x", "resume=nowhere", "task=log run=nowhere",
    "task=validate suite=silicn",
)  # fmt: skip


@pytest.fixture(autouse=True)
def spoken() -> Any:
    """Every test begins and ends with the ordinary manner."""
    speak(Manner())
    yield
    speak(Manner())


# Flags, before Hydra reads the line.


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("--quiet hw=a", "quiet=true hw=a"),
        ("hw=a --json", "output=json hw=a"),
        ("--config-dir mine --quiet hw=a", "--config-dir mine quiet=true hw=a"),
        ("-m hw=a,b --cfg job -q", "-m quiet=true hw=a,b --cfg job"),
        ("--quiet --quiet --json", "quiet=true output=json"),
        ("hw=a", "hw=a"),
    ],
)
def test_flags_become_overrides_beside_the_others(typed: str, given: str) -> None:
    """In one stretch: a second stretch of overrides behind a flag is refused by the reader of the line."""
    assert translated(typed.split()) == given.split()


def test_a_line_says_how_to_speak_before_it_is_composed() -> None:
    assert Manner.of(["--json", "hw=a"]) == Manner(json=True)
    assert Manner.of(["quiet=True", "output=text"]) == Manner(quiet=True)
    assert Manner.of(["hw=a"]) == Manner()
    for wrong, told in (({"quiet": 3, "output": "text"}, "quiet: 3"), ({"quiet": False, "output": "xml"}, "'xml'")):
        with pytest.raises(ValueError, match=told):
            Manner.read(wrong)


def test_how_a_run_speaks_is_no_part_of_what_it_is_of() -> None:
    words = ["hw=a", "quiet=true", "output=json"]
    assert left_to_hydra(words) == ["hw=a"]
    assert kept([*words, "reference=folder"]) == ["hw=a"]


# Exit codes, refusals.


@pytest.mark.parametrize(("word", "code"), [("--foo", 2), ("hw=corsair_sever", 1), ("--version", 0), ("--help", 0)])
def test_exit_codes(tmp_path: Path, word: str, code: int) -> None:
    assert run_here(tmp_path, word).code == code


def test_nobody_reads_on(tmp_path: Path) -> None:
    """As under `dse ... | head -1`: no word of it, and the shell's code for a closed pipe."""
    run = subprocess.Popen([*COMMAND, "--help"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout is not None
    run.stdout.close()
    assert run.stderr is not None
    told = run.stderr.read()
    assert (run.wait(60), told) == (141, b"")


def test_a_table_that_nobody_reads_ends_like_any_other_words() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        type(console)(file=Gone()).print("words")


def test_a_refusal_is_an_object_where_json_is_asked_for(tmp_path: Path) -> None:
    done = run_here(tmp_path, "--json", "hw=corsair_sever")
    found = json.loads(done.out)
    assert (found["exit"], done.code) == (1, 1)
    assert f"dse: {found['error']}" == done.err.strip()


def test_a_refused_run_leaves_no_folder(tmp_path: Path) -> None:
    assert run_here(tmp_path, "seed=x", "hydra.run.dir=run").code == 1
    assert list(tmp_path.iterdir()) == []


def test_wrong_words_wait_for_no_heavy_import(tmp_path: Path) -> None:
    """All of them in a process of their own, which has neither the array library nor the trackers afterwards."""
    program = f"""
import sys
from dse.__main__ import main
from hydra.core.global_hydra import GlobalHydra
for words in {REFUSED_EARLY!r}:
    sys.argv = ["dse", *words.split()]
    try:
        main()
    except SystemExit as stop:
        assert stop.code == 1, words
    else:
        raise AssertionError(words)
    GlobalHydra.instance().clear()
    import os; os.environ.pop("HYDRA_FULL_ERROR")
    heavy = [name for name in ("jax", "equinox", "optuna", "mlflow", "pandas", "scipy") if name in sys.modules]
    assert not heavy, (words, heavy)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.strip().splitlines()) == len(REFUSED_EARLY)


def test_the_first_part_of_a_path_that_is_not_there_is_named() -> None:
    error = ValueError("Could not override 'hw.chip.engin.cores'.\nKey 'engin' is not in struct\n full_key: hw.chip")
    words = hydra_message(error, [])
    assert words.startswith("command line: hw.chip.engin: there is no 'engin' in hw.chip; did you mean 'engine'?")


def test_drawn_machines_are_not_asked_of_a_cluster_that_had_to_start_first() -> None:
    given = {"robust": "p90", "spreads": composed()["spreads"], "scale": {"_target_": "dse.search.scale_dask.Cluster"}}
    with pytest.raises(ValueError, match="scale=none, or robust=null"):
        asked_for(given)


# What is said, and where.


def test_quiet_says_paths_alone_and_what_goes_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    speak(Manner(quiet=True))
    console.print("a table")
    warn("a server is down")
    outcome.ended("evaluate", {"seed": 1}, [Path("run/metrics.json"), Path("run/curve.svg")])
    told = capsys.readouterr()
    assert told.out.split() == ["run/metrics.json", "run/curve.svg"]
    assert told.err.strip() == "a server is down"


def test_json_is_one_object_of_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    speak(Manner(json=True))
    console.print("a table")
    content = {"seed": 3, "metrics": {"power": float("nan")}, "config": {"large": 1}, "front": [{"curve": [], "x": 1}]}
    outcome.ended("explore", content | {"command": "dse s=postgresql://u:secret@h/d"}, [Path("run/study.json")])
    told = capsys.readouterr()
    assert told.out.count("\n") == 1
    assert json.loads(told.out) == {
        "task": "explore", "folder": "run", "files": ["run/study.json"], "seed": 3, "metrics": {"power": None},
        "front": [{"x": 1}], "command": "dse s=postgresql://u:***@h/d",
    }  # fmt: skip
    assert "a table" in told.err


def test_the_seed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    outcome.ended("evaluate", {"seed": 7}, [])
    assert capsys.readouterr().out.split() == ["seed", "7"]


@pytest.mark.parametrize(("name", "coloured"), [("FORCE_COLOR", True), ("NO_COLOR", False), ("", False)])
def test_colours_are_for_terminals_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, coloured: bool
) -> None:
    for known in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(known, raising=False)
    if name:
        monkeypatch.setenv(name, "1")
    speak(Manner())
    console.print("words", style="red")
    assert ("\x1b[31m" in capsys.readouterr().out) == coloured


def test_a_bar_in_a_pipe_is_a_line_at_its_end_of_what_took_a_while(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # which is about colours, not about bars
    with activity("compiling"), bar("quick", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(bars, "LONG", 0.0)
    assert list(along("claims", [1, 2])) == [1, 2]
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("claims: 2 of 2 in ")
    assert told.err.count("\n") == 1
    speak(Manner(quiet=True))
    list(along("claims", [1, 2]))
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


def test_bars_of_a_terminal_stand_below_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is inside another joins its drawing, and says what it is at; when it ends, its line goes."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with bar("searching", 4) as advance:
        advance.at("a machine")
        with activity("compiling [this]"):
            assert len(bars._live) == 1
            time.sleep(0.25)
        advance(4)
    assert bars._live == []
    for words in ("searching: a machine", "compiling [this]", "4/4"):
        assert words in shown.getvalue()
    assert max(map(len, shown.getvalue().splitlines())) < 400


@pytest.mark.parametrize(("speed", "words"), [(0, ""), (0.05, "3.0/min"), (2.5, "2.5/s"), (1234.5, "1,234/s")])
def test_a_rate_reads_well(speed: float, words: str) -> None:
    assert rate(speed) == words


def test_a_time_reads_well() -> None:
    assert [clock(seconds) for seconds in (0, 61, 3723)] == ["0:00", "1:01", "1:02:03"]


# Logs.


def test_warnings_of_libraries_are_logged_and_not_shown(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    with logs.warnings_logged():
        warnings.simplefilter("always")
        warnings.warn("this is experimental", stacklevel=1)
    assert "this is experimental" in caplog.text
    assert capsys.readouterr().err == ""


def test_the_terminal_shows_our_debug_where_it_is_asked_for_and_others_errors() -> None:
    handler, own = logs.ToTerminal(), logging.getLogger("dse")
    record = logging.makeLogRecord({"name": "dse.run.bars", "levelno": logging.INFO})
    before = own.level
    try:
        own.setLevel(logging.INFO)
        assert not handler.filter(record)
        own.setLevel(logging.DEBUG)
        assert handler.filter(record)
    finally:
        own.setLevel(before)
    assert not handler.filter(logging.makeLogRecord({"name": "jax", "levelno": logging.WARNING}))
    assert handler.filter(logging.makeLogRecord({"name": "jax", "levelno": logging.ERROR}))


def test_a_log_makes_no_folder(tmp_path: Path) -> None:
    handler = logs.ToFile(str(tmp_path / "gone" / "dse.log"))
    handler.emit(logging.makeLogRecord({"msg": "lost"}))
    assert list(tmp_path.iterdir()) == []


# Sweeps.


def test_jobs_are_labelled_and_a_table_ends_them(tmp_path: Path) -> None:
    """Two jobs that are refused at once: each has its head, its message and its row, and the whole fails."""
    done = run_here(tmp_path, "-m", "task=log", "run=nowhere,neither", "hydra.sweep.dir=many")
    assert done.code == 1
    assert [line for line in done.out.splitlines() if line.startswith("[")] == [
        "[1/2] run=nowhere",
        "[2/2] run=neither",
    ]
    assert [line.partition(": run: ")[0] for line in done.err.splitlines()] == ["dse: job 1", "dse: job 2"]
    assert done.out.count("failed") == 2


def test_a_sweep_in_json_is_a_line_for_each_job(tmp_path: Path) -> None:
    done = run_here(tmp_path, "-m", "--json", "task=log", "run=nowhere,neither", "hydra.sweep.dir=many")
    assert ["error" in json.loads(line) for line in done.out.splitlines()] == [True, True]


def test_a_label_is_what_differs() -> None:
    sweep = Sweep()
    sweep.jobs = [["task=evaluate", "hw=a", "x=1"], ["task=evaluate", "hw=b", "x=1"]]
    assert [sweep.label(number) for number in range(2)] == ["hw=a", "hw=b"]
    config = OmegaConf.create({"hydra": {"sweeper": {"_target_": "somebody.elses"}}})
    other = Sweep()
    other.on_multirun_start(config)
    assert other.jobs == []


def test_how_a_job_ended_is_said() -> None:
    assert said(None) == "failed"
    assert said({"metrics": {}, "missing": ["8 GB"]}) == "does not fit"
    assert said({"counts": {"front": 3, "evaluated": 1200}}) == "3 points of 1,200 designs"


# Folders of other versions.


def study(folder: Path, **changes: Any) -> Path:
    found = dict.fromkeys(NEEDED[STUDY], "") | {"versions": {"inferscape": "9.1"}, "commit": "abc"} | changes
    (folder / STUDY).write_text(json.dumps(found))
    return folder / STUDY


def test_a_folder_of_a_later_version_is_refused_with_who_wrote_it(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"run: .*written by inferscape 9\.1 \(commit abc\) in layout 99; this version"
    ):
        read(study(tmp_path, layout=99), "run")


def test_a_folder_of_an_earlier_version_is_read_with_what_it_lacks(tmp_path: Path) -> None:
    found = read(study(tmp_path), "run")
    assert {name: found[name] for name in ("layout", "opening")} == {
        name: ADDED[name] for name in ("layout", "opening")
    }


def test_classes_of_an_earlier_layout_are_found_where_they_lie_today(tmp_path: Path) -> None:
    """A search that was begun before packages were made may be gone on with: the same classes, under other names."""
    old = {"search": {"_target_": "dse.enumerate.Enumeration", "most": 5}, "hw": [{"_target_": "hw.link.Link"}]}
    new = {"search": {"_target_": "dse.search.enumerate.Enumeration", "most": 5}, "hw": [{"_target_": "hw.link.Link"}]}
    assert read(study(tmp_path, layout=2, config=old), "run")["config"] == new
    assert read(study(tmp_path, layout=LAYOUT, config=new), "run")["config"] == new


def test_what_cannot_be_filled_in_is_named(tmp_path: Path) -> None:
    path = study(tmp_path)
    path.write_text(json.dumps({"title": "old"}))
    with pytest.raises(
        ValueError, match=r"by a version that did not sign it and lacks question, finding, .*run it again"
    ):
        read(path, "run")


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = study(tmp_path)
    path.write_text(text)
    with pytest.raises(ValueError, match=r"study\.json"):
        read(path, "run")


def test_a_damaged_file_is_not_blamed_on_the_server(tmp_path: Path) -> None:
    study(tmp_path).write_text("{")
    done = run_here(tmp_path, "task=log", "run=.", f"tracking.uri=sqlite:///{tmp_path}/runs.db", "hydra.run.dir=log")
    assert (done.code, "study.json" in done.err, "tracking.uri" in done.err) == (1, True, False)
    assert not (tmp_path / "runs.db").exists()


def test_a_search_that_another_version_began_is_said_to_be_so(tmp_path: Path) -> None:
    assert "begun by inferscape 9.1 (commit abc)" in other_hand(
        {"versions": {"inferscape": "9.1"}, "commit": "abc"}, tmp_path
    )
    assert other_hand({}, tmp_path) == ""


@pytest.mark.parametrize(("kept_parts", "words"), [([Path("000001.parquet")], "resume="), ([], "nothing is kept")])
def test_how_to_go_on_is_said_where_something_is_kept(
    capsys: pytest.CaptureFixture[str], kept_parts: list[Path], words: str
) -> None:
    session: Any = SimpleNamespace(overrides=["hw=a"], folders=[], folder=Path("run"))
    trials: Any = SimpleNamespace(parts=lambda: kept_parts)
    tell_what_is_kept(session, trials)
    told = capsys.readouterr().out
    assert words in told
    assert ("resume=" in told) == bool(kept_parts)


# One small search, twice.

ONE = (*SMALL, "space=single", "search=optuna", "search.trials=4", "seed=3")
SPACE = "hw.chip.engine.cores: [128, 256, 512]\nhw.chip.engine.frequency: [0.8 GHz, 1.2 GHz]\n"


@pytest.fixture(scope="module")
def twice(own: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Done]]:
    """The same search of one structure into two folders, once in text and once in JSON."""
    folder = tmp_path_factory.mktemp("twice")
    (own / "space" / "single.yaml").write_text(SPACE)
    words = ("--config-dir", str(own), *ONE)
    runs = [run_here(folder, *words, "hydra.run.dir=one"), run_here(folder, *words, "--json", "hydra.run.dir=two")]
    return folder, runs


def test_the_same_seed_gives_the_same_study(twice: tuple[Path, list[Done]]) -> None:
    folder, runs = twice
    assert [done.code for done in runs] == [0, 0], runs[0].err
    one, two = ((folder / name / "front.csv").read_bytes() for name in ("one", "two"))
    assert one == two
    assert one.count(b"\n") > 1


def test_the_seed_and_the_layout_are_in_words_and_in_every_file(twice: tuple[Path, list[Done]]) -> None:
    folder, (text, _) = twice
    assert "seed        3" in text.out
    written = json.loads((folder / "one" / "study.json").read_text())
    assert (written["seed"], written["layout"]) == (3, LAYOUT)
    begun = json.loads((folder / "one" / "search.json").read_text())
    assert (begun["layout"], "inferscape" in begun["versions"]) == (LAYOUT, True)


def test_a_search_in_json_is_one_object_and_its_words_are_elsewhere(twice: tuple[Path, list[Done]]) -> None:
    folder, (_, done) = twice
    found = json.loads(done.out)
    assert (found["task"], found["seed"], found["folder"]) == ("explore", 3, str(folder / "two"))
    assert found["counts"]["evaluated"] == 4
    assert not {"config", "others", "assumptions"} & set(found)
    assert "points on the front" in done.err


def test_a_run_keeps_its_log(twice: tuple[Path, list[Done]]) -> None:
    log = (twice[0] / "one" / "dse.log").read_text()
    assert "searching: 4 of 4" in log
    assert "compiling the machine" in log


def test_a_wrong_reference_sets_nothing_aside(own: Path, twice: tuple[Path, list[Done]]) -> None:
    """A batch that is damaged stays where it is until all that was typed is known to be right."""
    folder = twice[0]
    (part, *_) = sorted((folder / "two" / "trials").glob("*.parquet"))
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    done = run_here(folder, "--config-dir", str(own), *ONE, "resume=two", "reference=nowhere")
    assert (done.code, "reference: 'nowhere' holds no search" in done.err) == (1, True)
    assert part.exists()
    assert not list(part.parent.glob("*.damaged"))
    part.write_bytes(whole)
