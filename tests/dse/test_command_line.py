"""The command line as its users type it, and the files and runs that it leaves."""

from __future__ import annotations

import json
import resource
import shlex
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from running import Done, run_here, run_process
from small import DIFFERENT, SMALL, component_units

from dse import __main__
from dse.evaluation.metrics import SECTIONS, Metrics, units
from hw.units import readable, registry

FIXED = ("mapping.tensor=64", "mapping.pipeline=1", "mapping.batch=60")
CORSAIR = ("task=evaluate", "hw=corsair_server", "serving=interactive", "hydra.run.dir=run")


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def runs(database: Path) -> dict[str, list[Any]]:
    """The runs of all experiments in a tracking database, by experiment."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}")
    return {e.name: list(client.search_runs([e.experiment_id])) for e in client.search_experiments()}


def all_runs(database: Path) -> list[Any]:
    return [run for found in runs(database).values() for run in found]


def split_head(head: str) -> tuple[str, str]:
    """Name and unit of a head such as `power kW`."""
    name, _, unit = head.partition(" ")
    return name, unit


def si(value: float, unit: str, wanted: str) -> float:
    """A displayed value in the unit that metrics.json has."""
    if unit == wanted:
        return value
    return float(registry().Quantity(value, unit.replace("mm2", "mm^2")).to(wanted).magnitude)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of somebody else, whose packages are called as ours and cannot be imported."""
    folder = tmp_path_factory.mktemp("foreign")
    for name in ("models", "conf", "hw"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('not ours')\n")
    (folder / "conf" / "config.yaml").write_text("theirs: true\n")
    return folder


@pytest.fixture(scope="module")
def fixed(foreign: Path) -> tuple[Done, dict[str, Any]]:
    """Llama 3 8B on a Corsair server, all chips in one tensor group, from within the foreign project."""
    done = run_process(foreign, *CORSAIR, "model=llama3_8b", *FIXED)
    assert done.code == 0, done.err
    return done, result(foreign / "run")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Done, dict[str, Any]]]:
    """Evaluates in a fresh folder without tracking; each command line once."""
    kept: dict[tuple[str, ...], tuple[Done, dict[str, Any]]] = {}

    def evaluate(*words: str) -> tuple[Done, dict[str, Any]]:
        if words not in kept:
            folder = tmp_path_factory.mktemp("evaluated")
            done = run_here(folder, "tracking=none", *CORSAIR, *words)
            assert done.code == 0, done.err
            kept[words] = done, result(folder / "run")
        return kept[words]

    return evaluate


def test_it_works_beside_foreign_packages_of_the_same_names(fixed: tuple[Done, dict[str, Any]], foreign: Path) -> None:
    done, _ = fixed
    assert done.err == ""
    assert "not ours" not in done.out
    assert (foreign / "mlflow.db").is_file()


def test_metrics_json_has_every_answer_and_the_mapping(fixed: tuple[Done, dict[str, Any]]) -> None:
    _, found = fixed
    for section, kind in SECTIONS.items():
        assert set(found[section]) == set(units(kind))
    degrees = {"tensor": 64, "pipeline": 1, "expert": 1, "data": 1, "batch": 60, "users": 60}
    assert {name: found["mapping"][name] for name in degrees} == degrees
    assert {found["mapping"]["weights"], found["mapping"]["cache"]} <= {"sram", "lpddr"}
    for section in ("shares", "energy_shares", "cost_shares", "carbon_shares", "power_shares"):
        assert sum(found[section].values()) == pytest.approx(1, abs=1e-9)
        assert all(0 <= share <= 1 for share in found[section].values())


def test_metrics_are_in_si_and_agree_with_each_other(fixed: tuple[Done, dict[str, Any]]) -> None:
    metrics = fixed[1]["metrics"]
    assert metrics["tokens_per_second_per_user"] == pytest.approx(1 / metrics["time_per_output_token"], rel=1e-9)
    assert metrics["tokens_per_second"] == pytest.approx(60 / metrics["time_per_output_token"], rel=1e-9)
    assert metrics["power"] == pytest.approx(metrics["energy_per_token"] * metrics["tokens_per_second"], rel=1e-9)
    assert 1e3 < metrics["power"] < 1e4, "W of a server"
    assert 300 < metrics["junction_temperature"] < 400, "K"
    assert 0.01 < metrics["silicon_area"] < 0.1, "m^2 of 64 dies"


