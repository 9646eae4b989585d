"""Published runs against the model: rows are read, refused in words, predicted, and summed up."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import run_here

from dse.configuration.aliases import Names, plain_name
from dse.configuration.compose import conf_folder, written
from dse.configuration.measured import folder
from dse.validation.end_to_end import planned_or_refused, predicted, role, validation, value_of
from dse.validation.end_to_end_plan import Library, Planned
from dse.validation.end_to_end_program import Found
from dse.validation.end_to_end_rows import COLUMNS, METRICS, check_spreads, factor, metric, number, read
from dse.validation.validate import EXCLUDED, FITTED, PREDICTED, grouped, report

DATA = folder() / "end_to_end.csv.gz"
CONFIGURATIONS = folder() / "model_configs.csv"
needs_data = pytest.mark.skipif(not DATA.is_file(), reason=f"no measurements in INFERSCAPE_DATA ({folder()})")
GOOD = {
    "row_id": "one", "accelerator": "NVIDIA H100 80GB HBM3", "n_accel": "4",
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "precision": "bf16", "input_len": "1024", "output_len": "256", "batch_or_concurrency": "16",
    "scenario": "static batch", "metric": "batch_latency", "value": "1500", "unit": "ms", "tp": "4",
    "engine": "vLLM 0.6", "source": "somebody@1 table 2",
}  # fmt: skip
KEYS = {"row_id", "accelerator", "model", "metric", "engine", "measured", "modelled", "lower", "upper", "error"}
SUMS = {"count", "skipped", "median_absolute_error", "p90_absolute_error", "bias", "inside_spread"}


@pytest.fixture(scope="module")
def library() -> Library:
    return Library()


def full(**given: str) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | GOOD | given


def write(path: Path, *rows: dict[str, str]) -> Path:
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(GOOD) + [n for n in COLUMNS if n not in GOOD], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def found(library: Library, **given: str) -> tuple[Planned, Found]:
    """The prediction of a row that must have one."""
    planned = planned_or_refused(library, full(**given))
    assert isinstance(planned, Planned), planned
    (answer,) = predicted([planned])
    assert isinstance(answer, Found), answer
    return planned, answer


def test_names_differ_by_more_than_case_and_marks() -> None:
    assert plain_name("Llama 2-7B") == plain_name("llama2_7b") == plain_name("Llama-2-7b")
    assert plain_name("OPT 1.3B") == plain_name("opt_1_3b") != plain_name("OPT 13B")


@pytest.mark.parametrize("group", ["hw", "model", "hw/runtime"])
def test_a_name_leads_to_one_file(group: str) -> None:
    names = Names.read(group, [conf_folder()])  # raises where two files claim a name
    for given in names.shown:
        assert names.find(given) in names.files


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for name in ("first", "second"):
        (tmp_path / "model" / f"{name}.yaml").write_text("aliases: [Same One]\n")
    with pytest.raises(ValueError, match="names first as well"):
        Names.read("model", [tmp_path])


@pytest.mark.skipif(not CONFIGURATIONS.is_file(), reason=f"no measurements in INFERSCAPE_DATA ({folder()})")
def test_every_published_configuration_has_its_model(library: Library) -> None:
    with CONFIGURATIONS.open() as file:
        for row in csv.DictReader(file):
            name = library.models.find(row["model"])
            assert name is not None, row["model"]
            if row["hf_id"]:
                assert library.models.find(row["hf_id"]) == library.models.find(row["hf_id"].split("/")[-1]) == name


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("H100 SXM", "dgx_h100"), ("NVIDIA H100-SXM-80GB", "dgx_h100"), ("Nvidia H100 GPU", "dgx_h100"),
        ("h100-80gb", "dgx_h100"), ("h100_sxm", "dgx_h100"), ("A100 80GB SXM4", "dgx_a100"), ("dgx_a100", "dgx_a100"),
    ],
)  # fmt: skip
def test_accelerators_by_their_usual_names(library: Library, given: str, wanted: str) -> None:
    assert library.machines.find(given) == wanted


def test_other_cards_of_a_family_are_not_taken_for_one(library: Library) -> None:
    for name in ("NVIDIA H100-PCIe-80GB", "NVIDIA H100 NVL"):
        assert library.machines.find(name) != "dgx_h100"


@pytest.mark.parametrize(
    ("given", "wanted", "size"),
    [
        ("ms", "s", 1e-3), ("tok/s", "token/s", 1.0), ("tokens/s/GPU", "token/s", 1.0), ("queries/s", "1/s", 1.0),
        ("samples/s", "1/s", 1.0), ("J/token", "J/token", 1.0), ("kW", "W", 1e3), ("J/tok", "J/token", 1.0),
    ],
)  # fmt: skip
def test_units_as_rows_write_them(given: str, wanted: str, size: float) -> None:
    assert factor(given, wanted) == pytest.approx(size)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"accelerator": "H1OO SXM"}, "there is no accelerator 'H1OO SXM'"),
        ({"accelerator": ""}, "accelerator is missing"),
        ({"model": "meta-llama/Llama-3.1-8C"}, "did you mean"),
        ({"model": ""}, "model is missing"),
        ({"value": "-3"}, "value"),
        ({"value": "0"}, "above 0"),
        ({"value": "NaN"}, "no measurement"),
        ({"value": "fast"}, "'fast' is no number"),
        ({"value": "inf"}, "no number"),
        ({"unit": "furlong"}, "unit: 'furlong'"),
        ({"unit": ""}, "unit"),
        ({"unit": "W"}, "unit: 'W' is no unit of this metric"),
        ({"input_len": "a page"}, "input_len: 'a page' is no number"),
        ({"input_len": ""}, "input_len is missing"),
        ({"output_len": "0"}, "output_len"),
        ({"n_accel": ""}, "n_accel is missing"),
        ({"tp": ""}, "tp is missing"),
        ({"tp": "3"}, "do not divide n_accel"),
        ({"batch_or_concurrency": ""}, "batch_or_concurrency is missing"),
        ({"precision": "fp7"}, "precision: there is no 'fp7'"),
        ({"precision": ""}, "precision is missing"),
        ({"metric": "ttft_p99"}, "is a tail"),
        ({"metric": "happiness"}, "there is no answer to 'happiness'"),
        ({"metric": "ttft_std"}, "there is no answer to 'ttft_std'"),
        ({"metric": "tpot_variance"}, "there is no answer to 'tpot_variance'"),
        ({"metric": "ttft_slo_attainment"}, "there is no answer"),
        ({"metric": "ttft_p75"}, "there is no answer"),
        ({"scenario": "serving, fixed concurrency, disagg"}, "other machines"),
        ({"scenario": "on the moon"}, "is not known"),
        ({"notes": "EAGLE speculative decoding"}, "guessed ahead"),
        ({"n_accel": "16", "tp": "16"}, "does not fit one dgx_h100"),
    ],
)
def test_rows_that_cannot_be_predicted_say_why(library: Library, given: dict[str, str], words: str) -> None:
    why = planned_or_refused(library, full(**given))
    assert isinstance(why, str)
    assert words in why
    assert "unexpected" not in why


def test_numbers_as_tables_print_them() -> None:
    assert number(full(value="1,024.5"), "value") == 1024.5
    assert number(full(value=" n/a".strip()), "value") is None


def test_what_does_not_fit_says_how_much(library: Library) -> None:
    planned = planned_or_refused(library, full(batch_or_concurrency="100000"))
    assert isinstance(planned, Planned)
    (why,) = predicted([planned])
    assert isinstance(why, str)
    assert why.startswith("no mapping fits: needs ")
    assert "80 are there" in why


def test_answers_of_a_static_batch_belong_together(library: Library) -> None:
    """A batch's latency is its first token and the steps after it; its rate is its tokens over that."""
    _, whole = found(library)
    assert float(whole.whole) == pytest.approx(float(whole.first + 255 * whole.token))
    assert float(whole.rate) == pytest.approx(16 * 256 / float(whole.whole))
    per_chip, answer = found(library, metric="output_throughput_per_accel", unit="tok/s/GPU")
    assert value_of(per_chip, answer) == pytest.approx(float(whole.rate) / 4)


