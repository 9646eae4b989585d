"""A second opinion on the analytic model: one decode step of one replica, played out event by event.

Plain Python that shares nothing with hw, models and dse but the composed configuration, as nested dictionaries with
units in strings. `time_per_output_token(cfg, mapping)` answers in seconds; mapping holds tensor, pipeline, batch and
the names of the tiers of weights and cache. `Conventions` holds what the analytic model decrees and a machine left to
itself would not do; `FREE_RUNNING` switches it off.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PREFIXES = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
UNIT = re.compile(r"([TGMkmun]?)(bit|clk|Hz|op|B|s|m)(?:\^(\d))?")
CHUNKS = 840  # of a message that a switch adds up while it passes
ROUNDS = 12  # tokens of every micro-batch until the pipeline is taken to be steady; the last half is timed


@dataclass(frozen=True)
class Conventions:
    """What the analytic model decrees.

    drain : the slot of the loader beside an array's last tile is waited for, though nothing is loaded in it.
    """

    drain: bool = True


FREE_RUNNING = Conventions(drain=False)


def amount(value: Any) -> float:
    """A number, or a number with a unit, in s, Hz, B, bit, op, clk and m."""
    if not isinstance(value, str):
        return float(value)
    number, _, unit = value.partition(" ")
    scale = 1.0
    for position, factor in enumerate(unit.split("/") if unit else []):
        match = UNIT.fullmatch(factor)
        assert match, f"unit {factor!r} of {value!r}"
        size = PREFIXES[match[1]] ** int(match[3] or 1)
        scale = scale / size if position else scale * size
    return float(number) * scale


def element_bytes(number: dict[str, Any]) -> float:
    """Bytes of one element with its share of the block's scale."""
    return (number["element_bits"] + number["scale_bits"] / number["block"]) / 8


# ---- the work of one device -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operator:
    """`count` products of `vectors` x `inputs` with held `inputs` x `outputs` words, and what goes with them."""

    vectors: int
    inputs: int
    outputs: int
    held: str = "weights"
    count: int = 1
    vector_ops: float = 0.0
    written: float = 0.0  # elements of the cache


@dataclass(frozen=True)
class Shards:
    """What `tensor` devices share: so many of them the context of a head; heads are dealt to the others."""

    tensor: int
    contexts: int

    @property
    def heads(self) -> int:
        """Devices that heads are dealt to; with fewer key-value heads than that, some are held twice."""
        return self.tensor // self.contexts


def shards_of(mapping: dict[str, Any]) -> Shards:
    return Shards(mapping["tensor"], mapping["sequence"])


def layer_of(model: dict[str, Any]) -> dict[str, Any]:
    """The one kind of layer that the model has."""
    (block,) = model["blocks"].values()
    return block


