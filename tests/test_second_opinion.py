"""The analytic model against an independent simulation, on random machines under random mappings.

Whole steps first; then engines, memories, exchanges and pipelines by themselves, where a step's other parts cannot
hide a difference.

`event_simulation` knows only the configuration. The third column of the table, for the reader, is the same simulation
without the analytic model's conventions (`event_simulation.Conventions`).
"""

from __future__ import annotations

import copy
import functools
import math
import random
from dataclasses import dataclass
from typing import Any

import jax
import pytest
from event_simulation import (
    ENGINES,
    FREE_RUNNING,
    Conventions,
    Operator,
    Pipeline,
    all_reduce,
    deal_layers,
    hops_of,
    layer_of,
    pipeline_of,
    play_operator,
    play_pipeline,
    scatter_all,
    spans_of,
)
from event_simulation import time_per_output_token as simulate

from dse.configuration.compose import compose, plain
from dse.configuration.schema import build
from dse.evaluation.evaluate import Candidate, evaluate
from dse.evaluation.metrics import Mapping
from dse.evaluation.schedule import pace
from dse.run.keys import SECTIONS
from hw.chip import Placement
from models.operators import Elementwise, WeightProduct

jax.config.update("jax_enable_x64", True)

CASES = 48
TOLERANCE = 0.01
MACHINES = (
    "corsair_card",
    "corsair_server",
    "squadrack_ethernet",
    "squadrack_fabrex",
    "raptor_card",
    "raptor_server",
    "dgx_h100",
    "dgx_h100_rack",
)
TILE, RATE = {"_target_": "hw.tensor_engine.Tile"}, {"_target_": "hw.tensor_engine.Rate"}
TILED = {
    "engine": {
        "_target_": "hw.tensor_engine.OutputTiles",
        "cores": 132,
        "frequency": "1.83 GHz",
        "rates": {
            "bits16": RATE | {"width": 16, "operations": "4096 op/clk"},
            "bits8": RATE | {"width": 8, "operations": "8192 op/clk"},
        },
        "tiles": {
            "large": TILE | {"rows": 128, "columns": 256, "sustained_fraction": 0.75},
            "small": TILE | {"rows": 64, "columns": 64, "sustained_fraction": 0.4},
        },
        "overhead": "2.5 us",
        "widest_energy": "0.49 pJ/op",
        "core_area": "3 mm^2",
        "core_static_power": "0.3 W",
        "idle_share": 0.1,
    },
    "vector": {"_target_": "hw.vector.Vector", "rate": "31 Top/s", "energy": "1 pJ/op"},
}
MODELS = ("llama3_8b", "llama3_70b", "llama2_70b")
INTEGERS = ("mxint8", "mxint4", "mxint4_weights")
FLOATS = ("bf16", "fp8", "mxint8")
MOST_DEVICES = 1024
MOST_STAGES = 24


@dataclass(frozen=True)
class Case:
    """One machine, model and format, with their numbers shaken, and a mapping onto it."""

    name: str
    cfg: dict[str, Any]
    mapping: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """Both answers in seconds, and what the machine would do without the model's conventions."""

    case: Case
    analytic: float
    simulated: float
    free: float
    legal: bool

    @property
    def miss(self) -> float:
        return self.simulated / self.analytic - 1

    def __str__(self) -> str:
        m = self.case.mapping
        places = f"t{m['tensor']:<4} p{m['pipeline']:<3} batch {m['batch']:<4} {m['weights']:>5} {m['cache']:>5}"
        times = f"{self.analytic * 1e3:11.5f} {self.simulated * 1e3:11.5f} ms {self.miss:+8.3%}"
        return f"{self.case.name:<46} {places} {times} {self.free / self.analytic - 1:+8.1%}"


@functools.cache
def section(name: str, choice: str) -> Any:
    """One section of the plain configuration; never changed, only copied."""
    chosen = {"hw": "corsair_card", "model": "llama3_8b", "format": "mxint8", "serving": "interactive", name: choice}
    return plain(compose([f"{group}={option}" for group, option in chosen.items()])[name])


