"""Traces: files in their forms, what is wrong with them in words, and synthetic ones held against their recordings."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_machines import Roofline

from dse.configuration.measured import folder
from dse.configuration.provenance import citations
from dse.evaluation.rules import Rules
from dse.simulation.simulate import simulate
from dse.traffic.synthetic import Kind, Recipe, arrivals, generate, read
from dse.traffic.traces import dispersion, load, synthetic_files

CSV = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.98,4808,10\n2023-11-16 18:17:05.48,3180,8\n"
LINES = [
    {"timestamp": 500, "input_length": 1100, "output_length": 7, "hash_ids": [0, 1, 2]},
    {"timestamp": 2500, "input_length": 600, "output_length": 3, "hash_ids": [0, 5]},
]
JSONL = "".join(json.dumps(line) + "\n" for line in LINES)


def write(path, text):
    (gzip.open if path.suffix == ".gz" else open)(path, "wt").write(text)
    return str(path)


@pytest.mark.parametrize(
    ("name", "text", "prompt", "arrival"),
    [
        ("a.csv", CSV, [4808, 3180], [0, 1.5]),
        ("a.csv.gz", CSV, [4808, 3180], [0, 1.5]),
        ("m.jsonl", JSONL, [1100, 600], [0, 2.0]),
        ("m.jsonl.gz", JSONL, [1100, 600], [0, 2.0]),
        ("own.csv", "arrival,prompt,output\n7,10,1\n9.5,20,2\n", [10, 20], [0, 2.5]),
        ("own.csv", "output_tokens, Arrival Time (ms), prompt_tokens\n1,7000,10\n2,9500,20\n", [10, 20], [0, 2.5]),
        ("own.jsonl", '{"arrival": 1, "prompt": 10, "output": 1}\n\n{"arrival": 3, "prompt": 20, "output": 2}\n',
         [10, 20], [0, 2]),
    ],
)  # fmt: skip
def test_files_are_read(tmp_path, name, text, prompt, arrival):
    found = load(write(tmp_path / name, text))
    assert found.prompt.tolist() == prompt
    assert found.arrival == pytest.approx(arrival)
    assert (found.blocks == ((0, 1, 2), (0, 5))) == name.startswith("m.")


def test_a_rate_stretches_every_gap_alike(tmp_path):
    path = write(tmp_path / "a.csv", "arrival,prompt,output\n0,1,1\n1,1,1\n5,1,1\n6,1,1\n")
    assert load(path).rate == pytest.approx(0.5)
    assert load(path, rate=2).arrival == pytest.approx([0, 0.25, 1.25, 1.5])
    assert len(load(path, requests=2)) == 2
    assert len(load(path, requests=20)) == 4
    assert load(path, rate=2, requests=2).arrival == pytest.approx([0, 0.5])


def test_lengths_alone_come_as_a_poisson_stream(tmp_path):
    text = "num_prefill_tokens,num_decode_tokens\n" + "100,5\n" * 5000
    found = load(write(tmp_path / "lengths.csv", text), rate=3)
    assert found.rate == pytest.approx(3)
    gaps = np.diff(found.arrival)
    assert np.std(gaps) / np.mean(gaps) == pytest.approx(1, abs=0.05)  # exponential, to some 3 / sqrt(5000)
    assert found.arrival.tolist() == load(tmp_path / "lengths.csv", rate=3).arrival.tolist()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "when,ContextTokens\n1,2\n", "no column for output; found are when, ContextTokens; name the columns"),
        ("a.csv", "prompt,output\n1,2\n", "only lengths here (prompt, output), no times; give rate="),
        ("a.csv", "", "the file is empty"),
        ("a.csv", "arrival,prompt,output\n", "there are no requests below the heads"),
        ("a.csv", "arrival,prompt,output\n0,5,5\n2,5,5\n1,5,5\n", "line 4: arrives 1 s before the request above it"),
        ("a.csv", "arrival,prompt,output\n0,5,5\n2,0,5\n", "line 3: prompt is 0 tokens"),
        ("a.csv", "arrival,prompt,output\n0,5,-5\n", "line 2: output is -5 tokens"),
        ("a.csv", "arrival,prompt,output\n0,5.5,5\n", "must be a whole number from 1"),
        ("a.csv", "arrival,prompt,output\n0,many,5\n", "line 2: prompt is 'many', which is no number"),
        ("a.csv", "arrival,prompt,output\n0,,5\n", "line 2: prompt is '', which is no number"),
        ("a.csv", "arrival,prompt,output\nnoon,5,5\n", "arrival is 'noon', neither seconds nor a date"),
        ("a.csv", "arrival,prompt,output\n1,5,5\n2e999,5,5\n", "line 3: the arrival is no finite time"),
        ("a.jsonl", "", "there are no requests in this file"),
        ("a.jsonl", "{]", "line 1 is no JSON"),
        ("a.jsonl", "[1]", "line 1 is no object"),
        ("a.jsonl", '{"timestamp": 0, "input_length": 5}', "no column for output"),
        ("a.jsonl", JSONL + '{"timestamp": 3000}', "line 3: "),
        ("a.jsonl", JSONL + '{"timestamp": 30, "input_length": 5, "output_length": 1}', "times must not run backwards"),
        ("a.txt", CSV, "a trace is a file that ends in .csv"),
        ("a.csv.gz", None, "this is no table"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, name, text, told):
    path = tmp_path / name
    if text is None:
        path.write_text("not packed")
    else:
        write(path, text)
    with pytest.raises(ValueError) as error:
        load(str(path))
    assert told in str(error.value)
    assert str(path) in str(error.value)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(FileNotFoundError, match="did you mean 'code_synthetic'"):
        load("code_synthetik")


def test_all_at_once_has_no_rate(tmp_path):
    path = write(tmp_path / "a.csv", "arrival,prompt,output\n0,1,1\n0,1,1\n")
    assert load(path).rate == 0
    with pytest.raises(ValueError, match="all requests arrive at once"):
        load(path, rate=3)


# ---- synthetic ----

# Published statistics of the recordings, tokens: mean, p50, p90, p99; requests a second. Tables of 21 quantiles a kind
# keep means to 3 %, of which the noise of 100,000 answers to code is 1 %; quantiles of the whole are as noisy where few
# requests lie near them.
PUBLISHED = {
    "chat_synthetic": ({"prompt": (1154.7, 1020, 2734.5, 4142), "output": (211.1, 129, 424, 601)}, 5.53),
    "code_synthetic": ({"prompt": (2047.8, 1469, 5187.6, 7436), "output": (27.9, 13, 55, 251.5)}, 2.567),
}
TOLERANCES = {"mean": 0.03, "p50": 0.04, "p90": 0.06, "p99": 0.06}
RECORDED = {
    "chat_synthetic": "AzureLLMInferenceTrace_2023_conv.csv.gz",
    "code_synthetic": "AzureLLMInferenceTrace_2023_code.csv.gz",
}


def drawn(name):
    """Statistics over five seeds of 20,000 requests."""
    return [load(name, requests=20_000, seed=seed).statistics() for seed in range(5)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_synthetic_traces_have_their_recordings_statistics(name):
    lengths, rate = PUBLISHED[name]
    found = drawn(name)
    assert found[0]["rate"] == pytest.approx(rate, rel=1e-3)
    for which, values in lengths.items():
        for statistic, value in zip(TOLERANCES, values, strict=True):
            mean = np.mean([one[which][statistic] for one in found])
            assert mean == pytest.approx(value, rel=TOLERANCES[statistic]), f"{which} {statistic}"


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.skipif(not (folder() / "traces").is_dir(), reason=f"no measurements in INFERSCAPE_DATA ({folder()})")
def test_synthetic_traces_against_the_recorded_ones(name):
    """Lengths as above; the variance over mean of the arrivals to half as much again, one hour being one draw of many;
    and long answers go with middling prompts, which no single correlation says."""
    recorded = load(RECORDED[name])
    told, found = recorded.statistics(), drawn(name)
    for which in ("prompt", "output"):
        for statistic, tolerance in TOLERANCES.items():
            mean = np.mean([one[which][statistic] for one in found])
            assert mean == pytest.approx(told[which][statistic], rel=tolerance), f"{which} {statistic}"
    for width, value in told["dispersion"].items():
        assert np.mean([one["dispersion"][width] for one in found]) == pytest.approx(value, rel=0.5)
    made = load(name, requests=20_000)
    for low, high in ((0, 800), (800, 1250), (1250, 1e9)):
        answers = [np.mean(t.output[(t.prompt > low) & (t.prompt <= high)]) for t in (recorded, made)]
        assert answers[1] == pytest.approx(answers[0], rel=0.15)


@pytest.mark.skipif(not (folder() / "traces").is_dir(), reason=f"no measurements in INFERSCAPE_DATA ({folder()})")
def test_the_synthetic_chat_is_served_like_the_recorded_one():
    """At the recorded rate, far from what the stand-in can serve: medians and 90 % quantiles of the latencies to
    10 %, the 99 % quantile of the first token to 25 %. Near saturation they differ: an hour's slow tide is its own."""
    recorded = load(RECORDED["chat_synthetic"])
    found = []
    for one in (recorded, load("chat_synthetic", requests=len(recorded))):
        served = simulate(one, Roofline(), Rules())
        first, whole = served.first - one.arrival, served.last - one.arrival
        found.append([*np.quantile(first, [0.5, 0.9, 0.99]), *np.quantile(whole, [0.5, 0.9])])
    recorded_ones, made = np.array(found)
    assert np.all(np.abs(made / recorded_ones - 1) < [0.1, 0.1, 0.25, 0.1, 0.1])