def test_a_batch_of_60_on_all_chips_is_bound_by_exchange(fixed: tuple[Done, dict[str, Any]]) -> None:
    """Between 0.5 and 1.5 ms: 64 all-reduces over PCIe take most of it."""
    _, found = fixed
    assert 0.5e-3 < found["metrics"]["time_per_output_token"] < 1.5e-3
    assert max(found["shares"], key=found["shares"].get) == "exchange"
    assert min(found["headroom"].values()) >= 0


def test_the_best_mapping_is_faster_than_a_given_one(fixed: Any, evaluated: Any) -> None:
    _, best = evaluated("model=llama3_8b")
    assert best["metrics"]["time_per_output_token"] < fixed[1]["metrics"]["time_per_output_token"]
    assert all(other["loses"] for other in best["runners_up"])
    assert len(best["runners_up"]) == 5
    assert best["legal"]
    assert best["headroom"]["memory"] >= 0


def test_one_sequence_is_bound_by_weights_or_waiting_not_by_arithmetic(evaluated: Any) -> None:
    _, found = evaluated("model=llama3_8b", "serving.users=1")
    assert found["mapping"]["batch"] == 1
    assert max(found["shares"], key=found["shares"].get) in {"weights", "exchange", "overhead"}


@pytest.mark.slow
def test_70b_on_one_server_is_slow_or_does_not_fit(evaluated: Any) -> None:
    """64 chiplets hold 16 GB in SRAM; its 72 GB must come from LPDDR at 50 GB/s a chiplet."""
    _, found = evaluated("model=llama3_70b")
    slow = found["mapping"]["weights"] == "lpddr" and found["metrics"]["time_per_output_token"] > 15e-3
    assert slow or found["headroom"]["memory"] < 0


def test_missing_bytes_are_said(evaluated: Any) -> None:
    done, found = evaluated("model=llama3_70b", "mapping.weights=sram", "mapping.cache=sram")
    missing = -found["headroom"]["memory"]
    assert 0.5e9 < missing < 2e9, "72 GB over 64 chiplets of 256 MB"
    assert f"does not fit: memory: {missing / 1e9:.3g} GB are missing in tier sram of a chip" in done.out
    assert "which holds 256 MB" in done.out
    assert "tier lpddr has the room, 32 GB: mapping.weights=lpddr mapping.cache=lpddr" in done.out


def test_any_value_may_be_set(evaluated: Any, fixed: tuple[Done, dict[str, Any]]) -> None:
    _, found = evaluated("model=llama3_8b", *FIXED, "hw.chip.engine.frequency='1.2 GHz'", "serving.users=60")
    clock = 1.144 / 1.2
    before, after = (f["shares"]["compute"] * f["metrics"]["time_per_output_token"] for f in (fixed[1], found))
    assert after == pytest.approx(before * clock, rel=1e-6)


