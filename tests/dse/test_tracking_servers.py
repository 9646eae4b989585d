"""Tracking servers and databases as processes of their own: killed, stopped, begun again, and their pages looked at."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browsing
from tracked import answers, kill, serving, write_evaluation, write_study

from dse.tracking import store
from dse.tracking.record import record, record_again

pytestmark = pytest.mark.slow
FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
PARTS = {"study", "baseline A server of today", *(f"front F{i}" for i in range(1, 5))}


def tracking(uri: str) -> dict[str, Any]:
    return {"enabled": True, "uri": uri, "experiment": "small", "artifacts": None}


def parts(uri: str) -> dict[str, str]:
    """What is logged of the study, with its state; each part once."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name("small").experiment_id], "tags.`dse.study` != ''")
    told = [run.data.tags["dse.part"] for run in found]
    assert len(told) == len(set(told))
    return {run.data.tags["dse.part"]: run.info.status for run in found}


def after(calls: int, name: str, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch, owner: Any = store) -> None:
    """Have something happen before the so-manieth call of a function."""
    real, count = getattr(owner, name), 0

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count == calls:
            act()
        return real(*given, **named)

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize("where", ["a point", "a file"])
def test_a_server_that_is_killed_costs_seconds_and_no_data(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed before the numbers of the fourth run or amid the study's files; the folder is logged to its end later."""
    from mlflow import MlflowClient

    folder = write_study(tmp_path / "run")
    with serving(tmp_path / "server") as (uri, process):
        with monkeypatch.context() as patch:
            owner, name, calls = (store, "log_numbers", 4) if where == "a point" else (MlflowClient, "log_artifact", 3)
            after(calls, name, lambda: kill(process), patch, owner)
            start = time.perf_counter()
            record(folder, tracking(uri))
            seconds = time.perf_counter() - start
        assert not answers(uri)
    told = capsys.readouterr().out
    print(f"killed at {where}: {seconds:.1f} s")
    assert seconds < 20
    assert f"not logged to {uri}" in told
    assert f"later: dse task=log run={folder}" in told
    with serving(tmp_path / "server", port=int(uri.rsplit(":", 1)[1])):
        before = parts(uri)
        assert "RUNNING" in before.values()
        assert len(before) == (4 if where == "a point" else 1)
        record_again(folder, tracking(uri))
        said = capsys.readouterr().out
        assert "1 completed" in said
        assert set(parts(uri)) == PARTS
        assert set(parts(uri).values()) == {"FINISHED"}
        record_again(folder, tracking(uri))
        assert "6 there already" in capsys.readouterr().out
        client = MlflowClient(uri)
        runs = client.search_runs([client.get_experiment_by_name("small").experiment_id], "tags.`dse.kind` = 'study'")
        (whole,) = [run.info.run_id for run in runs]
        files = {one.path: one.file_size for one in client.list_artifacts(whole)}
        assert files["trials.parquet"] == (folder / "trials.parquet").stat().st_size
        assert len(files) == 8
        for head in ("count/evaluated", "time/total s"):
            assert len(client.get_metric_history(whole, head)) == 1, "what was there already is not there twice"


def test_a_server_that_stops_answering_costs_seconds_and_no_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is stopped, its port stays open; later it goes on."""
    folder = write_study(tmp_path / "run")
    with serving(tmp_path / "server") as (uri, process):
        with monkeypatch.context() as patch:
            after(3, "log_numbers", lambda: kill(process, signal.SIGSTOP), patch)
            start = time.perf_counter()
            record(folder, tracking(uri))
            seconds = time.perf_counter() - start
        kill(process, signal.SIGCONT)
        told = capsys.readouterr().out
        print(f"stopped: {seconds:.1f} s")
        assert seconds < 45
        assert "after 2 runs: no answer in time" in told
        record_again(folder, tracking(uri))
        assert set(parts(uri)) == PARTS
        assert set(parts(uri).values()) == {"FINISHED"}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """A PostgreSQL of its own, on a socket in a folder of its own, that asks for a password."""
    pytest.importorskip("psycopg", reason="needs a driver: pip install 'inferscape[scale]'")
    if not FOUND:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    root = os.geteuid() == 0
    if root and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip("PostgreSQL refuses to be root, and there is no user postgres")
    user = ("runuser", "-u", "postgres", "--") if root else ()

    def run(*words: str | Path) -> None:
        subprocess.run([*user, *words], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=60)

    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as name:
        folder, tools = Path(name), FOUND[-1].parent
        (folder / "secret").write_text("hid/d@en")
        (folder / "secret").chmod(0o644)
        if root:
            shutil.chown(folder, "postgres")
        words = ("-A", "scram-sha-256", "-U", "me", "--no-sync", f"--pwfile={folder / 'secret'}")
        run(tools / "initdb", "-D", folder / "data", *words)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run(tools / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield f"postgresql+psycopg://me:hid%2Fd%40en@/postgres?host={folder}"
        finally:
            run(tools / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")


def test_a_database_takes_runs_and_no_password_is_shown(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Directly; a wrong password is told of within seconds, in words, without it."""
    monkeypatch.chdir(tmp_path)
    folder = write_study(tmp_path / "run")
    record_again(folder, tracking(postgresql))
    assert set(parts(postgresql).values()) == {"FINISHED"}
    record_again(folder, tracking(postgresql))
    start = time.perf_counter()
    record(folder, tracking(postgresql.replace("hid%2Fd", "wrong")))
    assert time.perf_counter() - start < 15
    told = capsys.readouterr().out
    assert "6 there already" in told
    assert "password authentication failed" in told
    assert "://me:***@/postgres" in told
    assert not any(word in told for word in ("hid", "d%40en", "wrong"))
    assert (tmp_path / "mlartifacts").is_dir()


def test_a_server_before_a_database_is_a_tracking_server_like_another(postgresql: str, tmp_path: Path) -> None:
    with serving(tmp_path / "server", postgresql) as (uri, _):
        record_again(write_study(tmp_path / "run", 2), tracking(uri) | {"experiment": "remote"})
        from mlflow import MlflowClient

        client = MlflowClient(uri)
        found = client.search_runs([client.get_experiment_by_name("remote").experiment_id])
        assert len(found) == 4


# The pages of MLflow's UI.

CLOSE = """[...document.querySelectorAll('button')].filter(one => one.getBoundingClientRect().top < 80)
.sort((one, other) => other.getBoundingClientRect().left - one.getBoundingClientRect().left)[0].click()"""


class Pages:
    """A server with a study and two jobs of a sweep, and a browser before it."""

    def __init__(self, uri: str, browser: Browser, pictures: Path) -> None:
        from mlflow import MlflowClient

        self.uri, self.browser, self.pictures = uri, browser, pictures
        client = MlflowClient(uri)
        self.experiment = client.get_experiment_by_name("small")
        self.runs = {run.data.tags["dse.part"] + run.data.params.get("hw", ""): run.info.run_id
                     for run in client.search_runs([self.experiment.experiment_id])}  # fmt: skip
        self.views = {json.loads(value)["name"].split(",")[0]: name.rpartition(".")[2]
                      for name, value in self.experiment.tags.items() if "sharedViewState" in name}  # fmt: skip

    def open(self, path: str, *wanted: str) -> str:
        """Open a page and wait for words on it; its text."""
        self.browser.ask("Page.navigate", url="about:blank")
        self.browser.ask("Page.navigate", url=f"{self.uri}/#/{path}")
        for words in wanted:
            self.browser.wait(f"document.body?.innerText.includes({json.dumps(words)})")
        return self.browser.run("document.body.innerText")

    def listing(self, view: str, mode: str = "TABLE") -> str:
        shown = f"workflowType=machine_learning&viewStateShareKey={self.views[view]}&compareRunsMode={mode}"
        return f"experiments/{self.experiment.experiment_id}/runs?{shown}"

    def artifact(self, name: str) -> str:
        experiment, run = self.experiment.experiment_id, self.runs["studyrack"]
        return f"experiments/{experiment}/runs/{run}/artifacts/{name}?workflowType=machine_learning"

    def look(self, name: str) -> None:
        self.browser.picture(self.pictures / f"{name}.png", whole=False)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    folder = tmp_path_factory.mktemp("pages")
    pictures = Path(os.environ.get("INFERSCAPE_PICTURES", str(folder)))
    with serving(folder / "served") as (uri, _), browsing(folder) as browser:
        record_again(write_study(folder / "run"), tracking(uri))
        for hw, frequency in (("server", "1.2 GHz"), ("rack", "900 MHz")):
            record_again(write_evaluation(folder / hw, hw, frequency), tracking(uri))
        browser.size(2000, 1150)
        found = Pages(uri, browser, pictures)
        found.open("experiments", "MLflow Assistant")
        browser.run(CLOSE)
        yield found


def heads(pages: Pages) -> dict[str, bool]:
    """The heads of the table's columns that are on the screen, and whether they are cut off."""
    return pages.browser.run(
        "Object.fromEntries([...document.querySelectorAll('.ag-header-cell')].map(e => [e.innerText.trim(), "
        "[...e.querySelectorAll('span, div')].some(c => c.scrollWidth > c.clientWidth + 1 && c.clientWidth > 0 "
        "&& getComputedStyle(c).textOverflow === 'ellipsis')]))"
    )


def test_the_saved_view_lists_the_front_with_its_objectives(pages: Pages) -> None:
    text = pages.open(pages.listing("A small question"), "F1 tall", "matching runs")
    pages.look("listing")
    assert "6 matching runs" in text
    shown = heads(pages)
    assert {"dse.kind", "tokens_per_second_per_user token per s", "energy_per_token mJ per token"} <= set(shown)
    assert not any(cut for head, cut in shown.items() if head), shown
    assert text.index("F1 tall") < text.index("F2 flat") < text.index("A server of today")


def test_the_saved_view_draws_the_front(pages: Pages) -> None:
    """Scatters of the objectives and parallel coordinates with the values of the points."""
    pages.open(pages.listing("A small question", "CHART"), "Parallel Coordinates", "energy_per_token mJ per token")
    pages.browser.wait("document.querySelectorAll('.scatterlayer .point').length >= 15")
    time.sleep(2)
    pages.look("charts")
    assert "A small question (4)" in " ".join(pages.browser.run("document.body.innerText").split())


def test_the_runs_of_a_sweep_stand_side_by_side(pages: Pages) -> None:
    text = pages.open(pages.listing("Evaluations"), "server large wide chat", "rack large wide chat")
    pages.look("sweep")
    assert "2 matching runs" in text
    assert {"hw", "hw.chip.engine.frequency GHz", "tokens_per_second_per_user token per s"} <= set(heads(pages))


def test_two_points_are_compared(pages: Pages) -> None:
    """Names, parameters and metrics of both, side by side; no number with an exponent."""
    chosen = [pages.runs["front F1rack"], pages.runs["front F2rack"]]
    experiments = json.dumps([pages.experiment.experiment_id])
    asked = f"compare-runs?runs={json.dumps(chosen)}&experiments={experiments}".replace('"', "%22").replace(" ", "")
    pages.browser.size(2000, 2400)
    text = pages.open(asked, "Comparing 2 Runs", "F1 tall", "F2 flat", "hw.chip.engine.cores", "clock GHz")
    pages.look("compare")
    pages.browser.size(2000, 1150)
    assert "Parallel Coordinates Plot" in text
    lines = text.splitlines()
    assert not [line for line in lines if "e-" in line and any(part[:1].isdigit() for part in line.split())]
    assert {"309.76", "217.6"} <= set(text.split()), "cores of both"


def test_a_study_says_at_its_head_what_it_found(pages: Pages) -> None:
    run = f"experiments/{pages.experiment.experiment_id}/runs/{pages.runs['studyrack']}?workflowType=machine_learning"
    text = pages.open(run, "Description", "Which of these", "conf")
    pages.look("study")
    assert "The tall ones are dear." in text
    assert "0123456" in text  # the catalogue's digest


def test_report_charts_and_tables_open_among_the_artifacts(pages: Pages) -> None:
    pages.open(pages.artifact("report.html"), "report.html")
    pages.browser.wait("document.querySelector('iframe')")
    time.sleep(2)
    pages.look("report")
    pages.open(pages.artifact("charts.html"), "charts.html")
    pages.browser.wait("document.querySelector('iframe')")
    text = pages.open(pages.artifact("trials.json"), "View as table", "hw/chip/engine/frequency")
    pages.look("trials")
    assert "0.9" in text
    assert "front" in text.split("state", 1)[1]


def test_the_charts_are_drawn_without_a_network(pages: Pages, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    path = Path(MlflowClient(pages.uri).download_artifacts(pages.runs["studyrack"], "charts.html", str(tmp_path)))
    pages.browser.open(path, 1200, 2300)
    pages.browser.wait("document.querySelectorAll('.scatterlayer .point').length >= 15")
    pages.browser.wait("document.querySelectorAll('.parcoords, .parcoords-line-layers').length >= 1")
    time.sleep(1)
    pages.look("figures")
    assert (
        pages.browser.run("performance.getEntriesByType('resource').filter(e => e.name.startsWith('http')).length") == 0
    )
