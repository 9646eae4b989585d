"""Engines do the products of an operator. This file is the contract; the weight-stationary array is here too."""

# No `from __future__ import annotations` here: equinox reads abstract fields from annotations, not from their text, and
# only then may a subclass answer one of them by a property.
import functools
from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.conditions import Conditions
from hw.macro import exponents_refused
from hw.units import count, fraction, quantity
from models.counts import ceil, floor
from models.numerics import Formats, NumberFormat
from models.operators import Operator


class Timing(NamedTuple):
    """Seconds of an operator's arithmetic and of loading what it holds still, which overlap; seconds before the first
    of either; bytes to and from memory beyond one reading of what is held; time of memory traffic over that of a long
    stream."""

    stream: Any
    fill: Any
    start: Any
    beside: Any = 0.0
    slowdown: Any = 1.0


class EngineWork(NamedTuple):
    """What an operator costs in the engine: its timing, joules of its arithmetic, and joules of loading, per byte of
    the held operand brought in once."""

    timing: Timing
    energy: Any
    fill_energy: Any


class Bounds(NamedTuple):
    """Seconds that an operator needs of each resource; they overlap."""

    compute: Any
    weights: Any
    cache: Any
    vector: Any

    @property
    def longest(self) -> Any:
        """Seconds of the resource that is needed longest."""
        return functools.reduce(jnp.maximum, self)