# A search, and the points that it found.


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The default experiment, sampled."""
    folder = tmp_path_factory.mktemp("searched")
    words = (
        "search=optuna",
        "search.trials=64",
        "search.batch=32",
        "baselines=null",
        "details=0",
        "hydra.run.dir=study",
    )
    done = run_here(folder, *words, "spreads.draws=0", f"tracking.uri=sqlite:///{folder}/runs.db")
    assert done.code == 0, done.err
    return folder, done


@pytest.fixture(scope="module")
def front(searched: tuple[Path, Done]) -> pd.DataFrame:
    return pd.read_csv(searched[0] / "study" / "front.csv")


def test_a_search_leaves_its_files(searched: tuple[Path, Done], front: pd.DataFrame) -> None:
    study = searched[0] / "study"
    trials = pd.read_parquet(study / "trials.parquet")
    counts = json.loads((study / "study.json").read_text())["counts"]
    assert len(trials) == counts["evaluated"] == 64
    assert len(front) == counts["front"] > 0
    assert (study / "report.html").read_text().lstrip().lower().startswith("<!doctype html")


def test_heads_of_the_front_have_names_and_units(front: pd.DataFrame) -> None:
    heads = dict(map(split_head, front.columns))
    assert {"hw/chip/memory", "hw/fabric", "format", "hw.chip.engine.cores", "mapping.tensor", "command"} <= set(heads)
    assert heads["hw.chip.engine.frequency"] == "GHz"
    for section, kind in SECTIONS.items():
        for name, unit in units(kind).items():
            shown = heads[name if section == "metrics" else f"{section}.{name}"]
            assert si(1.0, shown, unit) > 0


def test_no_point_of_the_front_beats_another(front: pd.DataFrame) -> None:
    heads = {split_head(head)[0]: head for head in front.columns}
    fast = front[heads["tokens_per_second_per_user"]]
    others = [front[heads[name]] for name in ("energy_per_token", "cost_per_million_tokens")]
    assert (fast.diff().dropna() <= 0).all(), "the fastest first"
    for i in range(len(front)):
        no_worse = (fast >= fast[i]) & (others[0] <= others[0][i]) & (others[1] <= others[1][i])
        better = (fast > fast[i]) | (others[0] < others[0][i]) | (others[1] < others[1][i])
        assert not (no_worse & better).any()


def check_rebuilt(point: pd.Series, found: dict[str, Any]) -> None:
    """The same answers to 1e-5 and the same mapping."""
    for head, value in point.items():
        name, unit = split_head(head)
        section, _, inner = name.rpartition(".")
        if section == "mapping":
            assert found["mapping"][inner] == value, head
        elif (section or "metrics") in SECTIONS and name != "name":
            kind = section or "metrics"
            if inner in units(SECTIONS[kind]):
                expected = si(value, unit, units(SECTIONS[kind])[inner])
                assert found[kind][inner] == pytest.approx(expected, rel=1e-5, abs=1e-12), head


@pytest.mark.parametrize("memory", ["sram_lpddr5", pytest.param("stack_lpddr5x", marks=pytest.mark.slow)])
def test_a_point_of_the_front_is_a_command_line_that_rebuilds_it(
    front: pd.DataFrame, tmp_path: Path, memory: str
) -> None:
    """In a process of its own for the stack."""
    points = front[front["hw/chip/memory"] == memory]
    if points.empty:
        pytest.skip(f"no point of this front has {memory}")
    program, *words = shlex.split(points.iloc[0]["command"])
    run = run_process if memory.startswith("stack") else run_here
    done = run(tmp_path, *words, "tracking=none", "hydra.run.dir=again")
    assert (program, done.code) == ("dse", 0), done.err
    found = result(tmp_path / "again")
    assert min(found["headroom"][name] for name in ("memory", "power", "heat")) >= 0
    check_rebuilt(points.iloc[0], found)


def test_a_study_is_one_run_and_one_flat_run_for_each_point(searched: tuple[Path, Done], front: pd.DataFrame) -> None:
    by_kind: dict[str, list[Any]] = {}
    found = runs(searched[0] / "runs.db")
    for run in found["sram_or_3d_dram"]:
        by_kind.setdefault(run.data.tags["dse.kind"], []).append(run)
    assert {kind: len(some) for kind, some in by_kind.items()} == {"study": 1, "front": len(front)}
    assert sum(map(len, found.values())) == 1 + len(front)
    study = by_kind["study"][0].info.run_id
    for run in found["sram_or_3d_dram"]:
        assert run.data.tags["dse.study"] == study
        assert "mlflow.parentRunId" not in run.data.tags
        assert run.info.status == "FINISHED"


def test_the_study_keeps_what_it_was_made_of(searched: tuple[Path, Done]) -> None:
    import mlflow

    study = next(run for run in all_runs(searched[0] / "runs.db") if run.data.tags["dse.kind"] == "study")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{searched[0]}/runs.db")
    names = {artifact.path for artifact in client.list_artifacts(study.info.run_id)}
    assert {"front.csv", "trials.parquet", "report.html", "study.json"} <= names
    assert {"dse.version.jax", "dse.version.optuna", "dse.commit", "dse.command"} <= set(study.data.tags)


def test_points_are_logged_as_numbers_with_their_unit_in_the_key(
    searched: tuple[Path, Done], front: pd.DataFrame
) -> None:
    logged = [run for run in all_runs(searched[0] / "runs.db") if run.data.tags["dse.kind"] == "front"]
    for run in logged:
        point = front[front["name"] == run.data.tags["dse.front"]].iloc[0]
        params = run.data.params
        assert run.data.tags["dse.rebuild"] == point["command"]
        assert float(params["hw.chip.engine.frequency GHz"]) == pytest.approx(point["hw.chip.engine.frequency GHz"])
        assert float(params["hw.chip.engine.cores"]) == point["hw.chip.engine.cores"]
        assert params["hw/fabric"] == point["hw/fabric"]
        assert ("hw.chip.memory.stack.layers" in params) == point["hw/chip/memory"].startswith("stack")
        assert all(isinstance(value, float) for value in run.data.metrics.values())
        logged_si = {split_head(key)[0]: (value, split_head(key)[1]) for key, value in run.data.metrics.items()}
        for head in front.columns:
            name, unit = split_head(head)
            if name in units(Metrics):
                expected = si(point[head], unit, units(Metrics)[name])
                assert si(*logged_si[name], units(Metrics)[name]) == pytest.approx(expected, rel=1e-6), head
    assert len({tuple(sorted(run.data.metrics)) for run in logged}) == 1


# Several jobs, a server that is down, folders of one's own.


def test_a_sweep_makes_one_run_of_each_job_with_equal_keys(tmp_path: Path) -> None:
    words = ("-m", "task=evaluate", "hw=corsair_server,raptor_server", "model=llama3_8b", "serving=interactive")
    done = run_here(tmp_path, *words, "hydra.sweep.dir=many", f"tracking.uri=sqlite:///{tmp_path}/runs.db")
    assert done.code == 0, done.err
    found = all_runs(tmp_path / "runs.db")
    assert len(found) == 2
    assert len({tuple(sorted(run.data.metrics)) for run in found}) == 1
    times = sorted(run.data.metrics["time_per_output_token ms"] for run in found)
    jobs = [result(tmp_path / "many" / str(job)) for job in range(2)]
    assert times == pytest.approx(sorted(job["metrics"]["time_per_output_token"] * 1e3 for job in jobs))
    assert times[0] < times[1]


@pytest.fixture(scope="module")
def unreachable(own: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The small question of an own folder, named relative to where it is asked, while no server listens."""
    folder = tmp_path_factory.mktemp("unreachable")
    (folder / "conf").symlink_to(own)
    words = ("search.trials=24", "tracking=mlflow", "tracking.uri=http://127.0.0.1:9", "hydra.run.dir=study")
    return folder, run_here(folder, "--config-dir=conf", *SMALL, *words)