def composed(hw: str, model: str, number_format: str) -> dict[str, Any]:
    """The plain configuration; `dgx_h100_rack` is nodes under one more level. Nodes have an engine of output tiles that
    nothing was fitted to: the simulation knows schedules, not kernels."""
    names = {"hw": hw.removesuffix("_rack"), "model": model, "format": number_format, "serving": "interactive"}
    cfg = {name: copy.deepcopy(section(name, choice)) for name, choice in names.items()}
    cfg["scheduler"] = {"_target_": "dse.evaluation.scheduler.WholePrompts"}
    if names["hw"] == "dgx_h100":
        cfg["hw"]["chip"] |= copy.deepcopy(TILED)
    keep_cool(cfg["hw"]["chip"])
    if names["hw"] != hw:
        cfg["hw"]["levels"]["rack"] = copy.deepcopy(section("hw", "squadrack_ethernet")["levels"]["rack"])
    return cfg


def keep_cool(chip: dict[str, Any]) -> None:
    """No limit lowers the clock and nothing warms: the simulation knows time, not heat."""
    chip["cooling"] |= {"power_limit": "1e9 W", "thermal_resistance": "0 K*m^2/W"}
    for tier in chip["memory"].values():
        if "layer_resistance" in tier:
            tier["layer_resistance"] = "0 K*m^2/W"


def scale(node: dict[str, Any], rng: random.Random, low: float, high: float, *names: str) -> None:
    """Multiply quantities, with or without a unit, by random factors."""
    for name in names:
        if name in node:
            number, _, unit = str(node[name]).partition(" ")
            value = float(f"{float(number) * math.exp(rng.uniform(math.log(low), math.log(high))):.6g}")
            node[name] = f"{value} {unit}" if unit else value


def shake_engine(engine: dict[str, Any], rng: random.Random) -> None:
    """Another engine of the same kind."""
    engine["cores"] = rng.randint(64, 512)
    scale(engine, rng, 0.5, 2, "frequency", "core_area")
    scale(engine, rng, 0.5, 16, "fill_width")
    scale(engine, rng, 0.02, 2, "overhead")
    if "fill_width" in engine:
        engine["rows"], engine["columns"] = rng.choice((32, 48, 64, 128, 256)), 16 * rng.randint(2, 16)
        engine["input_bits_per_clock"] = rng.choice((1, 1, 2, 3, 4, 8))
    for tile in engine.get("tiles", {}).values():
        tile["rows"], tile["columns"] = 16 * rng.randint(1, 8), 16 * rng.randint(2, 16)
        scale(tile, rng, 0.6, 1.3, "sustained_fraction")


def shake_tiers(chip: dict[str, Any], rng: random.Random) -> None:
    """Other memories of the same kinds, up to where they no longer matter; a stack sometimes has SRAM beside it."""
    if "stack" in chip["memory"] and rng.random() < 0.5:
        chip["memory"]["sram"] = copy.deepcopy(section("hw", "corsair_card")["chip"]["memory"]["sram"])
    for tier in chip["memory"].values():
        scale(tier, rng, 0.3, 3, "latency", "capacity", "interface_area", "via_area")
        scale(tier, rng, 0.3, 30, "bandwidth", "width", "pad_rate")
        scale(tier, rng, 0.7, 1.4, "pitch", "refresh_share", "signal_share")
        scale(tier, rng, 0.6, 1, "sustained_fraction", "overlap")
        if rng.random() < 0.25:
            tier["latency"] = f"{rng.uniform(1, 20):.3f} us"