@pytest.mark.parametrize("name", PUBLISHED)
def test_synthetic_traces_are_reproducible(name):
    one, same, other = (load(name, requests=500, seed=seed) for seed in (7, 7, 8))
    for column in ("arrival", "prompt", "output"):
        assert getattr(one, column).tolist() == getattr(same, column).tolist()
        assert getattr(one, column).tolist() != getattr(other, column).tolist()


def test_shipped_traces_name_source_and_owner():
    import yaml

    for path in synthetic_files().values():
        content = yaml.safe_load(path.read_text())
        assert content["source"] in citations()
        assert "CC-BY-4.0" in content["attribution"]
        assert "Microsoft" in content["attribution"]


@given(st.floats(0.1, 0.9), st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_stream_keeps_its_rate_and_varies_as_it_should(share, extra, spread):
    """Counts in windows much shorter than the memory: variance over mean = 1 + rate x width x v, v being the relative
    variance of the rate; a tolerance of half, busy times being few."""
    level = 1 + extra * min(1 / share - 1, 2.0)
    kind = Kind(1.0, np.array([1.0, 9.0]), np.array([1.0, 9.0]))
    recipe = Recipe("mine", 50.0, share, level, spread, 1.0, np.array([0.0, 1.0]), {"only": kind})
    found = arrivals(recipe, 50_000, np.random.default_rng(3))
    assert np.all(np.diff(found) >= 0)
    quiet = (1 - share * level) / (1 - share)
    variance = share * level**2 * (1 + spread**2) + (1 - share) * quiet**2 - 1
    assert dispersion(found, 0.05) == pytest.approx(1 + 2.5 * variance, rel=0.5)
    assert generate(recipe, 100, 1).rate == pytest.approx(50)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("busy_rate: 9", "busy_rate: 9 must be at most 3.33333"),
        ("memory: 150", "memory: 150 has no unit"),
        ("rate: 0", "rate: 0 must be above 0"),
        ("tempo: 3", "there is no 'tempo' here"),
        ("kinds: {only: {share: 0.5, prompt: [1, 2], output: [1, 2]}}", "as many lengths are needed"),
        ("kinds: {only: {share: 0.5, prompt: [3, 2], output: [1, 2]}}", "numbers that rise from 1"),
    ],
)
def test_a_recipe_that_is_wrong_is_refused(tmp_path, change, told):
    lines = synthetic_files()["chat_synthetic"].read_text()
    name = change.partition(":")[0]
    if name == "kinds":
        lines = lines[: lines.index("kinds:")]
    kept = [line for line in lines.splitlines() if not line.startswith(f"{name}:")]
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "mine.yaml").write_text("\n".join([*kept, change]))
    with pytest.raises(ValueError, match=r"mine\.yaml") as error:
        load("mine", folders=[str(tmp_path)])
    assert told in str(error.value)


def test_shares_must_sum_to_one(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(synthetic_files()["code_synthetic"].read_text().replace("share: 1.0", "share: 0.9"))
    with pytest.raises(ValueError, match="kinds: the shares must sum to 1"):
        read(path)