def test_a_server_that_is_down_costs_seconds_and_no_files(unreachable: tuple[Path, Done]) -> None:
    """Two retries and their pauses, beside the search: a client left to itself hangs for 246 s."""
    folder, done = unreachable
    assert done.code == 0, done.err
    assert done.seconds < 150
    assert "not logged to http://127.0.0.1:9" in done.out
    assert f"dse task=log run={folder / 'study'}" in done.out
    assert {path.name for path in (folder / "study").iterdir()} >= {
        "front.csv", "trials.parquet", "study.json", "report.html",
    }  # fmt: skip


def test_an_own_experiment_is_searched_on_equal_terms(unreachable: tuple[Path, Done]) -> None:
    study = json.loads((unreachable[0] / "study" / "study.json").read_text())
    assert (study["title"], study["experiment"], study["counts"]["evaluated"]) == (
        "A small question",
        "small",
        DIFFERENT,
    )
    for point in study["front"]:
        assert any(word.startswith("--config-dir=/") for word in shlex.split(point["command"]))


def test_a_run_is_logged_again_later(unreachable: tuple[Path, Done]) -> None:
    """With the folder alone: the own YAMLs and the experiment it was are not needed again."""
    folder, _ = unreachable
    front = pd.read_csv(folder / "study" / "front.csv")
    done = run_here(folder, "task=log", "run=study", f"tracking.uri=sqlite:///{folder}/other.db")
    assert done.code == 0, done.err
    logged = runs(folder / "other.db")
    assert len(logged.pop("small")) == 1 + len(front)
    assert not any(logged.values())


