"""The digital in-memory macro, counted in unit gates."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from hw.gates import Gates
from hw.macro import Macro, exponents_refused
from hw.units import count, fraction, quantity
from models.counts import ceil
from models.numerics import NumberFormat


class Logic(NamedTuple):
    """What a piece of logic takes, in unit gates: switched capacitance and area."""

    capacitance: float
    area: float


# Source: Sun, Houshmand, Verhelst, ICCAD 2023, unit costs; the multiplexer is assumed: two NANDs and their load.
MULTIPLIER = Logic(0.5, 1.0)  # of one bit by one bit
FULL_ADDER = Logic(6.0, 7.8)
FLIP_FLOP = Logic(3.0, 6.0)
MULTIPLEXER = Logic(1.5, 2.5)
SUM_DELAY, CARRY_DELAY, RIPPLE_DELAY = 4.8, 4.4, 2.0  # of a full adder, in unit gate delays
REGISTER_DELAY = 4.0  # setup and output of a flip-flop


class Sizes(NamedTuple):
    """How many of each piece one dot product has."""

    multipliers: Any
    tree: Any  # full adders, over all input bits of a clock
    place_value: Any  # full adders that weigh those input bits
    accumulator: Any  # bits
    registers: Any  # flip-flops that cut the tree into stages
    exponent: Any  # full adders of the shared exponents, once a vector
    aligner: Any  # multiplexers, once a vector


class DigitalEnergy(NamedTuple):
    """Joules of a clock."""

    multiply: Any
    adder_tree: Any
    place_value: Any
    accumulator: Any
    aligner: Any
    clock_tree: Any
    control: Any


class DigitalArea(NamedTuple):
    """Square metres."""

    multiply: Any
    adder_tree: Any
    place_value: Any
    accumulator: Any
    aligner: Any
    registers: Any
    cells: Any


class DigitalMacro(Macro):
    """Each column multiplies `rows` inputs with its weights bit by bit and adds them in a tree.

    weights_per_multiplier words share one multiplier, one at a time. `block` inputs share an exponent of exponent_bits
    (0: integers only); their sums are aligned before they are accumulated. The tree is cut into pipeline_stages of
    equal delay by registers. Cells fill array_efficiency of their area. `activity` of the tree's nodes change in a
    clock. control_share is the energy of what steers the macro over that of the rest; what published macros need for it
    is in the fitted capacitance.

        trees   columns word_bits / B,  B = min(bits of a held element, word_bits);  L = log2 rows;  b bits a clock
        adders  tree rows (B + 1) - (B + L + 1) per bit;  place value (B + L)(b - 1) + b (log2 b - 1/2)
        width   of the accumulator: fed bits + B + L
        E       trees V^2 C [activity (0.5 rows B b + 6 tree b + 6 place value) + 9 width + 3 registers] a clock
        T       t [(1 + 4.8 (L - 1) + 4.4 + 2 (B + L - 2) + 4.8 log2 b + 4.8) / stages + 4], at least one adder a stage

    Left out: reading and refreshing the cells while a tile is held, drivers of long input lines, sparsity of the data.
    Sources: Sun, Houshmand, Verhelst, ICCAD 2023; Houshmand et al., arXiv 2305.18335. Pipelining, shared exponents and
    the delays of place value, accumulator and registers are ours.
    """

    gates: Gates
    rows: Array = count()
    columns: Array = count()
    word_bits: Array = count()
    input_bits_per_clock: Array = count()
    weights_per_multiplier: Array = count()
    block: Array = count()
    exponent_bits: Array = count(least=0)
    pipeline_stages: Array = count()
    array_efficiency: Array = fraction(above=0)
    activity: Array = fraction(above=0)
    control_share: Array = quantity("")

    def __check_init__(self) -> None:
        block, rows = self.block, self.rows
        if isinstance(block, float) and isinstance(rows, float) and rows % block and block % rows:
            raise ValueError(f"block: {block:g} inputs and rows: {rows:g} must be multiples of one another")

    def clocks_per_step(self) -> Any:
        return jnp.asarray(1.0)

    def sizes(self, bits: Any, fed_bits: Any) -> Sizes:
        """Pieces of one dot product of words of `bits` and inputs of fed_bits."""
        rows, wide = self.rows, self.input_bits_per_clock
        levels = jnp.log2(rows)
        width = fed_bits + bits + levels
        place_value = (bits + levels) * (wide - 1) + wide * (jnp.log2(wide) - 0.5)
        # Of p equal stages the cut j leaves rows^(1 - j/p) partial sums: a geometric series.
        fall = jnp.where(rows > 1, rows, 2.0) ** (-1 / self.pipeline_stages)
        cut = jnp.where(rows > 1, (rows * fall - 1) / (1 - fall), 0.0)
        blocks = jnp.where(self.exponent_bits > 0, jnp.maximum(rows / self.block, 1.0), 0.0)
        return Sizes(
            multipliers=rows * bits * wide,
            tree=wide * jnp.maximum(rows * (bits + 1) - (bits + levels + 1), 0.0),
            place_value=jnp.maximum(place_value, 0.0),
            accumulator=width,
            registers=wide * (bits + levels / 2) * jnp.maximum(cut, 0.0),
            exponent=blocks * (self.exponent_bits + width),
            aligner=blocks * width * ceil(jnp.log2(width)),
        )

    def cycle_energy(self, voltage: Any, held: NumberFormat, fed: NumberFormat) -> DigitalEnergy:
        bits = jnp.minimum(held.element_bits, self.word_bits)
        sizes = self.sizes(bits, fed.element_bits)
        switched = voltage**2 * self.gates.capacitance() * self.columns * self.word_bits / bits
        shared = jnp.where(held.scale_bits + fed.scale_bits > 0, 1.0, 0.0) / self.clocks(fed)
        aligning = FULL_ADDER.capacitance * sizes.exponent + MULTIPLEXER.capacitance * sizes.aligner
        gates = (
            self.activity * MULTIPLIER.capacitance * sizes.multipliers,
            self.activity * FULL_ADDER.capacitance * sizes.tree,
            self.activity * FULL_ADDER.capacitance * sizes.place_value,
            FULL_ADDER.capacitance * sizes.accumulator,
            self.activity * shared * aligning,
            FLIP_FLOP.capacitance * (sizes.accumulator + sizes.registers),
        )
        return DigitalEnergy(*(switched * part for part in gates), control=self.control_share * switched * sum(gates))

    def area_terms(self) -> DigitalArea:
        sizes = self.sizes(self.word_bits, self.word_bits)
        logic = self.gates.gate_area() * self.columns
        aligner = FULL_ADDER.area * sizes.exponent + MULTIPLEXER.area * sizes.aligner
        cells = self.columns * self.rows * self.weights_per_multiplier * self.word_bits * self.gates.cell_area()
        return DigitalArea(
            multiply=logic * MULTIPLIER.area * sizes.multipliers,
            adder_tree=logic * FULL_ADDER.area * sizes.tree,
            place_value=logic * FULL_ADDER.area * sizes.place_value,
            accumulator=logic * (FULL_ADDER.area + FLIP_FLOP.area) * sizes.accumulator,
            aligner=logic * aligner,
            registers=logic * FLIP_FLOP.area * sizes.registers,
            cells=cells / self.array_efficiency,
        )

    def path(self) -> Any:
        """Unit gate delays from the inputs to the accumulator, were there no registers between."""
        levels, wide = jnp.log2(self.rows), jnp.log2(self.input_bits_per_clock)
        tree = SUM_DELAY * (levels - 1) + CARRY_DELAY + RIPPLE_DELAY * (self.word_bits + levels - 2)
        return 1 + jnp.where(self.rows > 1, jnp.maximum(tree, CARRY_DELAY), 0.0) + SUM_DELAY * (wide + 1)

    def clock_limit(self, voltage: Any) -> Any:
        """Hertz: one over the longest stage."""
        stage = jnp.maximum(self.path() / self.pipeline_stages, SUM_DELAY) + REGISTER_DELAY
        return 1 / (stage * self.gates.delay(voltage))

    def leakage(self, voltage: Any) -> Any:
        """Watts at the leakage reference temperature; the cells' own leakage is left out."""
        area = self.area_terms()
        return self.gates.leakage_power((sum(area) - area.cells) / self.gates.gate_area(), voltage)

    def noise(self, held: NumberFormat, fed: NumberFormat, k: Any) -> Any:
        """None: integers are added in full width."""
        return jnp.zeros_like(k * 1.0)

    def refusal(self, held: NumberFormat, fed: NumberFormat) -> str:
        if words := self.remainder(fed) or exponents_refused(held, fed):
            return words
        if float(held.scale_bits) + float(fed.scale_bits) > 0 and float(self.exponent_bits) == 0:
            return "this macro has no adder for shared exponents; set exponent_bits: 8 or choose an integer format"
        return ""
