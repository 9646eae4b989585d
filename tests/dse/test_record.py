"""What is logged of finished runs: keys, sizes, tags, notes, tables, datasets, views; once, whatever servers do."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tracked import GOALS, study, write_evaluation, write_study

from dse.evaluation.metrics import Metrics, units
from dse.run.passwords import without_passwords
from dse.tracking import address, views
from dse.tracking.keys import key, quantity
from dse.tracking.notes import LONGEST
from dse.tracking.record import log, record, record_again
from dse.tracking.store import place
from hw.units import registry


def tracking(uri: str, **more: Any) -> dict[str, Any]:
    return {"enabled": True, "uri": uri, "experiment": None, "artifacts": None} | more


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study and two jobs of a sweep, logged to SQLite: the folder of all."""
    folder = tmp_path_factory.mktemp("logged")
    write_study(folder / "study")
    record_again(folder / "study", tracking(f"sqlite:///{folder}/runs.db"))
    for hw, frequency in (("server", "1.2 GHz"), ("rack", "900 MHz")):
        record_again(write_evaluation(folder / hw, hw, frequency), tracking(f"sqlite:///{folder}/runs.db"))
    return folder


class Rest:
    """The tracking server's own REST interface, asked without a socket."""

    def __init__(self, store: str) -> None:
        from mlflow.server import app
        from mlflow.server.handlers import _get_tracking_store

        self._store, self._given = app.test_client(), _get_tracking_store(store, None)

    def __call__(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        given = {"query_string": body} if method == "get" else {"json": body}
        found = getattr(self._store, method)(f"/api/2.0/mlflow/{path}", headers={"Host": "localhost"}, **given)
        assert found.status_code == 200, found.text
        return found.get_json()


@pytest.fixture(scope="module")
def rest(logged: Path) -> Iterator[Rest]:
    from mlflow.server import handlers

    before = handlers._tracking_store
    handlers._tracking_store = None
    yield Rest(f"sqlite:///{logged}/runs.db")
    handlers._tracking_store = before


def runs(rest: Rest, search: str) -> list[dict[str, Any]]:
    """Runs that a search finds: name, tags, parameters, metrics, datasets."""
    experiments = rest("post", "experiments/search", max_results=10)["experiments"]
    ids = [one["experiment_id"] for one in experiments if one["name"] == "small"]
    found = rest("post", "runs/search", experiment_ids=ids, filter=search, max_results=50).get("runs", [])
    told = []
    for one in found:
        data = {
            name: {e["key"]: e["value"] for e in one["data"].get(name, [])} for name in ("tags", "params", "metrics")
        }
        data["datasets"] = [e["dataset"] for e in one.get("inputs", {}).get("dataset_inputs", [])]
        told.append(one["info"] | data)
    return told


def test_runs_are_found_by_their_tags(rest: Rest) -> None:
    (whole,) = runs(rest, "tags.`dse.kind` = 'study'")
    assert whole["tags"]["dse.study"] == whole["run_id"]
    mine = f"tags.`dse.study` = '{whole['run_id']}'"
    assert len(runs(rest, f"{mine} and tags.`dse.kind` = 'front'")) == 4
    (first,) = runs(rest, f"{mine} and tags.`dse.front` = 'F1'")
    assert first["run_name"] == "F1 tall"  # what differs is told, `narrow`, which all have, is not
    (base,) = runs(rest, f"{mine} and tags.`dse.kind` = 'baseline'")
    assert (base["params"]["hw"], base["params"]["format"]) == ("server", "wide")
    assert {one["status"] for one in runs(rest, "")} == {"FINISHED"}
    fast = "metrics.`tokens_per_second_per_user token per s` > 150"
    assert [one["tags"]["dse.front"] for one in runs(rest, f"{mine} and {fast}")] == ["F1", "F2"]


def test_metrics_are_plain_numbers_of_readable_sizes_with_units(rest: Rest) -> None:
    """Each answer in one unit, whatever its size; none that the UI would write with an exponent."""
    (first,) = runs(rest, "tags.`dse.front` = 'F1'")
    given = study()["front"][0]["metrics"]
    heads = {head.split(" ", 1)[0]: head for head in first["metrics"] if "/" not in head}
    assert set(heads) == set(units(Metrics))
    for name, head in heads.items():
        unit = head.partition(" ")[2].replace("mm2", "mm^2")
        si = registry().Quantity(first["metrics"][head], unit or "dimensionless").to(units(Metrics)[name] or "")
        assert float(si.magnitude) == pytest.approx(given[name], rel=1e-6), head
    assert {"power kW", "clock GHz", "time_per_output_token ms", "energy_per_token mJ per token"} <= set(
        first["metrics"]
    )
    assert all(value == 0 or abs(value) >= 1e-3 for value in first["metrics"].values())


def test_sections_of_charts_are_named_for_what_is_in_them(rest: Rest) -> None:
    """The UI makes a section of what stands before a slash, so that no unit may have one."""
    (first,) = runs(rest, "tags.`dse.front` = 'F1'")
    sections = {head.rpartition("/")[0] for head in first["metrics"]}
    assert sections == {"", "headroom", "shares", "energy_shares", "cost_shares", "carbon_shares", "power_shares",
                        "spread", "chance"}  # fmt: skip
    assert {head for head in first["metrics"] if head.startswith("spread")} == {
        key(f"spread/{goal}.{side}", unit)
        for goal, unit in zip(GOALS, ("token/s", "mJ/token", "USD"), strict=True) for side in ("p5", "p95")
    }  # fmt: skip


def test_parameters_are_plain_numbers(rest: Rest) -> None:
    (first,) = runs(rest, "tags.`dse.front` = 'F1'")
    assert first["params"]["hw.chip.engine.frequency GHz"] == "0.9"
    assert first["params"]["mapping.tensor"] == "8"
    assert first["params"]["hw/chip/memory"] == "tall"
    (second,) = runs(rest, "tags.`dse.front` = 'F2'")
    assert "hw.chip.memory.stack.layers" not in second["params"]


def test_jobs_of_a_sweep_share_their_keys(rest: Rest) -> None:
    """One flat run each; what was set in other units is in one."""
    found = runs(rest, "tags.`dse.kind` = 'evaluate'")
    assert {one["params"]["hw.chip.engine.frequency GHz"] for one in found} == {"1.2", "0.9"}
    assert {one["params"]["hw"] for one in found} == {"server", "rack"}
    assert (
        len({tuple(sorted(one["metrics"])) for one in found})
        == len({tuple(sorted(one["params"])) for one in found})
        == 1
    )


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.b", "900 MHz", ("a.b GHz", 0.9)),
        ("a.b", "9346 USD +/- 10 %", ("a.b USD", 9346)),
        ("a.bandwidth", "4 TB/s", ("a.bandwidth GB per s", 4000)),
        ("a.b", "256", ("a.b", 256)),
        ("a.b", "1e3", ("a.b", 1000)),
        ("hw/fabric", "direct", ("hw/fabric", "direct")),
        ("a@b", "12 furlong", ("a.b", "12 furlong")),
        ("a.b", "[1, 2]", ("a.b", "[1, 2]")),
    ],
)
def test_what_is_set_is_logged_as_a_number_where_it_is_one(name: str, text: str, told: tuple[str, Any]) -> None:
    assert quantity(name, text) == told