def test_every_unit_of_a_parameter_can_be_logged(unreachable: tuple[Path, Done]) -> None:
    """The same study, had it varied a quantity of each unit."""
    folder, _ = unreachable
    study = json.loads((folder / "study" / "study.json").read_text())
    shown = {f"hw.quantity{i}": readable(unit, 1234.5)[1] for i, unit in enumerate(sorted(component_units()))}
    study["columns"]["parameters"] = {key: {"unit": unit, "factor": 1.0} for key, unit in shown.items()}
    study["front"] = [study["front"][0] | {"parameters": dict.fromkeys(shown, 1.5)}]
    (folder / "units").mkdir()
    (folder / "units" / "study.json").write_text(json.dumps(study))
    done = run_here(folder, "task=log", "run=units", f"tracking.uri=sqlite:///{folder}/units.db")
    assert done.code == 0, done.err
    (point,) = [run for run in all_runs(folder / "units.db") if run.data.tags["dse.kind"] == "front"]
    assert sum(key.startswith("hw.quantity") for key in point.data.params) == len(shown)


def test_logging_again_leaves_the_run_as_it_was(unreachable: tuple[Path, Done]) -> None:
    folder, _ = unreachable
    before = snapshot(folder / "study")
    run_here(folder, "task=log", "run=study", f"tracking.uri=sqlite:///{folder}/third.db")
    assert snapshot(folder / "study") == before


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_command_line_of_an_own_experiment_rebuilds_its_point(unreachable: tuple[Path, Done], tmp_path: Path) -> None:
    front = pd.read_csv(unreachable[0] / "study" / "front.csv")
    _, *words = shlex.split(front.iloc[-1]["command"])
    done = run_here(tmp_path, *words, "tracking=none", "hydra.run.dir=again")
    assert done.code == 0, done.err
    check_rebuilt(front.iloc[-1], result(tmp_path / "again"))


def test_own_machines_and_models_are_picked_like_the_shipped_ones(tmp_path: Path) -> None:
    """A card of four packages, and 8B of half as many layers."""
    own = tmp_path / "mine"
    for group, name, text in (
        ("hw", "large_card", "defaults: [corsair_card, _self_]\nlevels: {card: {fanout: 4}}\n"),
        ("model", "half_8b", "defaults: [llama3_8b, _self_]\nblocks: {all: {layers: 16}}\n"),
    ):
        (own / group).mkdir(parents=True)
        (own / group / f"{name}.yaml").write_text(text)
    shared = ("task=evaluate", "serving=interactive", "tracking=none", "mapping.tensor=8", "mapping.pipeline=1")
    found = []
    for number, words in enumerate((("hw=large_card", "model=half_8b"), ("hw=corsair_card", "model=llama3_8b"))):
        done = run_here(tmp_path, "--config-dir", str(own), *shared, *words, f"hydra.run.dir=run{number}")
        assert done.code == 0, done.err
        found.append(result(tmp_path / f"run{number}"))
    mine, shipped = found
    assert mine["metrics"]["silicon_area"] == pytest.approx(2 * shipped["metrics"]["silicon_area"], rel=1e-9)
    assert mine["mapping"]["data"] == 2 * shipped["mapping"]["data"]
    assert mine["metrics"]["time_per_output_token"] < shipped["metrics"]["time_per_output_token"]


# What needs no computing.


def test_the_console_script_is_the_same_program() -> None:
    (script,) = entry_points(group="console_scripts", name="dse")
    assert script.load() is __main__.run


@pytest.fixture(scope="module")
def helped(foreign: Path) -> tuple[Done, float]:
    """`dse --help`, and the least processor time that it took of three."""
    times, done = [], None
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run_process(foreign, "--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert done is not None
    return done, min(times)


def test_help_names_the_choices(helped: tuple[Done, float]) -> None:
    done, _ = helped
    assert done.code == 0
    for word in ("dse task=evaluate", "resume=FOLDER", "corsair_server", "llama3_70b", "sram_or_3d_dram", "nsga2"):
        assert word in done.out


def test_help_takes_less_than_a_second(helped: tuple[Done, float]) -> None:
    assert helped[1] < 1


def test_the_composed_configuration_is_printed(foreign: Path) -> None:
    done = run_process(foreign, "--cfg", "job", "hw=raptor_server", "hw.chip.engine.cores=300")
    assert done.code == 0
    composed = yaml.safe_load(done.out)
    assert composed["hw"]["chip"]["engine"]["cores"] == 300
    assert "stack" in composed["hw"]["chip"]["memory"]
    assert not (foreign / "outputs").exists()