def test_replicas_share_the_load(library: Library) -> None:
    """Two replicas of half the load answer as one replica of it, twice as fast together."""
    _, one = found(library)
    _, two = found(library, n_accel="8", batch_or_concurrency="32")
    assert float(two.whole) == pytest.approx(float(one.whole))
    assert float(two.rate) == pytest.approx(2 * float(one.rate))


def test_one_user_served_is_a_batch_of_one(library: Library) -> None:
    """With nobody beside, prompts before decoding and batches that begin together are the same."""
    alone = {"batch_or_concurrency": "1", "metric": "tpot_median"}
    _, static = found(library, **alone)
    _, served = found(library, **alone, scenario="serving, fixed concurrency", engine="SGLang")
    _, chunked = found(library, **alone, scenario="serving, fixed concurrency", engine="vLLM")
    same = planned_or_refused(library, full(**alone, engine="SGLang"))
    assert isinstance(same, Planned)
    (batch,) = predicted([same])
    assert isinstance(batch, Found)
    assert float(served.token) == pytest.approx(float(batch.token))
    assert float(served.first) == pytest.approx(float(batch.first))
    # a chunk of the next prompt is beside some of the steps of a steady load
    assert float(static.token) <= float(chunked.token) * 1.0001


def test_waves_keep_the_count_of_requests(library: Library) -> None:
    """Where all are filled before any decodes, a request's time is that of all prompts and of the steps of all."""
    many = {"scenario": "serving, fixed concurrency", "engine": "SGLang", "metric": "tpot_median"}
    _, served = found(library, **many, batch_or_concurrency="64")
    _, batch = found(library, engine="SGLang", batch_or_concurrency="64", metric="tpot_median")
    assert float(served.whole) == pytest.approx(float(batch.whole), rel=0.15)  # passes of 8 prompts, not of 64
    assert float(served.rate) == pytest.approx(64 * 256 / float(served.whole))
    assert float(served.first) < float(batch.first)


