"""Every question that a component answers, with the arguments to ask it and the unit of the answer.

Whoever adds a public method adds a line here; `test_components` refuses one that is missing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from machines import SYSTEMS, candidate, files, links, modules, unlike

from dse.evaluation.evaluate import Candidate
from hw.carbon import CarbonGroups
from hw.chip import Placement
from hw.conditions import Conditions, Heat
from hw.cost import CostGroups
from hw.engine import Bounds
from hw.heat import State
from hw.kernel import Device, Operands
from hw.package import Load
from hw.process import Process
from models.batch import Batch, Segment
from models.numerics import Formats
from models.operators import CacheProduct, Elementwise, ExpertProduct, WeightProduct
from models.parallelism import Cut


class Around(NamedTuple):
    """What a component may be asked about: the state, process and formats of the machine that it is in."""

    state: State
    process: Process
    formats: Formats

    @classmethod
    def of(cls, found: Candidate) -> Around:
        return cls(found.hw.chip.settle(found.format), found.hw.chip.process, found.format)

    @property
    def die(self) -> Conditions:
        return self.state.logic

    @property
    def heat(self) -> Heat:
        """A warm die; the memory that is asked gives off a tenth of its flux."""
        warm, flux = self.state.logic.temperature, self.state.flux
        return Heat(ambient=0.9 * warm, logic=warm, through=flux, own=0.1 * flux)


Given = Callable[[float, str], Any]  # a value in a unit, or the same in other base units
Ask = Callable[[Any, Around, Given], Any]


class Question(NamedTuple):
    """A method's name, with dots where it leads through another; the units of its answer, one or one a leaf."""

    name: str
    units: str | tuple[str, ...]
    ask: Ask


SHAPE = (24.0, 4096.0, 1024.0, 2.0)  # vectors, inputs, outputs, products: no multiple of every tile
PLACE = Placement(0.0, 0.0)
AROUND = Elementwise(1e5, 1e5, 2.0)
PROJECTION = WeightProduct(24.0, 4096.0, 1024.0, 2048.0, AROUND)
SQUARE = WeightProduct(5000.0, 4096.0, 4096.0)  # more tiles than cores
SCORES = CacheProduct(4.0, 128.0, 1000.0, 16.0, 3e5)
SINGLE = CacheProduct(1.0, 128.0, 1000.0, 8192.0, 3e5)
PROMPT = CacheProduct(4096.0, 128.0, 1000.0, 16.0, 3e5, tokens=1024.0)
EXPERTS = ExpertProduct(24.0, 4096.0, 1024.0, 8.0)
TWO, FOUR, EIGHT = 2.0, 4.0, 8.0
MANY = 4096.0, 1048576.0  # parts of a level, so that a group goes round every corner of a grid
TIMES = ("s", "s")
EXCHANGE = ("s", "J")
TIMING = ("s", "s", "s", "B", "")
WORK = (*TIMING, "J", "J")
RAN = ("s", "s", "s", "s", "s", "s", "s", "J", "J", "J", "J")
CONDITIONS = ("", "m^2", "Hz", "", "V", "", "K", "")


def bounds(q: Given) -> Bounds:
    return Bounds(*(q(time, "s") for time in (1e-5, 2e-5, 1e-6, 3e-6)))


def operands(q: Given) -> Operands:
    return Operands(q(1.0, "B"), q(1.0, "B"), q(2.0, "B"), 0.0)


def scaled(q: Given) -> Operands:
    """The same with a scale for every 128 inputs."""
    return operands(q)._replace(scaled=1 / 128)


def widened(q: Given) -> Operands:
    """The same with a narrow operand held still."""
    return operands(q)._replace(widened=1.0)


def device(q: Given) -> Device:
    return Device(132.0, q(7e12, "op/s"), q(5e7, "B"), q(5e12, "B/s"))


def formats_of(around: Around) -> tuple[Any, Any]:
    return around.formats.weights, around.formats.activations