def test_a_study_says_what_it_asked_and_found(rest: Rest) -> None:
    (whole,) = runs(rest, "tags.`dse.kind` = 'study'")
    note = whole["tags"]["mlflow.note.content"]
    for words in (
        "Which of these, &lt;tall&gt; or flat?",
        "The tall ones are dear.",
        "dse experiment=small",
        "| F1 | tall, narrow |",
    ):
        assert words in note
    assert "| A server of today |" in note
    (first,) = runs(rest, "tags.`dse.front` = 'F1'")
    assert first["tags"]["dse.rebuild"] in first["tags"]["mlflow.note.content"]
    assert len({one["tags"]["mlflow.runColor"] for one in runs(rest, "tags.`dse.kind` = 'front'")}) == 2


def test_a_note_is_as_long_as_every_store_takes() -> None:
    from dse.tracking.notes import of_study

    long = study() | {"finding": ["words " * 40] * 60}
    assert len(of_study(long)) <= LONGEST
    assert len(of_study(study(40))) <= LONGEST


def test_runs_name_the_catalogue_that_they_were_made_from(rest: Rest) -> None:
    for one in runs(rest, ""):
        assert [(data["name"], data["digest"]) for data in one["datasets"]] == [("conf", "0123456789abcdef" * 2)]


def test_the_trials_are_a_table_that_the_ui_draws(rest: Rest, logged: Path) -> None:
    """All rows, the front first; and no name with a point, which the UI would take for a step into a cell."""
    (whole,) = runs(rest, "tags.`dse.kind` = 'study'")
    files = {one["path"] for one in rest("get", "artifacts/list", run_id=whole["run_id"])["files"]}
    assert {"trials.parquet", "trials.json", "front.json", "front.csv", "report.html", "study.json", "charts.html",
            "config.json"} == files  # fmt: skip
    assert {one["path"] for one in json.loads(whole["tags"]["mlflow.loggedArtifacts"])} == {"front.json", "trials.json"}
    table = json.loads((artifacts(whole) / "trials.json").read_text())
    assert len(table["data"]) == 40
    assert not any("." in name for name in table["columns"])
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert rows[0]["state"] == "front"
    assert rows[0]["hw/chip/engine/frequency GHz"] == 0.9
    assert json.dumps(table).find("NaN") < 0
    assert str(logged) in str(artifacts(whole))


