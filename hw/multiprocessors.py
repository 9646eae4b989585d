"""Engines of equal cores with a rate for each kind of operand: what those share that differ in how they time work."""

# No `from __future__ import annotations` here: see hw/engine.py.
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.conditions import Conditions
from hw.engine import Engine
from hw.units import count, fraction, quantity
from models.numerics import NumberFormat

SHORTEST_K = 128.0  # a shorter part of k does not pay for its own sum


class Rate(eqx.Module):
    """Operations per clock and core on operands of up to `width` bits.

    floats, integers : 1 where it takes operands with exponents of their own, and those without; 0 where not.
    """

    width: Array = count()
    operations: Array = quantity("op/clk", above=0)
    floats: Array = fraction(default=1.0)
    integers: Array = fraction(default=1.0)


def takes(rate: Rate, held: NumberFormat, fed: NumberFormat) -> Any:
    """True where a rate is wide enough for both operands and takes their kind: a float, if one of them is."""
    wide = rate.width >= jnp.maximum(held.element_bits, fed.element_bits)
    exponent = jnp.maximum(held.exponent_bits, fed.exponent_bits) > 0
    return wide & jnp.where(exponent, rate.floats > 0, rate.integers > 0)


def fastest(rates: Iterable[Rate], held: NumberFormat, fed: NumberFormat) -> tuple[Any, Any]:
    """Operations per clock of a core on such operands, and the width of the rate that gives them; 0 where none does."""
    operations, width = jnp.asarray(0.0), jnp.asarray(0.0)
    for rate in rates:
        better = takes(rate, held, fed) & (rate.operations > operations)
        operations, width = jnp.where(better, rate.operations, operations), jnp.where(better, rate.width, width)
    return operations, width


def no_rate(rates: Iterable[Rate], held: NumberFormat, fed: NumberFormat) -> str:
    """Why no rate takes such operands; empty where one does."""
    if float(fastest(rates, held, fed)[0]) > 0:
        return ""
    needed = max(float(held.element_bits), float(fed.element_bits))
    kind = "floating-point" if max(float(held.exponent_bits), float(fed.exponent_bits)) > 0 else "integer"
    widest = max(float(rate.width) for rate in rates)
    return f"no rate takes {needed:g}-bit {kind} operands; the widest is {widest:g} bits"


class Multiprocessors(Engine):
    """`cores` multiprocessors with a rate for each width and kind of operand.

    widest_energy : of an operation at the rate for the widest operands and the nominal voltage; it falls as the rate
    rises. core_area, core_static_power : of one core.
    """

    rates: eqx.AbstractVar[OrderedDict[str, Rate]]
    widest_energy: eqx.AbstractVar[Array]
    core_area: eqx.AbstractVar[Array]
    core_static_power: eqx.AbstractVar[Array]

    def operations_per_clock(self, held: NumberFormat, fed: NumberFormat) -> Any:
        """Of one core: the fastest rate that takes both operands, 0 where none does."""
        return fastest(self.rates.values(), held, fed)[0]

    def peak_rate(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        return self.cores * self.operations_per_clock(held, fed) * conditions.frequency

    def operation_energy(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        widths = jnp.stack([rate.width for rate in self.rates.values()])
        operations = jnp.stack([rate.operations for rate in self.rates.values()])
        widest = jnp.max(jnp.where(widths >= jnp.max(widths), operations, 0.0))
        return self.widest_energy * widest / self.operations_per_clock(held, fed) * conditions.switching

    def area(self) -> Any:
        return self.cores * self.core_area

    def leakage(self) -> Any:
        return self.cores * self.core_static_power

    def refusal(self, held: NumberFormat, fed: NumberFormat) -> str:
        return no_rate(list(self.rates.values()), held, fed)