def layer_operators(model: dict[str, Any], shards: Shards, tokens: int, context: float) -> list[Operator]:
    """One layer on one device, in order."""
    attention, hidden, t = layer_of(model)["mixer"], model["hidden"], shards.tensor
    heads, kv, dim = attention["heads"], attention["key_value_heads"], attention["head_dim"]
    keys = 2 * dim * max(1, kv // shards.heads) / shards.contexts  # those of its own heads, however often they are held
    projected = math.ceil(heads * dim / t + keys)
    local = math.ceil(kv / min(kv, shards.heads))
    products, seen = tokens * local, math.ceil(context / shards.contexts)
    group = heads // shards.heads // local
    width = math.ceil(layer_of(model)["feedforward"]["width"] / t)
    norms = 2 * 5 * tokens * hidden
    written = tokens * 2 * kv * dim / min(kv, shards.heads) / shards.contexts
    return [
        Operator(tokens, hidden, projected, vector_ops=3 * tokens * projected + norms, written=written),
        Operator(group, dim, seen, "cache", products, vector_ops=5 * products * group * seen),
        Operator(group, seen, dim, "cache", products),
        Operator(tokens, math.ceil(heads * dim / t), hidden),
        Operator(tokens, hidden, 2 * width, vector_ops=5 * tokens * width),
        Operator(tokens, width, hidden),
    ]


def head_operator(model: dict[str, Any], shards: Shards, tokens: int) -> Operator:
    """The last norm and the product with the vocabulary."""
    outputs = math.ceil(model["vocabulary"] / shards.tensor)
    return Operator(tokens, model["hidden"], outputs, vector_ops=tokens * (5 * model["hidden"] + outputs))


# ---- engines ----------------------------------------------------------------------------------------------------


def array_jobs(engine: dict[str, Any], op: Operator, columns: float) -> list[int]:
    """The vectors of every (tile, copy), copies of one tile apart, so that a deal gives no core two of them."""
    tiles = op.count * math.ceil(op.inputs / engine["rows"]) * math.ceil(op.outputs / columns)
    copies = max(1, min(engine["cores"] // tiles, op.vectors))
    share = math.ceil(op.vectors / copies)
    return [min(share, op.vectors - copy * share) for copy in range(copies) if copy * share < op.vectors] * tiles


def array_core(streams: Sequence[float], fill: float, drain: bool) -> float:
    """Clocks of one core with two buffers: the next tile is loaded while the vectors stream through this one."""
    clock = fill
    for position, stream in enumerate(streams):
        loads = drain or position + 1 < len(streams)
        clock += max(stream, fill) if loads else stream
    return clock


def array_seconds(engine: dict[str, Any], op: Operator, formats: dict[str, Any], rules: Conventions) -> float:
    """Cores that hold tiles of the weights, keys or values; jobs are dealt in turn."""
    held = formats[op.held]
    columns = engine["columns"] * engine["word_bits"] / held["element_bits"]
    fill = engine["rows"] * columns * element_bytes(held) / amount(engine["fill_width"])
    beat = math.ceil(formats["activations"]["element_bits"] / engine["input_bits_per_clock"])
    streams = [vectors * beat for vectors in array_jobs(engine, op, columns)]
    cores = engine["cores"]
    ends = [array_core(streams[core::cores], fill, rules.drain) for core in range(min(cores, len(streams)))]
    return max(ends) / amount(engine["frequency"])


def tiles_seconds(engine: dict[str, Any], op: Operator, formats: dict[str, Any], _: Conventions) -> float:
    """Cores that take tiles of the output as they fall free, with the best of the tile shapes."""
    bits = max(formats["activations"]["element_bits"], formats[op.held]["element_bits"])
    rate = min((rate for rate in engine["rates"].values() if rate["width"] >= bits), key=lambda rate: rate["width"])
    peak = amount(rate["operations"]) * amount(engine["frequency"])
    return min(waves(engine["cores"], op, tile, peak) for tile in engine["tiles"].values())


SHORTEST_K = 128


def waves(cores: int, op: Operator, tile: dict[str, Any], peak: float) -> float:
    """When the last core is done with its last tile."""
    jobs = op.count * math.ceil(op.vectors / tile["rows"]) * math.ceil(op.outputs / tile["columns"])
    parts = max(1, min(cores // jobs, math.ceil(op.inputs / SHORTEST_K)))  # few tiles are cut along their inputs
    seconds = 2 * tile["rows"] * tile["columns"] * op.inputs / parts / (peak * tile["sustained_fraction"])
    free = [0.0] * cores
    for _ in range(jobs):
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


ENGINES: dict[str, Callable[[dict[str, Any], Operator, dict[str, Any], Conventions], float]] = {
    "hw.engine.WeightStationaryArray": array_seconds,
    "hw.tensor_engine.OutputTiles": tiles_seconds,
}


# ---- memory -----------------------------------------------------------------------------------------------------


def die_area(chip: dict[str, Any]) -> float:
    """Cores, what the tiers take of the die, and the rest."""
    area = chip["engine"]["cores"] * amount(chip["engine"]["core_area"]) + amount(chip["fixed_area"])
    for tier in chip["memory"].values():
        if tier["_target_"] == "hw.sram.LocalSram":
            cell = amount(chip["process"]["sram_cell_area"])
            area += amount(tier["capacity"]) * 8 * cell / tier["array_efficiency"]
        else:
            area += tier.get("parts", 1) * amount(tier.get("interface_area", tier.get("via_area")))
    return area


def tier_bandwidth(chip: dict[str, Any], tier: dict[str, Any]) -> float:
    """Bytes a second of one tier while it streams."""
    engine = chip["engine"]
    if tier["_target_"] == "hw.sram.LocalSram":
        return engine["cores"] * amount(tier["width"]) * amount(engine["frequency"])
    if tier["_target_"] == "hw.stacked.StackedDram":
        covered = die_area(chip) * tier["overlap"]
        pads = covered / amount(tier["pitch"]) ** 2 * tier["signal_share"] * amount(tier["pad_rate"]) / 8
        banks = tier["layers"] * covered / amount(tier["bank_area"]) * (1 - tier["spare_share"])
        return min(pads, banks * amount(tier["bank_width"]) / amount(tier["bank_cycle"])) * (
            1 - tier["refresh"]["share"]
        )
    return tier["parts"] * amount(tier["bandwidth"])


class Channel:
    """One tier: what is asked of it streams through one after the other, and arrives a latency later."""

    def __init__(self, chip: dict[str, Any], tier: dict[str, Any]) -> None:
        self.rate = tier_bandwidth(chip, tier) * tier["sustained_fraction"]
        self.latency = amount(tier["latency"])
        self.free = 0.0

    def move(self, size: float) -> float:
        """When these bytes have arrived."""
        self.free += size / self.rate
        return self.free + self.latency


def play_operator(cfg: dict[str, Any], mapping: dict[str, Any], op: Operator, rules: Conventions) -> float:
    """Seconds of one operator: engine, memory and vector unit start together, the last one ends it."""
    chip, formats = cfg["hw"]["chip"], cfg["format"]
    engine = chip["engine"]
    channels = {name: Channel(chip, tier) for name, tier in chip["memory"].items()}
    ends = [ENGINES[engine["_target_"]](engine, op, formats, rules), op.vector_ops / amount(chip["vector"]["rate"])]
    held = op.count * op.inputs * op.outputs * element_bytes(formats[op.held])
    ends.append(channels[mapping[op.held]].move(held))
    if op.written:
        ends.append(channels[mapping["cache"]].move(op.written * element_bytes(formats["cache"])))
    return max(ends) + amount(engine["overhead"])


# ---- messages ---------------------------------------------------------------------------------------------------


class Port:
    """A way out of one part, shared by the devices inside: messages leave one after the other."""

    def __init__(self, link: dict[str, Any], wires: int = 1, fraction: float | None = None) -> None:
        self.rate = amount(link["bandwidth"]) * (fraction or link["sustained_fraction"]) / wires
        self.latency = amount(link["latency"])
        self.free = 0.0

    def send(self, size: float, ready: float = 0.0) -> float:
        """When this message has arrived."""
        self.free = max(self.free, ready) + size / self.rate
        return self.free + self.latency


@dataclass(frozen=True)
class Span:
    """`parts` of the `of` parts of a level, each with `inside` devices of the group behind it."""

    link: dict[str, Any]
    parts: int
    of: int
    inside: int

    def ports(self) -> list[Port]:
        """One part's way to each of the others: a wire to each part of the level, or one port to a switch."""
        if self.link["_target_"] == "hw.topology.AllToAll":
            return [Port(self.link, wires=self.of - 1) for _ in range(self.parts - 1)]
        return [Port(self.link)] * (self.parts - 1)

    def burst(self, size: float) -> float:
        """Every device sends a message of this size to every other part, all at once."""
        arrivals = [0.0]
        for _ in range(self.parts):
            ports = self.ports()
            arrivals += [port.send(size) for _ in range(self.inside) for port in ports]
        return max(arrivals)

    def scatter(self, total: float) -> float:
        """Reduce-scatter or all-gather of what a part holds in all: its devices hold equal shares."""
        return self.burst(total / self.parts / self.inside)

    def one_shot(self, total: float) -> float:
        """All that a part holds goes to every other part."""
        return self.burst(total / self.inside)

    def in_switch(self, partial: float, total: float) -> float:
        """Chunk by chunk, the switch adds up what every part gives, hands the sum to the part whose chunk it is, and
        copies the totals that come back to all; a part's way up carries both its partial sums and its totals."""
        rate = self.link["reduction_fraction"]
        up, down = ([Port(self.link, fraction=rate) for _ in range(self.parts)] for _ in range(2))
        wait = amount(self.link["reduction_latency"])
        for port in (*up, *down):
            port.latency = 0.0
        for chunk in range(CHUNKS):
            added = max(port.send(partial / CHUNKS) for port in up)
            owner = chunk % self.parts
            sums = down[owner].send(partial / CHUNKS, ready=added)
            totals = up[owner].send(total / CHUNKS, ready=0.0 if chunk < CHUNKS - 1 else sums)
            for port in down:
                port.send(total / CHUNKS, ready=0.0 if chunk < CHUNKS - 1 else totals)
        return max(port.free for port in (*up, *down)) + 2 * amount(self.link["latency"]) + wait

    def all_reduce(self, partial: float, total: float) -> float:
        """The fastest way at one level."""
        ways = [self.scatter(partial) + self.scatter(total), self.one_shot(partial)]
        if self.link.get("reduction_fraction", 0) > 0:
            ways.append(self.in_switch(partial, total))
        return min(ways)


def spans_of(levels: dict[str, Any], devices: int) -> list[Span]:
    """The levels that a group of neighbours reaches over, from the inside."""
    spans, inside = [], 1
    for level in levels.values():
        parts = min(level["fanout"], math.ceil(devices / inside))
        if parts > 1:
            spans.append(Span(level["link"], parts, level["fanout"], inside))
        inside *= parts
    return spans


def scatter_all(spans: Sequence[Span], total: float) -> float:
    """Reduce-scatter over all levels from the inside, or all-gather from the outside."""
    return sum(span.scatter(total) for span in spans)


def all_reduce(spans: Sequence[Span], partial: float, total: float) -> float:
    """Scatter inwards, all-reduce at the outermost level, gather back; or everything to everyone, level by level."""
    if not spans:
        return 0.0
    inner = spans[:-1]
    by_levels = scatter_all(inner, partial) + spans[-1].all_reduce(partial, total) + scatter_all(inner, total)
    return min(by_levels, sum(span.burst(partial) for span in spans))


def layer_exchanges(cfg: dict[str, Any], shards: Shards, tokens: int) -> float:
    """Seconds of a layer's messages, one exchange after the other."""
    model, levels = cfg["model"], cfg["hw"]["levels"]
    attention, partial, total = layer_of(model)["mixer"], cfg["format"]["exchange"], cfg["format"]["gathered"]
    queries = tokens * attention["heads"] * attention["head_dim"] / shards.heads
    answers = queries * (1 + 2 / attention["head_dim"])  # with the maximum and the sum of each head's softmax
    heads, group = spans_of(levels, shards.contexts), spans_of(levels, shards.tensor)
    state = tokens * model["hidden"]
    keys = tokens * 2 * attention["head_dim"] * max(1, attention["key_value_heads"] // shards.heads)
    gathered = scatter_all(heads, (queries + keys) * element_bytes(total))
    scattered = scatter_all(heads, answers * element_bytes(partial))
    return gathered + scattered + 2 * all_reduce(group, state * element_bytes(partial), state * element_bytes(total))


# ---- pipeline ---------------------------------------------------------------------------------------------------


def crossing(levels: dict[str, Any], one: int, other: int) -> Port:
    """The way over the outermost level between two devices, given their places in the system."""
    size, found = 1, Span({}, 1, 1, 1)
    for level in levels.values():
        if one // size != other // size:
            found = Span(level["link"], 2, level["fanout"], 1)
        size *= level["fanout"]
    return found.ports()[0]


def hops_of(cfg: dict[str, Any], tensor: int, stages: int, tokens: int) -> list[float]:
    """Seconds from each stage to the next, and from the last back to the first."""
    if stages == 1:
        return [0.0]
    size = tokens * cfg["model"]["hidden"] * element_bytes(cfg["format"]["gathered"])
    places = [(stage * tensor, (stage + 1) % stages * tensor) for stage in range(stages)]
    return [crossing(cfg["hw"]["levels"], *pair).send(size) for pair in places]


def deal_layers(layers: int, layer: float, head: float, stages: int) -> list[int]:
    """Layers of every stage: each goes to where it would be done first; the last stage has the head to do as well."""
    dealt = [0] * stages
    ends = [(layer, stage) for stage in range(stages - 1)] + [(head + layer, stages - 1)]
    heapq.heapify(ends)
    for _ in range(layers):
        end, stage = ends[0]
        dealt[stage] += 1
        heapq.heapreplace(ends, (end + layer, stage))
    return dealt


def play_pipeline(service: Sequence[float], delay: Sequence[float], in_flight: int) -> float:
    """Steady seconds between two tokens of a micro-batch: stages serve in the order of arrival."""
    events = [(0.0, micro_batch, 0) for micro_batch in range(in_flight)]
    free, tokens, wanted = [0.0] * len(service), [[] for _ in range(in_flight)], 2 * ROUNDS + 1
    while len(tokens[0]) < wanted:
        ready, micro_batch, stage = heapq.heappop(events)
        free[stage] = max(ready, free[stage]) + service[stage]
        done = free[stage] + delay[stage]
        if stage + 1 == len(service):
            tokens[micro_batch].append(done)
        heapq.heappush(events, (done, micro_batch, (stage + 1) % len(service)))
    return (tokens[0][2 * ROUNDS] - tokens[0][ROUNDS]) / ROUNDS


@dataclass(frozen=True)
class Pipeline:
    """What every stage is busy with and what delays a micro-batch after it, in seconds; micro-batches in flight."""

    service: Sequence[float]
    delay: Sequence[float]
    in_flight: int

    @property
    def path(self) -> float:
        """Seconds of one micro-batch through all stages, alone."""
        return sum(self.service) + sum(self.delay)


def micro_batch_of(mapping: dict[str, Any]) -> int:
    """Sequences that step together: the batch is spread over the stages, at least one each."""
    return max(1, math.ceil(mapping["batch"] / mapping["pipeline"]))


def layer_seconds(cfg: dict[str, Any], mapping: dict[str, Any], rules: Conventions) -> float:
    """Seconds of one layer for one micro-batch."""
    model, runtime, serving = cfg["model"], cfg["hw"]["runtime"], cfg["serving"]
    shards, tokens = shards_of(mapping), micro_batch_of(mapping)
    operators = layer_operators(model, shards, tokens, serving["prompt"] + serving["output"] / 2)
    played = sum(play_operator(cfg, mapping, op, rules) for op in operators)
    exchanged = (1 - runtime["hidden_exchange"]) * layer_exchanges(cfg, shards, tokens)
    return played + exchanged + amount(runtime["layer_time"])


def head_seconds(cfg: dict[str, Any], mapping: dict[str, Any], rules: Conventions) -> float:
    """Seconds of the head for one micro-batch; the devices then tell each other their candidates."""
    shards, tokens = shards_of(mapping), micro_batch_of(mapping)
    candidates = tokens * 4 * shards.tensor * element_bytes(cfg["format"]["gathered"])
    told = scatter_all(spans_of(cfg["hw"]["levels"], shards.tensor), candidates)
    played = play_operator(cfg, mapping, head_operator(cfg["model"], shards, tokens), rules)
    return played + (1 - cfg["hw"]["runtime"]["hidden_exchange"]) * told


def pipeline_of(cfg: dict[str, Any], mapping: dict[str, Any], rules: Conventions) -> Pipeline:
    """The stages of one replica; the host delays a token once and keeps no stage busy."""
    stages, tokens = mapping["pipeline"], micro_batch_of(mapping)
    layer, head = layer_seconds(cfg, mapping, rules), head_seconds(cfg, mapping, rules)
    service = [count * layer for count in deal_layers(layer_of(cfg["model"])["layers"], layer, head, stages)]
    service[-1] += head
    delay = hops_of(cfg, mapping["tensor"], stages, tokens)
    delay[-1] += amount(cfg["hw"]["runtime"]["step_time"])
    return Pipeline(service, delay, math.ceil(mapping["batch"] / tokens))


def time_per_output_token(cfg: dict[str, Any], mapping: dict[str, Any], rules: Conventions | None = None) -> float:
    """Seconds between two tokens of a sequence, prefill apart."""
    pipeline = pipeline_of(cfg, mapping, rules or Conventions())
    return play_pipeline(pipeline.service, pipeline.delay, pipeline.in_flight)