def artifacts(run: dict[str, Any]) -> Path:
    return Path(run["artifact_uri"].removeprefix("file://"))


def test_the_charts_open_without_a_network(rest: Rest) -> None:
    (whole,) = runs(rest, "tags.`dse.kind` = 'study'")
    page = (artifacts(whole) / "charts.html").read_text()
    assert page.count("plotly.js v") == 1
    assert 'src="http' not in page
    assert page.count("Plotly.newPlot(") == 4  # three pairs of objectives, and parallel coordinates
    assert "&lt;tall&gt; or flat?" in page


def test_a_view_names_columns_that_there_are(rest: Rest) -> None:
    """It filters by the study, and every column and axis is the key of a run."""
    experiment = next(
        e for e in rest("post", "experiments/search", max_results=10)["experiments"] if e["name"] == "small"
    )
    saved = {tag["key"]: json.loads(tag["value"]) for tag in experiment["tags"] if tag["key"].startswith(views.TAG)}
    (whole,) = runs(rest, "tags.`dse.kind` = 'study'")
    assert {view["name"].split(",")[0] for view in saved.values()} == {"A small question", "Evaluations"}
    for view in saved.values():
        state = json.loads(view["state"])
        found = runs(rest, state["searchFilter"])
        keys = {f"{kind}.`{name}`" for one in found for kind in ("metrics", "params", "tags") for name in one[kind]}
        assert set(state["selectedColumns"]) <= keys
        axes = [one[axis]["key"] for one in state["compareRunCharts"] for axis in ("xaxis", "yaxis") if axis in one]
        parallel = state["compareRunCharts"][-1]
        assert {f"metrics.`{name}`" for name in [*axes, *parallel["selectedMetrics"]]} <= keys
        assert {f"params.`{name}`" for name in parallel["selectedParams"]} <= keys
    assert any(whole["run_id"] in view["state"] for view in saved.values())
    assert {"mlflow.experimentKind": "custom_model_development"}.items() <= {
        t["key"]: t["value"] for t in experiment["tags"]
    }.items()


def test_of_many_views_the_newest_are_kept() -> None:
    from dse.tracking.store import save_views

    class Client:
        tags = {f"{views.OURS}{i}": views.envelope(str(i), i, {}) for i in range(25)} | {f"{views.TAG}theirs": "x"}

        def get_experiment(self, _: str) -> Client:
            return self

        def set_experiment_tag(self, _: str, name: str, value: str) -> None:
            self.tags[name] = value

        def delete_experiment_tag(self, _: str, name: str) -> None:
            del self.tags[name]

    client = Client()
    save_views(client, "1", {f"{views.OURS}new": views.envelope("new", 99, {})}, 20, views.OURS)
    assert {f"{views.OURS}new", f"{views.OURS}24", f"{views.TAG}theirs"} <= set(client.tags)
    assert len(client.tags) == 21


def test_what_is_logged_is_not_logged_twice(logged: Path, rest: Rest, capsys: pytest.CaptureFixture[str]) -> None:
    """Also not from a copy of the folder."""
    before = len(runs(rest, ""))
    shutil.copytree(logged / "study", logged / "copy")
    record_again(logged / "copy", tracking(f"sqlite:///{logged}/runs.db"))
    assert "6 there already" in capsys.readouterr().out
    assert len(runs(rest, "")) == before