QUESTIONS: dict[str, tuple[Question, ...]] = {
    "NumberFormat": (
        Question("bits", "", lambda it, a, q: it.bits),
        Question("bytes", "", lambda it, a, q: it.bytes),
        Question("codes", ("", "", ""), lambda it, a, q: it.codes()),
        Question("noise", "", lambda it, a, q: it.noise()),
    ),
    "Formats": (
        Question("noise", "", lambda it, a, q: it.noise()),
        Question("cache_noise", "", lambda it, a, q: it.cache_noise()),
        Question("exchange_noise", "", lambda it, a, q: it.exchange_noise()),
    ),
    "Wafers": (
        Question("die_yield", "", lambda it, a, q: it.die_yield(q(4e-4, "m^2"))),
        Question("dies_per_wafer", "", lambda it, a, q: it.dies_per_wafer(q(4e-4, "m^2"))),
        Question("raw_cost", "USD", lambda it, a, q: it.raw_cost(q(4e-4, "m^2"))),
        Question("die_cost", "USD", lambda it, a, q: it.die_cost(q(4e-4, "m^2"))),
        Question("carbon_density", "kg/m^2", lambda it, a, q: it.carbon_density()),
        Question("raw_carbon", "kg", lambda it, a, q: it.raw_carbon(q(4e-4, "m^2"))),
        Question("engineering_cost", "USD", lambda it, a, q: it.engineering_cost(q(4e-4, "m^2"))),
    ),
    "Substrate": (
        Question(
            "layers", "", lambda it, a, q: [it.layers(q(mm2 * 1e-6, "m^2"), FOUR) for mm2 in (100, 200, 400, 800, 1600)]
        ),
        Question("cost", "USD", lambda it, a, q: it.cost(q(4e-4, "m^2"), 1.0)),
    ),
    "Package": (
        Question("carrier", ("m^2", "USD", "kg", ""), lambda it, a, q: it.carrier(load(q))),
        Question("survival", "", lambda it, a, q: it.survival(load(q))),
        Question("bonds", "", lambda it, a, q: it.bonds(load(q))),
        Question("laminate", "USD", lambda it, a, q: it.laminate(load(q))),
        Question("bumps", "USD", lambda it, a, q: it.bumps(load(q))),
        Question("cost_terms", "USD", lambda it, a, q: it.cost_terms(load(q))),
        Question("carbon", "kg", lambda it, a, q: it.carbon(load(q)._replace(value=q(9.0, "kg")))),
    ),
    "Cooling": (Question("surface_temperature", "K", lambda it, a, q: it.surface_temperature(q(2e5, "W/m^2"))),),
    "Leakage": (Question("scale", "", lambda it, a, q: it.scale(q(380.0, "K"))),),
    "Supply": (
        Question("voltage", "V", lambda it, a, q: it.voltage(q(1.3e9, "Hz"))),
        Question("energy_scale", "", lambda it, a, q: it.energy_scale(q(1.3e9, "Hz"))),
    ),
    "Engine": (
        Question("time", TIMES, lambda it, a, q: it.time(*SHAPE, *formats_of(a), a.die)),
        Question("timing", TIMING, lambda it, a, q: it.timing(PROJECTION, a.formats, a.die)),
        Question("timing.cache", TIMING, lambda it, a, q: it.timing(SCORES, a.formats, a.die)),
        Question("together", "s", lambda it, a, q: it.together(PROJECTION, bounds(q))),
        Question("run", WORK, lambda it, a, q: it.run(PROJECTION, a.formats, a.die)),
        Question("peak_rate", "op/s", lambda it, a, q: it.peak_rate(*formats_of(a), a.die)),
        Question("peak_fill", "B/s", lambda it, a, q: it.peak_fill(a.die)),
        Question("operation_energy", "J/op", lambda it, a, q: it.operation_energy(*formats_of(a), a.die)),
        Question("arithmetic_energy", "J/op", lambda it, a, q: it.arithmetic_energy(*formats_of(a), a.die)),
        Question("fill_byte_energy", "J/B", lambda it, a, q: it.fill_byte_energy(a.die)),
        Question("clock_limit", "Hz", lambda it, a, q: it.clock_limit(a.die)),
        Question("noise", "", lambda it, a, q: it.noise(*formats_of(a), 4096.0)),
        Question("area", "m^2", lambda it, a, q: it.area()),
        Question("leakage", "W", lambda it, a, q: it.leakage()),
        Question("peak_power", "W", lambda it, a, q: it.peak_power(*formats_of(a), q(6e12, "B/s"), a.die)),
    ),
    "WeightStationary": (
        Question("wide_columns", "", lambda it, a, q: it.wide_columns(a.formats.weights)),
        Question("serial_clocks", "clk", lambda it, a, q: it.serial_clocks(a.formats.activations)),
        Question("fill_clocks", "clk", lambda it, a, q: it.fill_clocks(a.formats.weights)),
    ),
    "MacroArray": tuple(
        Question(name, unit, lambda it, a, q, name=name: getattr(it, name))
        for name, unit in (("rows", ""), ("columns", ""), ("word_bits", ""), ("input_bits_per_clock", ""))
    ),
    "Macro": (
        Question("clocks_per_step", "clk", lambda it, a, q: it.clocks_per_step()),
        Question("cycle_energy", "J", lambda it, a, q: it.cycle_energy(q(0.7, "V"), *formats_of(a))),
        Question("area_terms", "m^2", lambda it, a, q: it.area_terms()),
        Question("clock_limit", "Hz", lambda it, a, q: it.clock_limit(q(0.7, "V"))),
        Question("leakage", "W", lambda it, a, q: it.leakage(q(0.7, "V"))),
        Question("noise", "", lambda it, a, q: it.noise(*formats_of(a), 4096.0)),
        Question("outputs", "", lambda it, a, q: it.outputs(a.formats.weights)),
        Question("clocks", "clk", lambda it, a, q: it.clocks(a.formats.activations)),
        Question("operations", "op/clk", lambda it, a, q: it.operations(*formats_of(a))),
        Question("operation_energy", "J/op", lambda it, a, q: it.operation_energy(q(0.7, "V"), *formats_of(a))),
        Question("area", "m^2", lambda it, a, q: it.area()),
    ),
    "DigitalMacro": (
        Question("sizes", "", lambda it, a, q: it.sizes(EIGHT, EIGHT)),
        Question("path", "", lambda it, a, q: it.path()),
    ),
    "AnalogMacro": (
        Question("lines", "", lambda it, a, q: it.lines()),
        Question("cells", "", lambda it, a, q: it.cells()),
        Question("place_value_bits", "", lambda it, a, q: it.place_value_bits()),
        Question("accumulator_bits", "", lambda it, a, q: it.accumulator_bits(a.formats.activations)),
        Question("converter_over_cells", "", lambda it, a, q: it.converter_over_cells()),
        Question("converter_over_pitch", "", lambda it, a, q: it.converter_over_pitch()),
        Question("wanted_bits", "", lambda it, a, q: it.wanted_bits()),
        Question("noise_terms", "", lambda it, a, q: it.noise_terms(4096.0)),
    ),
    "AnalogCell": (
        Question("energy", "J", lambda it, a, q: it.energy(q(0.8, "V"))),
        # What the macro reads of its cells.
        Question("bits", "", lambda it, a, q: it.bits),
        Question("area", "m^2", lambda it, a, q: it.area),
        Question("mismatch", "", lambda it, a, q: it.mismatch),
        Question("off_share", "", lambda it, a, q: it.off_share),
        Question("read_time", "s", lambda it, a, q: it.read_time),
    ),
    "Converter": (
        Question("area", "m^2", lambda it, a, q: it.area(q(6e-9, "m"))),
        Question("time", "s", lambda it, a, q: it.time(256.0)),
        Question("energy", "J", lambda it, a, q: it.energy(q(0.8, "V"))),
    ),
    "Gates": (
        Question("capacitance", "F", lambda it, a, q: it.capacitance()),
        Question("gate_area", "m^2", lambda it, a, q: it.gate_area()),
        Question("delay", "s", lambda it, a, q: it.delay(q(0.7, "V"))),
        Question("leakage_power", "W", lambda it, a, q: it.leakage_power(1e6, q(0.7, "V"))),
        Question("cell_area", "m^2", lambda it, a, q: it.cell_area()),
        Question("spread", "", lambda it, a, q: it.spread()),
        Question("how_far", "", lambda it, a, q: it.how_far()),
    ),
    "NodeLaw": (
        Question("factor", "", lambda it, a, q: it.factor(q(6e-9, "m"))),
        Question("deviation", "", lambda it, a, q: it.deviation(q(6e-9, "m"))),
        Question("octaves_outside", "", lambda it, a, q: it.octaves_outside(q(6e-9, "m"))),
        Question("octaves_outside.above", "", lambda it, a, q: it.octaves_outside(q(90e-9, "m"))),
    ),
    "VectorUnit": (
        Question("inside", "", lambda it, a, q: it.inside(1e6, AROUND)),
        Question("apart", ("s", "s", "B"), lambda it, a, q: it.apart(AROUND, q(2.0, "B"), q(3e12, "B/s"), a.die)),
        Question("time", "s", lambda it, a, q: it.time(1e6, a.die)),
    ),
    "ProductKernel": (
        Question("work", ("s", "B", "", "s"), lambda it, a, q: it.work(PROJECTION, operands(q), device(q))),
        Question("work.cache", ("s", "B", "", "s"), lambda it, a, q: it.work(SCORES, operands(q), device(q))),
        Question("work.scaled", ("s", "B", "", "s"), lambda it, a, q: it.work(SQUARE, scaled(q), device(q))),
    ),
    "GroupedKernel": (
        Question("work", ("s", "B", "", "s"), lambda it, a, q: it.work(EXPERTS, operands(q), device(q))),
        Question("work.widened", ("s", "B", "", "s"), lambda it, a, q: it.work(EXPERTS, widened(q), device(q))),
        Question("work.scaled", ("s", "B", "", "s"), lambda it, a, q: it.work(EXPERTS, scaled(q), device(q))),
    ),
    "AttentionKernel": (
        Question("work", ("s", "B", "", "s"), lambda it, a, q: it.work(SCORES, operands(q), device(q))),
        Question("work.prompt", ("s", "B", "", "s"), lambda it, a, q: it.work(PROMPT, operands(q), device(q))),
    ),
    "PromptAttention": (
        Question("work", ("s", "", "", "s"), lambda it, a, q: it.work(PROMPT, 1e3, 128.0, operands(q), device(q))),
    ),
    "SingleAttention": (
        Question("work", ("s", "", "", "s"), lambda it, a, q: it.work(SCORES, 1e3, 128.0, device(q))),
        Question("work.many", ("s", "", "", "s"), lambda it, a, q: it.work(SINGLE, 1e3, 128.0, device(q))),
    ),
    "GroupAttention": (
        Question("work", ("s", "", "", "s"), lambda it, a, q: it.work(SCORES, 1e3, 128.0, operands(q), device(q))),
    ),
    "KernelEngine": (
        Question("overhead", "s", lambda it, a, q: it.overhead),
        Question("device", ("", "op/s", "B", "B/s"), lambda it, a, q: it.device(*formats_of(a), a.die)),
    ),
    "Multiprocessors": (
        Question("operations_per_clock", "op/clk", lambda it, a, q: it.operations_per_clock(*formats_of(a))),
    ),
    "Memory": (
        Question("bytes_held", "B", lambda it, a, q: it.bytes_held(a.die)),
        Question("peak_bandwidth", "B/s", lambda it, a, q: it.peak_bandwidth(a.die)),
        Question("area", "m^2", lambda it, a, q: it.area(a.process)),
        Question("bandwidth_sustained", "B/s", lambda it, a, q: it.bandwidth_sustained(a.die)),
        Question("byte_energy", "J/B", lambda it, a, q: it.byte_energy(a.die)),
        Question("read_time", "s", lambda it, a, q: it.read_time(q(1e6, "B"), a.die)),
        Question("write_time", "s", lambda it, a, q: it.write_time(q(1e6, "B"), a.die)),
        Question("read_energy", "J", lambda it, a, q: it.read_energy(q(1e6, "B"), a.die)),
        Question("write_energy", "J", lambda it, a, q: it.write_energy(q(1e6, "B"), a.die)),
        Question("write_slowdown", "", lambda it, a, q: it.write_slowdown()),
        Question("write_energy_ratio", "", lambda it, a, q: it.write_energy_ratio()),
        Question("on_die", "", lambda it, a, q: it.on_die()),
        Question("within_logic", "", lambda it, a, q: it.within_logic()),
        Question("barrier", "K", lambda it, a, q: it.barrier(a.heat)),
        Question("temperature", "K", lambda it, a, q: it.temperature(a.heat)),
        Question("cost", "USD", lambda it, a, q: it.cost(a.die)),
        Question("standby_power", "W", lambda it, a, q: it.standby_power(a.die)),
        Question("embodied", "kg", lambda it, a, q: it.embodied(a.die)),
        Question("beside", ("", "m^2"), lambda it, a, q: it.beside()),
        Question("stacked", "", lambda it, a, q: it.stacked()),
        Question("stacking_cost", "USD", lambda it, a, q: it.stacking_cost()),
        Question("blind_yield", "", lambda it, a, q: it.blind_yield(0.7)),
        Question("stacking_yield", "", lambda it, a, q: it.stacking_yield()),
    ),
    "BankedSram": (Question("rows", "", lambda it, a, q: it.rows()),),
    "Sram": (Question("array_share", "", lambda it, a, q: it.array_share()),),
    "StackedDram": (
        Question("banks", "", lambda it, a, q: it.banks(a.die)),
        Question("pad_bandwidth", "B/s", lambda it, a, q: it.pad_bandwidth(a.die)),
        Question("bank_bandwidth", "B/s", lambda it, a, q: it.bank_bandwidth(a.die)),
    ),
    "Refresh": (
        Question("scale", "", lambda it, a, q: it.scale(q(365.0, "K"))),
        Question("relative_bandwidth", "", lambda it, a, q: it.relative_bandwidth(q(365.0, "K"))),
    ),
    "Link": (
        Question("rate", "B/s", lambda it, a, q: it.rate()),
        Question("send", "s", lambda it, a, q: it.send(q(1e6, "B"), FOUR)),
        Question("gathering", "", lambda it, a, q: it.gathering(FOUR, EIGHT)),
        Question("exchanging", "", lambda it, a, q: it.exchanging(FOUR, EIGHT)),
        Question("neighbour_share", "", lambda it, a, q: it.neighbour_share(EIGHT)),
        Question("bisection", "B/s", lambda it, a, q: it.bisection(EIGHT)),
        Question("all_gather", EXCHANGE, lambda it, a, q: it.all_gather(q(1e6, "B"), FOUR, EIGHT)),
        Question("reduce_scatter", EXCHANGE, lambda it, a, q: it.reduce_scatter(q(1e6, "B"), FOUR, EIGHT)),
        Question("all_to_all", EXCHANGE, lambda it, a, q: it.all_to_all(q(1e6, "B"), FOUR, EIGHT)),
        Question("all_to_all.many", EXCHANGE, lambda it, a, q: it.all_to_all(q(1e6, "B"), *MANY)),
        Question("one_shot", EXCHANGE, lambda it, a, q: it.one_shot(q(1e3, "B"), FOUR, EIGHT)),
        Question("two_phase", EXCHANGE, lambda it, a, q: it.two_phase(q(1e6, "B"), q(5e5, "B"), FOUR, EIGHT)),
        Question("exchanged", EXCHANGE, lambda it, a, q: it.exchanged(q(1e6, "B"), q(5e5, "B"), FOUR, EIGHT)),
        Question("all_reduce", EXCHANGE, lambda it, a, q: it.all_reduce(q(1e6, "B"), q(5e5, "B"), FOUR, EIGHT)),
    ),
    "Switch": (
        Question("in_switch", EXCHANGE, lambda it, a, q: reducing(it).in_switch(q(1e6, "B"), q(5e5, "B"), FOUR)),
    ),
    "Protocol": (
        Question("rounds", "", lambda it, a, q: it.rounds(FOUR)),
        Question("time", "s", lambda it, a, q: it.time(0.75, q(1e-5, "s"), FOUR, 2)),
    ),
    "Level": (Question("joined", "", lambda it, a, q: it.joined()),),
    "Ownership": (
        Question("price", "USD", lambda it, a, q: it.price(built(q))),
        Question("cost_terms", "USD/s", lambda it, a, q: it.cost_terms(built(q), q(5e3, "W"))),
        Question("cost_rate", "USD/s", lambda it, a, q: it.cost_rate(built(q), q(5e3, "W"))),
        Question("carbon_terms", "kg/s", lambda it, a, q: it.carbon_terms(made(q), q(5e3, "W"))),
        Question("carbon_rate", "kg/s", lambda it, a, q: it.carbon_rate(made(q), q(5e3, "W"))),
    ),
    "Chip": (
        Question("area", "m^2", lambda it, a, q: it.area()),
        Question("area_terms", "m^2", lambda it, a, q: it.area_terms()),
        Question("cold", CONDITIONS, lambda it, a, q: it.cold()),
        Question("cost", "USD", lambda it, a, q: it.cost(FOUR)),
        Question("cost_terms", "USD", lambda it, a, q: it.cost_terms(FOUR)),
        Question("carbon_terms", "kg", lambda it, a, q: it.carbon_terms(FOUR)),
        Question("run", RAN, lambda it, a, q: it.run(PROJECTION, a.formats, PLACE, a.state)),
        Question("run.cache", RAN, lambda it, a, q: it.run(SCORES, a.formats, PLACE, a.state)),
        Question("bandwidth", "B/s", lambda it, a, q: it.bandwidth(0.0, a.state)),
        Question("moving_time", "s", lambda it, a, q: it.moving_time(q(1e6, "B"), q(1e5, "B"), 0.0, a.state)),
        Question("moving_energy", "J", lambda it, a, q: it.moving_energy(q(1e6, "B"), q(1e5, "B"), 0.0, a.state)),
        Question("leaking_power", "W", lambda it, a, q: it.leaking_power(a.die)),
        Question("settle", CONDITIONS, lambda it, a, q: it.settle(a.formats).logic),
        Question("settle.watts", "W", lambda it, a, q: (it.settle(a.formats).powers, it.settle(a.formats).idle)),
        Question("settle.flux", "W/m^2", lambda it, a, q: it.settle(a.formats).flux),
        Question("power_headroom", "W", lambda it, a, q: it.power_headroom(a.state)),
        Question("heat_headroom", "K", lambda it, a, q: it.heat_headroom(a.state)),
        Question("clock_headroom", "", lambda it, a, q: it.clock_headroom(a.state)),
        Question("hottest_memory", "K", lambda it, a, q: it.hottest_memory(a.state)),
    ),
    "System": (
        Question("fanouts", "", lambda it, a, q: it.fanouts),
        Question("chips", "", lambda it, a, q: it.chips()),
        Question("dies_per_package", "", lambda it, a, q: it.dies_per_package()),
        Question("cost", "USD", lambda it, a, q: it.cost()),
        Question("cost_terms", "USD", lambda it, a, q: it.cost_terms()),
        Question("engineering", "USD", lambda it, a, q: it.engineering()),
        Question("carbon", "kg", lambda it, a, q: it.carbon()),
        Question("carbon_terms", "kg", lambda it, a, q: it.carbon_terms()),
        Question("gathering_power", "W", lambda it, a, q: it.gathering_power()),
        Question("joining_power", "W", lambda it, a, q: it.joining_power()),
        Question("idle_power", "W", lambda it, a, q: it.idle_power(q(50.0, "W"))),
        Question("silicon_area", "m^2", lambda it, a, q: it.silicon_area()),
        Question("peak_rate", "op/s", lambda it, a, q: it.peak_rate(a.formats, a.die)),
        Question("network.tiles", "", lambda it, a, q: it.network.tiles(FOUR, TWO)),
        Question("replicas", "", lambda it, a, q: it.replicas(FOUR)),
        Question(
            "network.group.all_reduce", ("s", "J"), lambda it, a, q: group(it).all_reduce(q(1e6, "B"), q(5e5, "B"))
        ),
        Question("network.group.all_gather", ("s", "J"), lambda it, a, q: group(it).all_gather(q(1e6, "B"))),
        Question("network.group.reduce_scatter", ("s", "J"), lambda it, a, q: group(it).reduce_scatter(q(1e6, "B"))),
        Question("network.group.all_to_all", EXCHANGE, lambda it, a, q: group(it).all_to_all(q(1e6, "B"))),
        Question("network.hops", ("s", "J"), lambda it, a, q: it.network.hops(q(1e6, "B"), FOUR, TWO)),
    ),
    "Mixer": (
        Question("cache_heads", "", lambda it, a, q: it.cache_heads),
        Question("parameters", "", lambda it, a, q: it.parameters(4096.0)),
        Question("repeated_parameters", "", lambda it, a, q: it.repeated_parameters(4096.0, CUT)),
        Question("cache_elements", "", lambda it, a, q: it.cache_elements(1000.0)),
        Question("held_cache_elements", "", lambda it, a, q: it.held_cache_elements(1000.0, CUT)),
        Question("is_whole", "", lambda it, a, q: it.is_whole(CUT)),
        Question("work", "", lambda it, a, q: numbers(it.work(4096.0, BATCH, CUT))),
    ),
    "LatentAttention": (
        Question("kept", "", lambda it, a, q: it.kept),
        Question("key_dim", "", lambda it, a, q: it.key_dim),
        Question("absorbs", "", lambda it, a, q: it.absorbs(BATCH.segments[0])),
    ),
    "StateSpace": (
        Question("channels", "", lambda it, a, q: it.channels),
        Question("convolved", "", lambda it, a, q: it.convolved),
    ),
    "FeedForward": (
        Question("parameters", "", lambda it, a, q: it.parameters(4096.0)),
        Question("expert_parameters", "", lambda it, a, q: it.expert_parameters(4096.0)),
        Question("active_parameters", "", lambda it, a, q: it.active_parameters(4096.0)),
        Question("experts", "", lambda it, a, q: it.experts),
        Question("is_whole", "", lambda it, a, q: it.is_whole(CUT)),
        Question("work", "", lambda it, a, q: numbers(it.work(4096.0, FOUR, CUT))),
    ),
    "MixtureOfExperts": (
        Question("load", "", lambda it, a, q: it.load(FOUR, SPREAD)),
        Question("touched", "", lambda it, a, q: it.touched(FOUR, SPREAD)),
        Question("sets", "", lambda it, a, q: it.sets(SPREAD)),
    ),
    "Block": (
        Question("expert_parameters", "", lambda it, a, q: it.expert_parameters(4096.0)),
        Question("parameters", "", lambda it, a, q: it.parameters(4096.0)),
        Question("active_parameters", "", lambda it, a, q: it.active_parameters(4096.0)),
        Question("work", "", lambda it, a, q: numbers(it.work(4096.0, BATCH, CUT))),
    ),
    "Model": (
        Question("layers", "", lambda it, a, q: it.layers),
        Question("experts", "", lambda it, a, q: it.experts),
        Question("over_layers", "", lambda it, a, q: it.over_layers(lambda block: block.parameters(4096.0))),
        Question("layer_parameters", "", lambda it, a, q: it.layer_parameters()),
        Question("expert_parameters", "", lambda it, a, q: it.expert_parameters()),
        Question("end_parameters", "", lambda it, a, q: it.end_parameters()),
        Question("stage_end_parameters", "", lambda it, a, q: it.stage_end_parameters()),
        Question("parameters", "", lambda it, a, q: it.parameters()),
        Question("active_parameters", "", lambda it, a, q: it.active_parameters()),
        Question("cache_elements", "", lambda it, a, q: it.cache_elements(1000.0)),
        Question("prompt", "", lambda it, a, q: numbers(it.prompt(TWO, 100.0, 10.0))),
        Question("step", "", lambda it, a, q: numbers(it.step(TWO, 100.0))),
        Question("head", "", lambda it, a, q: numbers(it.head(FOUR, CUT))),
        Question("held_parameters", "", lambda it, a, q: it.held_parameters(CUT, TWO)),
        Question("held_expert_parameters", "", lambda it, a, q: it.held_expert_parameters(CUT, TWO)),
        Question("held_cache_elements", "", lambda it, a, q: it.held_cache_elements(1000.0, CUT, TWO)),
        Question("is_whole", "", lambda it, a, q: it.is_whole(CUT)),
    ),
    "Transformer": (Question("embedding_parameters", "", lambda it, a, q: it.embedding_parameters()),),
    "Serving": (
        Question("mean_context", "", lambda it, a, q: it.mean_context),
        Question("last_context", "", lambda it, a, q: it.last_context),
        Question("cached", "", lambda it, a, q: it.cached),
        Question("fresh", "", lambda it, a, q: it.fresh),
    ),
}
TOLD_APART = {  # public names that answer nothing in numbers
    "refusal": "words, before anything is traced",
    "caution": "words, before anything is traced",
    "remainder": "words, before anything is traced",
    "tiers": "components, asked by themselves",
    "expert_weights": "a format, asked by itself",
    "from_huggingface": "a transformer, asked by itself",
    "lines": "the dimensions of a grid, which its collectives are made of",
}