def test_engines_fill_the_memory(library: Library) -> None:
    """Where the engine chooses, twice the context gives about half the sequences."""
    load = {"scenario": "in-flight batching, max load", "batch_or_concurrency": "", "metric": "output_throughput",
            "unit": "tok/s", "n_accel": "1", "tp": "1", "input_len": "8192", "output_len": "2048"}  # fmt: skip
    _, some = found(library, **load)
    _, fewer = found(library, **(load | {"input_len": "18432"}))
    assert float(some.missing) == 0
    assert 1 < float(fewer.batch) < float(some.batch)
    assert float(some.batch) / float(fewer.batch) == pytest.approx(2, rel=0.1)


def test_unknown_software_has_a_wider_spread(library: Library, tmp_path: Path) -> None:
    rows = validation(write(tmp_path / "rows.csv", full(), full(row_id="two", engine="home-made"))).rows
    assert [row.kind for row in rows] == ["vllm", "generic"]
    assert rows[1].upper and rows[1].modelled and rows[0].upper and rows[0].modelled  # noqa: PT018
    assert rows[1].upper / rows[1].modelled > rows[0].upper / rows[0].modelled
    assert "unknown" in rows[1].note


def test_a_machine_with_a_compiler_of_its_own_keeps_it(library: Library) -> None:
    card = {"accelerator": "raptor_card", "precision": "mxint8", "n_accel": "1", "tp": "1", "engine": ""}
    planned = planned_or_refused(library, full(**card))
    assert isinstance(planned, Planned)
    assert (planned.software, planned.known) == ("own", True)
    assert planned.question.runtime == planned.question.hw.runtime


def test_a_third_is_fitted_on_by_its_name_alone(library: Library) -> None:
    roles = [role(library.rules, full(row_id=f"e{i:05}"), "dgx_h100") for i in range(3000)]
    assert roles.count(FITTED) == pytest.approx(1000, rel=0.1)
    assert {role(library.rules, full(row_id=f"e{i:05}"), "elsewhere") for i in range(100)} == {PREDICTED}


def test_one_bad_row_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dse.validation import end_to_end

    usual = end_to_end.plan

    def plan(library: Library, row: Any) -> Planned:
        if row["row_id"] == "bad":
            raise RuntimeError("nobody thought of this")
        return usual(library, row)

    monkeypatch.setattr(end_to_end, "plan", plan)
    bad, good = validation(write(tmp_path / "rows.csv", full(row_id="bad"), full())).rows
    assert bad.role == EXCLUDED
    assert "unexpected: RuntimeError: nobody thought of this" in bad.note
    assert good.modelled


def test_one_answer_that_cannot_be_judged_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dse.validation import end_to_end

    usual = end_to_end.value_of

    def value(one: Planned, answer: Any) -> float:
        if one.run.row["row_id"] == "bad":
            raise KeyError("nobody thought of this")
        return usual(one, answer)

    monkeypatch.setattr(end_to_end, "value_of", value)
    bad, good = validation(write(tmp_path / "rows.csv", full(row_id="bad"), full())).rows
    assert bad.role == EXCLUDED
    assert "unexpected: KeyError" in bad.note
    assert good.modelled