class Engine(eqx.Module):
    """`cores` equal cores at the rated `frequency`.

    An engine tells the time and energy of `count` products (m, k) x (k, n), the k x n operand in format `held`
    (weights, or keys and values), the m x k operand in format `fed`. Time is for operands that are on the chip;
    fetching them is the memory's. idle_share of the full dynamic power flows whether the cores work or wait (clock
    tree, control); overhead is the time to start one operator. `conditions` are those of the die.
    """

    cores: eqx.AbstractVar[Array]
    frequency: eqx.AbstractVar[Array]
    idle_share: eqx.AbstractVar[Array]
    overhead: eqx.AbstractVar[Array]

    @abstractmethod
    def time(
        self, m: Any, k: Any, n: Any, count: Any, held: NumberFormat, fed: NumberFormat, conditions: Conditions
    ) -> tuple[Any, Any]:
        """Seconds, by stream and by fill; an operator takes the larger of both."""

    @abstractmethod
    def peak_rate(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        """Operations per second with every core busy; a multiply-accumulate is two."""

    @abstractmethod
    def peak_fill(self, conditions: Conditions) -> Any:
        """Bytes per second that the engine can take in for the operand it holds."""

    @abstractmethod
    def operation_energy(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        """Joules per operation."""

    @abstractmethod
    def fill_byte_energy(self, conditions: Conditions) -> Any:
        """Joules per byte of the held operand brought into the engine."""

    @abstractmethod
    def area(self) -> Any:
        """Square metres of all cores."""

    @abstractmethod
    def leakage(self) -> Any:
        """Watts of all cores at rest, at the reference temperature of leakage."""

    @abstractmethod
    def refusal(self, held: NumberFormat, fed: NumberFormat) -> str:
        """Why the engine cannot compute in these formats; empty where it can. Called before anything is traced."""

    def caution(self) -> str:
        """What to know before the numbers are believed; empty where there is nothing. Called before tracing."""
        return ""

    def arithmetic_energy(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        """Joules per operation of the arithmetic alone, where an engine tells it from what a core has beside it."""
        return self.operation_energy(held, fed, conditions)

    def clock_limit(self, conditions: Conditions) -> Any:
        """Hz of the fastest clock that the logic closes at this voltage; by a data sheet, the clock that it has."""
        return conditions.frequency

    def noise(self, held: NumberFormat, fed: NumberFormat, k: Any) -> Any:
        """Noise over signal that the engine itself adds to a product over k inputs: none where it computes in bits."""
        return jnp.zeros_like(self.cores)

    def timing(self, work: Operator, formats: Formats, conditions: Conditions) -> Timing:
        """Time of one operator."""
        shape = (work.vectors, work.inputs, work.outputs, work.products)
        stream, fill = self.time(*shape, work.held(formats), formats.activations, conditions)
        return Timing(stream, fill, self.overhead)

    def together(self, work: Operator, bounds: Bounds) -> Any:
        """Seconds of an operator that needs so much of each resource: the longest, where all overlap."""
        return bounds.longest

    def run(self, work: Operator, formats: Formats, conditions: Conditions) -> EngineWork:
        """Time of one operator, and its energy beyond idle_share, which flows anyway."""
        held, fed = work.held(formats), formats.activations
        working = 1 - self.idle_share
        operations = 2 * work.macs * working
        filled = work.products * work.inputs * work.outputs * held.bytes * working
        return EngineWork(
            self.timing(work, formats, conditions),
            operations * self.operation_energy(held, fed, conditions),
            filled * self.fill_byte_energy(conditions),
        )

    def peak_power(self, held: NumberFormat, fed: NumberFormat, supplied: Any, conditions: Conditions) -> Any:
        """Watts of all cores at full rate, filled as fast as they can be and as `supplied` bytes per second allow,
        leakage apart."""
        compute = self.peak_rate(held, fed, conditions) * self.operation_energy(held, fed, conditions)
        filled = jnp.minimum(self.peak_fill(conditions), supplied)
        return compute + filled * self.fill_byte_energy(conditions)


class WeightStationary(Engine):
    """Cores that hold a tile of rows x columns words and multiply vectors with it, fed bit by bit.

    In-memory compute, systolic arrays and the like. A word of word_bits holds word_bits / bits narrower
    weights side by side, so narrow weights widen the array: C_w = columns * word_bits / bits.

        tiles  = count * ceil(k / rows) * ceil(n / C_w)
        copies = max(1, min(floor(cores / tiles), m)), each taking ceil(m / copies) vectors
        cycles = ceil(tiles * copies / cores) * max(fill, ceil(m / copies) * serial) + fill
        serial = bits of an input / input_bits_per_clock;   fill = bytes of a tile / fill_width

    The last `+ fill` stands for the first fill, which nothing hides, and for the drain: a core left alone would end
    with its last stream, so this is up to a few per cent slow where fill exceeds stream. Left out: that a tile's fill
    waits for its bytes (the memory's time runs beside it), about as much in the other direction. Partial tiles fill as
    slowly as whole ones.
    Source: US patent 12,260,223 (512 multiply-accumulates a clock); weight-stationary tiling is textbook.
    """

    rows: eqx.AbstractVar[Array]
    columns: eqx.AbstractVar[Array]
    word_bits: eqx.AbstractVar[Array]
    input_bits_per_clock: eqx.AbstractVar[Array]
    fill_width: eqx.AbstractVar[Array]

    def wide_columns(self, held: NumberFormat) -> Any:
        """Outputs of one tile: columns, widened by narrow weights."""
        return self.columns * self.word_bits / held.element_bits

    def serial_clocks(self, fed: NumberFormat) -> Any:
        """Clocks that one vector takes: its elements are fed a few bits at a time."""
        return ceil(fed.element_bits / self.input_bits_per_clock)

    def fill_clocks(self, held: NumberFormat) -> Any:
        """Clocks to load one tile, scales included."""
        return self.rows * self.wide_columns(held) * held.bytes / self.fill_width

    def time(
        self, m: Any, k: Any, n: Any, count: Any, held: NumberFormat, fed: NumberFormat, conditions: Conditions
    ) -> tuple[Any, Any]:
        tiles = count * ceil(k / self.rows) * ceil(n / self.wide_columns(held))
        copies = jnp.maximum(1.0, jnp.minimum(floor(self.cores / tiles), m))
        rounds = ceil(tiles * copies / self.cores)
        fill = self.fill_clocks(held)
        stream = ceil(m / copies) * self.serial_clocks(fed)
        return (rounds * stream + fill) / conditions.frequency, (rounds + 1) * fill / conditions.frequency

    def peak_rate(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        macs = self.rows * self.wide_columns(held) / self.serial_clocks(fed)
        return 2 * self.cores * macs * conditions.frequency

    def peak_fill(self, conditions: Conditions) -> Any:
        return self.cores * self.fill_width * conditions.frequency

    def refusal(self, held: NumberFormat, fed: NumberFormat) -> str:
        return exponents_refused(held, fed)


class WeightStationaryArray(WeightStationary):
    """An array by data sheet. array_energy is stated for word_bits x word_bits at the nominal voltage; a bit-serial
    product scales with both widths."""

    cores: Array = count()
    frequency: Array = quantity("Hz", above=0)
    rows: Array = count()
    columns: Array = count()
    word_bits: Array = count()
    input_bits_per_clock: Array = count()
    fill_width: Array = quantity("B/clk", above=0)
    overhead: Array = quantity("s")
    array_energy: Array = quantity("J/op")
    fill_energy: Array = quantity("J/B")
    core_area: Array = quantity("m^2", above=0)
    core_static_power: Array = quantity("W")
    idle_share: Array = fraction()

    def operation_energy(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        bits = held.element_bits * fed.element_bits / self.word_bits**2
        return self.array_energy * bits * conditions.switching

    def fill_byte_energy(self, conditions: Conditions) -> Any:
        return self.fill_energy * conditions.switching

    def area(self) -> Any:
        return self.cores * self.core_area

    def leakage(self) -> Any:
        return self.cores * self.core_static_power