def test_a_folder_without_some_of_its_files_is_logged_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_study(tmp_path / "run", 2)
    (folder / "report.html").unlink()
    (folder / "trials.parquet").unlink()
    content = json.loads((folder / "study.json").read_text())
    content["versions"]["inferscape"], content["commit"] = "0.0.7", "abc1234"
    for one in content["front"]:
        del one["metrics"]["goodput"], one["carbon_shares"]
        one["metrics"]["luck"] = 1.0
    (folder / "study.json").write_text(json.dumps(content))
    record_again(folder, tracking(f"sqlite:///{tmp_path}/runs.db"))
    told = " ".join(capsys.readouterr().out.split())
    for words in ("lacks trials.parquet, report.html; logged without", "written by inferscape 0.0.7 (commit abc1234)",
                  "metrics.goodput", "has metrics.luck, not known here", "4 logged"):  # fmt: skip
        assert words in told


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("study.json", '{"title": "x", "versions": {"inferscape": "0.0.1"}}', "inferscape 0.0.1 and lacks question"),
        ("study.json", '{"title": ', "is no longer what was written"),
        ("metrics.json", "[]", "is no file of this program"),
        ("benchmark.json", "{}", "is of a task that is not logged"),
        ("search.json", "{}", "the search did not finish"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_logged_says_why(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        record_again(tmp_path, tracking(f"sqlite:///{tmp_path}/runs.db"))
    assert not (tmp_path / "runs.db").exists()


# Addresses.


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "it is empty"),
        ("./mlruns", "MLflow keeps no runs in plain folders"),
        ("file:///tmp/mlruns", "MLflow keeps no runs in plain folders"),
        ("sqlite:///", "names no file"),
        ("redis://host", "MLflow knows no redis://"),
        ("http://", "names no host"),
        ("http://host:port", "a port that is no number"),
        ("postgresql://me:hid/d@en@/db", "names no host"),
    ],
)
def test_an_address_that_can_be_none_is_refused_in_words(uri: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"tracking.uri: .*{words}.*write sqlite:///"):
        address.checked(uri)


def test_addresses_that_can_be_are_left_as_they_are() -> None:
    for uri in ("sqlite:///a.db", "sqlite:////tmp/a.db", "http://h:5000/prefix", "https://me:x@h", "databricks",
                "databricks://profile", "postgresql+psycopg://me@/db?host=/tmp/s", "mysql+pymysql://h/db"):  # fmt: skip
        assert address.checked(uri) == uri


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9", "postgresql+psycopg://me:hidden@127.0.0.1:9/db", "sqlite:////etc"]
)
def test_a_server_that_is_not_there_costs_seconds_and_hides_passwords(
    uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "psycopg" in uri:
        pytest.importorskip("psycopg", reason="needs a driver: pip install 'inferscape[scale]'")
    start = time.perf_counter()
    folder = write_study(tmp_path / "run", 1)
    record(folder, tracking(uri))
    assert time.perf_counter() - start < 15
    told = capsys.readouterr().out
    assert f"not logged to {without_passwords(uri)}" in told
    assert f"later: dse task=log run={folder}" in told
    assert "hidden" not in told
    with pytest.raises(ConnectionError, match="not logged to"):
        record_again(folder, tracking(uri))


def test_a_server_that_never_answers_costs_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It takes the connection, and that is all."""
    monkeypatch.setattr(address, "PATIENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        taken: list[socket.socket] = []
        threading.Thread(target=lambda: taken.append(mute.accept()[0]), daemon=True).start()
        start = time.perf_counter()
        record(write_study(tmp_path / "run", 1), tracking(f"http://127.0.0.1:{mute.getsockname()[1]}"))
        assert time.perf_counter() - start < 10
    assert "it takes connections but does not answer within 1 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://me:p@ss/w@host/db", "postgresql://me:***@host/db"),
        ("at http://me:x@h:5000/a!", "at http://me:***@h:5000/a!"),
        ("https://h/x?password=abc&y=1", "https://h/x?password=***&y=1"),
        ("https://h:8080/@user", "https://h:***@user"),  # rather too much than too little
        ("https://example.org/@user", "https://example.org/@user"),
    ],
)
def test_passwords_are_hidden_however_they_are_written(given: str, shown: str) -> None:
    assert without_passwords(given) == shown


def test_files_lie_where_they_can_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place("sqlite:///sub/a.db", None) == (tmp_path / "sub" / "mlartifacts").as_uri()
    assert place("postgresql://h/db", None) == (tmp_path / "mlartifacts").as_uri()
    assert place("http://h:5000", None) is None
    assert place("http://h:5000", "s3://bucket/x") == "s3://bucket/x"


def test_nothing_is_logged_where_nothing_is_wanted(tmp_path: Path) -> None:
    off = {"enabled": False, "uri": "", "experiment": ""}
    record(tmp_path, off)
    with pytest.raises(ValueError, match="write tracking=mlflow"):
        record_again(tmp_path, off)
    with pytest.raises(FileNotFoundError):
        log(tmp_path, tracking(f"sqlite:///{tmp_path}/runs.db"), None)