def shake_levels(levels: dict[str, Any], rng: random.Random) -> None:
    """Other fan-outs and links."""
    while True:
        for level in levels.values():
            level["fanout"] = rng.choice((1, 2, 2, 3, 4, 4, 5, 8, 8))
        if 2 <= math.prod(level["fanout"] for level in levels.values()) <= MOST_DEVICES:
            break
    for level in levels.values():
        link = level["link"]
        scale(link, rng, 0.05, 5, "bandwidth", "latency")
        scale(link, rng, 0.8, 1.1, "sustained_fraction")
        link.pop("protocols", None)  # how a library times its messages has its own measurements
        if link["_target_"] == "hw.topology.Switch":
            link["reduction_fraction"], link["reduction_latency"] = rng.choice((0, 0, 0.5, 0.9)), "1 us"


def shake(cfg: dict[str, Any], rng: random.Random) -> None:
    """Another machine, model and traffic of the same structure."""
    chip, runtime, serving = cfg["hw"]["chip"], cfg["hw"]["runtime"], cfg["serving"]
    shake_engine(chip["engine"], rng)
    shake_tiers(chip, rng)
    shake_levels(cfg["hw"]["levels"], rng)
    scale(chip["vector"], rng, 0.01, 2, "rate")
    scale(chip, rng, 0.5, 2, "fixed_area")
    runtime["layer_time"] = rng.choice(("0 s", f"{rng.uniform(0, 10):.3f} us"))
    runtime["step_time"] = rng.choice(("0 s", f"{rng.uniform(0, 300):.3f} us"))
    runtime["hidden_exchange"] = rng.choice((0, 0, 0.25, 0.5))
    layer_of(cfg["model"])["layers"] += rng.randint(-8, 8)
    serving["prompt"], serving["output"], serving["prefill_share"] = rng.randint(100, 3000), rng.randint(16, 1000), 0


def groups(levels: dict[str, Any]) -> set[int]:
    """Sizes of groups that fill the levels from the inside and divide the last one they enter."""
    sizes, inside = {1}, 1
    for level in levels.values():
        fanout = level["fanout"]
        sizes |= {inside * parts for parts in range(1, fanout + 1) if fanout % parts == 0}
        inside *= fanout
    return sizes


def draw_batch(stages: int, rng: random.Random) -> int:
    """Full stages, or any number, often fewer than stages, that makes equal micro-batches."""
    full = rng.random() < 0.75
    while True:
        batch = round(math.exp(max(0, rng.uniform(-1, math.log(128)))))
        batch = math.ceil(batch / stages) * stages if full else batch
        if batch % math.ceil(batch / stages) == 0:
            return batch


def divide(one: int, other: int) -> bool:
    """True where either is a whole number of times in the other."""
    return one % other == 0 or other % one == 0