CUT = Cut(tensor=8.0)
SPREAD = Cut(tensor=2.0, attention_data=8.0, expert=4.0)
BATCH = Batch((Segment(TWO, 100.0, 10.0), Segment(FOUR, 1.0, 999.0)), 6.0)


def numbers(tree: Any) -> list[Any]:
    """All numbers of a nested tuple."""
    return [jnp.asarray(leaf, float) for leaf in jax.tree.leaves(tree)]


def load(given: Given) -> Load:
    """Four dies of 400 mm2, each with two stacks of memory beside it, 100 USD by then."""
    return Load(FOUR, given(4e-4, "m^2"), TWO, given(1e-4, "m^2"), given(100.0, "USD"))


def built(given: Given) -> CostGroups:
    return CostGroups(*(given(usd, "USD") for usd in (2e4, 3e4, 1e4, 2e4, 5e3)))


def made(given: Given) -> CarbonGroups:
    return CarbonGroups(*(given(kg, "kg") for kg in (900.0, 200.0, 50.0, 700.0)))


def reducing(switch: Any) -> Any:
    """The switch, made able to add up: one that is not answers endless seconds."""
    return eqx.tree_at(lambda it: it.reduction_fraction, switch, switch.reduction_fraction * 0.5 + 0.25)


def group(system: Any) -> Any:
    """Eight neighbours; the smallest shipped machine has as many."""
    return system.network.group(EIGHT)