@pytest.mark.parametrize(("name", "given"), [("first_served", None), ("rate", [2, 1]), ("other_machine", None)])
def test_a_spread_that_is_missing_is_named_at_once(library: Library, name: str, given: Any) -> None:
    spread = {key: pair for key, pair in library.rules["spread"].items() if key != name}
    with pytest.raises(ValueError, match=f"rules.yaml: spread: {name}"):
        check_spreads({"spread": spread | ({name: given} if given else {})}, "rules.yaml")


@pytest.mark.parametrize("metric_name", ["tpot", "TTFT_mean", "accelerator_power_mean", "output_throughput_per_accel"])
def test_means_and_medians_have_answers(metric_name: str) -> None:
    assert metric(full(metric=metric_name)) in METRICS.values()


@pytest.mark.parametrize(
    ("engine", "wanted", "known"),
    [
        ("vLLM 0.6, CUDA graphs", "vllm", True), ("vLLM (ideal batching)", "vllm", True), ("graphs", "graphs", True),
        ("home-made, CUDA graphs", "generic", False), ("a generic loop", "generic", False),
        ("generic", "generic", False),
    ],
)  # fmt: skip
def test_stand_ins_are_no_part_of_a_name(library: Library, engine: str, wanted: str, known: bool) -> None:
    planned = planned_or_refused(library, full(engine=engine))
    assert isinstance(planned, Planned), planned
    assert (planned.software, planned.known) == (wanted, known)


def test_every_software_says_how_it_serves(library: Library) -> None:
    """Or it would have the rules of software that nobody knows."""
    named = {stem for stem, path in library.software.files.items() if written(path).get("aliases")}
    assert named == set(library.rules["serving"]) - {"otherwise"}
    assert set(library.software.files) - named == set(library.rules["stand_ins"])


def test_packed_and_plain_files_say_the_same(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", full())) == read(write(tmp_path / "b.csv.gz", full()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lacks the columns accelerator, metric, value, unit, model or model_key"),
        ("accelerator,model,metric,value\n", "lacks the columns unit"),
    ],
)
def test_files_without_what_is_needed_end_in_one_message(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "rows.csv").write_text(text)
    done = run_here(tmp_path, "task=validate", "suite=end_to_end", "data=rows.csv", "hydra.run.dir=run")
    assert done.code == 1
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_the_command_writes_what_it_promises(tmp_path: Path) -> None:
    """Few columns, a row that is skipped, and a folder of one's own."""
    few: tuple[str, ...] = (
        "accelerator", "model", "metric", "value", "unit", "n_accel", "input_len", "output_len", "precision",
        "batch_or_concurrency", "scenario", "engine", "tp",
    )  # fmt: skip
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list[str](few), extrasaction="ignore")
        writer.writeheader()
        writer.writerows([full(), full(accelerator="abacus"), full(value="x")])
    words = ("task=validate", "suite=end_to_end", "data=rows.csv", "out=told", "hydra.run.dir=run")
    done = run_here(tmp_path, *words)
    assert done.code == 0, done.err
    content = json.loads((tmp_path / "told" / "validation.json").read_text())
    first, second, third = content["rows"]
    assert set(first) >= KEYS
    assert "skipped" not in first
    assert first["measured"] == pytest.approx(1.5)
    assert first["error"] == pytest.approx(first["modelled"] / first["measured"] - 1)
    assert "there is no accelerator 'abacus'" in second["skipped"]
    assert "'x' is no number" in third["skipped"]
    assert set(content["overall"]) == SUMS
    assert content["overall"]["skipped"] == 2
    for name in ("metric", "engine", "accelerator", "source"):
        assert sum(one["skipped"] for one in content["groups"][name].values()) == 2
    page = (tmp_path / "told" / "validation.html").read_text()
    assert "<svg" in page
    assert "://" not in page.replace("http://www.w3.org", "")


@needs_data
@pytest.mark.slow
def test_published_runs_are_predicted() -> None:
    """Nothing is fitted on the rows that count. Two software stacks on the same machines differ by up to 1.65 times,
    and time between tokens is what the model is about: half of those rows within a quarter."""
    suite = validation(DATA)
    told = report(suite)
    print({name: one for name, one in told["groups"]["metric"].items() if one["count"]})
    assert told["overall"]["count"] > 2000
    assert told["overall"]["median_absolute_error"] < 0.3
    assert grouped(suite.rows, "metric")["tpot_median"]["median_absolute_error"] < 0.25
    assert not [row for row in suite.rows if "unexpected" in row.note]
    assert np.isfinite([row.modelled or np.nan for row in suite.rows if row.role != EXCLUDED]).all()