def draw_mapping(cfg: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Degrees that tile the machine and the heads, a pipeline where it can be; any tiers, full or not."""
    levels, tiers = cfg["hw"]["levels"], list(cfg["hw"]["chip"]["memory"])
    sizes, kv = sorted(groups(levels)), layer_of(cfg["model"])["mixer"]["key_value_heads"]
    chained, devices = rng.random() < 0.6, math.prod(level["fanout"] for level in levels.values())
    tensors = [size for size in sizes if kv % size == 0 or (size % kv == 0 and size // kv in sizes)]
    tensor = min(rng.choices(tensors, k=2)) if chained else max(rng.choices(tensors, k=2))
    chains = [size // tensor for size in sizes if size % tensor == 0 and size // tensor <= MOST_STAGES]
    pipeline = max(rng.choices(chains, k=2)) if chained else 1
    heads = layer_of(cfg["model"])["mixer"]["heads"]
    cuts = [n for n in {1, 2, max(1, tensor // kv)} if n in sizes and tensor % n == 0]
    cuts = [n for n in cuts if heads % (tensor // n) == 0 and divide(tensor // n, kv)]
    return {
        "tensor": tensor,
        "sequence": rng.choice(cuts),
        "pipeline": pipeline,
        "data": rng.randint(1, devices // (tensor * pipeline)),
        "batch": draw_batch(pipeline, rng),
        "weights": rng.choice(tiers[:1] * 2 + tiers[1:]),
        "cache": rng.choice(tiers[:1] * 2 + tiers[1:]),
    }


def draw(index: int) -> Case:
    """The case of this number, always the same."""
    rng = random.Random(1000 + index)
    hw, model = MACHINES[index % len(MACHINES)], rng.choice(MODELS)
    number_format = rng.choice(FLOATS if hw.startswith("dgx") else INTEGERS)
    cfg = composed(hw, model, number_format)
    shake(cfg, rng)
    return Case(f"{index:2} {hw} {model} {number_format}", cfg, draw_mapping(cfg, rng))


def candidate_of(case: Case) -> Candidate:
    """The analytic model's objects."""
    return Candidate(*(build(case.cfg[name], name) for name in SECTIONS))


def compare(case: Case) -> Row:
    """Ask both."""
    cfg, m, tiers = case.cfg, case.mapping, list(case.cfg["hw"]["chip"]["memory"])
    degrees = {name: m[name] for name in ("tensor", "sequence", "pipeline", "data")}
    degrees |= {"attention_data": 1, "expert": 1, "stages_inside": 0}
    load = {"batch": m["batch"], "users": m["batch"] * m["data"]}
    places = {"weights": tiers.index(m["weights"]), "cache": tiers.index(m["cache"])}
    given = {name: float(value) for name, value in (degrees | load | places).items()}
    answer = evaluate(candidate_of(case), Mapping(**given))
    return Row(
        case,
        analytic=float(answer.metrics.time_per_output_token),
        simulated=simulate(cfg, m),
        free=simulate(cfg, m, FREE_RUNNING),
        legal=bool(answer.legal),
    )


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [compare(draw(index)) for index in range(CASES)]


def test_simulation_agrees_with_the_analytic_model(rows: list[Row]) -> None:
    print("", *rows, sep="\n")
    assert all(row.legal for row in rows)
    missed = [str(row) for row in rows if not abs(row.miss) <= TOLERANCE]
    assert not missed, "\n".join(["simulation and analytic model differ:", *missed])


def slowed_by_latency(case: Case) -> float:
    """How much longer a token takes for the memories' latency."""
    cfg = copy.deepcopy(case.cfg)
    for tier in cfg["hw"]["chip"]["memory"].values():
        tier["latency"] = "0 s"
    return simulate(case.cfg, case.mapping) / simulate(cfg, case.mapping) - 1


def queues(pipeline: Pipeline) -> bool:
    """Whether a micro-batch waits for others."""
    return pipeline.in_flight * max(pipeline.service) > pipeline.path


def test_draws_cover_what_the_model_distinguishes(rows: list[Row]) -> None:
    mappings = [row.case.mapping for row in rows]
    assert {m["weights"] for m in mappings} == {m["cache"] for m in mappings} == {"sram", "lpddr", "stack", "hbm"}
    assert any(m["weights"] != m["cache"] for m in mappings)
    assert any(m["tensor"] > 8 for m in mappings)  # context is cut as well
    assert any(m["pipeline"] > 1 and m["tensor"] > 1 for m in mappings)
    assert any(slowed_by_latency(row.case) > 0.2 for row in rows)


def test_draws_cover_pipelines(rows: list[Row]) -> None:
    cases = [row.case for row in rows if row.case.mapping["pipeline"] > 1]
    stages = [pipeline_of(case.cfg, case.mapping, Conventions()) for case in cases]
    assert len(cases) >= CASES / 3
    assert any(case.mapping["pipeline"] > case.mapping["batch"] for case in cases)
    assert any(layer_of(case.cfg["model"])["layers"] % case.mapping["pipeline"] for case in cases)
    assert sum(queues(pipeline) for pipeline in stages) >= 6
    assert any(not queues(pipeline) and pipeline.in_flight > 1 for pipeline in stages)
    assert any(queues(pipeline) and pipeline.service[-1] > 1.1 * max(pipeline.service[:-1]) for pipeline in stages)


@pytest.mark.parametrize("index", range(2 * len(MACHINES)))
def test_engines_agree_on_single_operators(index: int) -> None:
    case, rng = draw(index), random.Random(index)
    cfg, candidate = case.cfg["hw"]["chip"]["engine"], candidate_of(case)
    for _ in range(8):
        held, size = rng.choice(("weights", "cache")), 2 ** rng.uniform(5, 12)
        op = Operator(rng.randint(1, 300), rng.randint(16, round(size)), rng.randint(16, 4096), held, rng.randint(1, 9))
        simulated = ENGINES[cfg["_target_"]](cfg, op, case.cfg["format"], Conventions())
        formats = candidate.format
        shape = (float(op.vectors), float(op.inputs), float(op.outputs), float(op.count))
        analytic = candidate.hw.chip.engine.time(
            *shape, getattr(formats, held), formats.activations, candidate.hw.chip.cold()
        )
        assert simulated == pytest.approx(float(max(analytic)), rel=1e-6), op


@pytest.mark.parametrize("index", range(2 * len(MACHINES)))
def test_memories_agree_on_single_operators(index: int) -> None:
    """Operators that read one tier and write another, in volumes that no model has."""
    case, rng = draw(index), random.Random(index)
    chip, formats, names = candidate_of(case).hw.chip, candidate_of(case).format, list(case.cfg["hw"]["chip"]["memory"])
    for _ in range(8):
        weights, cache = rng.choices(names, k=2)
        written = 2 ** rng.uniform(5, 25) if weights != cache else 0.0
        inputs, outputs = (round(2 ** rng.uniform(5, 13)) for _ in range(2))
        op = Operator(1, inputs, outputs, vector_ops=2 ** rng.uniform(5, 25), written=written)
        simulated = play_operator(case.cfg, {"weights": weights, "cache": cache}, op, Conventions())
        work = WeightProduct(1.0, float(inputs), float(outputs), written, Elementwise(op.vector_ops))
        place = Placement(float(names.index(weights)), float(names.index(cache)))
        analytic = float(chip.run(work, formats, place, chip.settle(formats)).total)
        assert simulated == pytest.approx(analytic, rel=1e-6), op


@pytest.mark.parametrize("index", range(2 * len(MACHINES)))
def test_exchanges_agree_one_by_one(index: int) -> None:
    case, rng = draw(index), random.Random(index)
    levels, network = case.cfg["hw"]["levels"], candidate_of(case).hw.network
    for devices in sorted(groups(levels)):
        partial, total = (math.exp(rng.uniform(math.log(1e2), math.log(1e8))) for _ in range(2))
        group, spans = network.group(float(devices)), spans_of(levels, devices)
        reduced, gathered = float(group.all_reduce(partial, total).time), float(group.all_gather(total).time)
        assert all_reduce(spans, partial, total) == pytest.approx(reduced, rel=0.005), devices
        assert scatter_all(spans, total) == pytest.approx(gathered, rel=1e-6), devices
    tensor, stages, tokens = case.mapping["tensor"], case.mapping["pipeline"], rng.randint(1, 128)
    number, size = candidate_of(case).format.gathered, tokens * case.cfg["model"]["hidden"]
    sent = float(network.hops(size * number.bytes, float(stages), float(tensor)).time)
    assert sum(hops_of(case.cfg, tensor, stages, tokens)) == pytest.approx(sent, rel=1e-6)


def test_fullest_stage_agrees_with_dealt_layers() -> None:
    rng = random.Random(0)
    for _ in range(300):
        layers, stages, head = rng.randint(16, 96), rng.randint(1, 24), math.exp(rng.uniform(-4, 3))
        service = [float(count) for count in deal_layers(layers, 1.0, head, stages)]
        service[-1] += head
        steady = play_pipeline(service, [0.0] * stages, stages)
        assert steady == pytest.approx(stages * float(pace(layers, stages, 1.0, head)) if stages > 1 else layers + head)