def questions(component: eqx.Module) -> list[Question]:
    """All that a component can be asked, what it inherits included."""
    return [question for cls in type(component).__mro__ for question in QUESTIONS.get(cls.__name__, ())]


def public(component: eqx.Module) -> set[str]:
    """Methods and properties of a component that are its own, or of a contract of ours."""
    ours = [cls for cls in type(component).__mro__ if cls.__module__.startswith(("hw.", "models.", "dse."))]
    named = {(name, value) for cls in ours for name, value in vars(cls).items() if not name.startswith("_")}
    fields = set(type(component).__dataclass_fields__)
    return {n for n, v in named if n not in fields and (isinstance(v, property) or inspect.isroutine(unwrapped(v)))}


def unwrapped(value: Any) -> Any:
    """Equinox wraps the functions of its classes."""
    return getattr(value, "method", value)


def answers(component: eqx.Module, around: Around, given: Given) -> dict[str, list[Any]]:
    """The leaves of every answer of a component."""
    found = {question.name: question.ask(component, around, given) for question in questions(component)}
    return {name: jax.tree.leaves(answer) for name, answer in found.items()}


# Engines that no shipped machine has by itself, each in one that it may be chosen for.
ENGINES = (
    ("hw=corsair_server", "hw/chip/engine=corsair_gates"),
    ("hw=corsair_server", "hw/chip/engine=charge", "format=int8"),
    ("hw=corsair_server", "hw/chip/engine=resistive", "format=int8"),
)


MODELS = ("deepseek_v3", "gpt_oss_20b", "llama4_maverick", "mamba2_2_7b", "opt_13b")  # every kind of layer


def instances() -> Iterator[tuple[str, eqx.Module, Candidate]]:
    """Every component of every shipped machine with where it is, and every shipped link and engine; equal ones once."""
    seen = set()
    for where, found, root in whole():
        for path, component in modules(root):
            leaves, shape = jax.tree.flatten(component)
            if leaves and (shape, tuple(leaves)) not in seen:
                seen.add((shape, tuple(leaves)))
                yield f"{where}:{path or 'all'}", component, found


def every_component() -> list[Any]:
    """The same as parameters of tests, component and machine: by day the first of each class, all of them at night."""
    seen: set[type] = set()
    found = []
    for where, component, machine in instances():
        marks = [pytest.mark.slow] if type(component) in seen else []
        seen.add(type(component))
        found.append(pytest.param(component, machine, id=f"{where}-{type(component).__name__}", marks=marks))
    return found


def whole() -> Iterator[tuple[str, Candidate, Any]]:
    """What is shipped: machines; links and models with some machine around them; other engines, memories, packages."""
    for system in unlike():
        yield system, candidate(f"hw={system}"), candidate(f"hw={system}")
    for name, link in links().items():
        yield name, candidate(f"hw={SYSTEMS[0]}"), link
    for name in MODELS:
        yield name, candidate(f"hw={SYSTEMS[0]}"), candidate(f"model={name}").model
    for overrides in ENGINES:
        yield overrides[1], candidate(*overrides), candidate(*overrides).hw.chip.engine
    for part in ("memory", "package"):
        for name in files(f"hw/chip/{part}"):
            found = candidate("hw=corsair_card", f"hw/chip/{part}={name}")
            yield f"hw/chip/{part}={name}", found, getattr(found.hw.chip, part)
