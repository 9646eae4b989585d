"""Logic of a silicon node, counted in unit gates (two-input NAND): capacitance, area, delay, leakage."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.units import quantity

NINETY_PER_CENT = 1.645  # standard deviations on either side that hold 90 % of a normal distribution
LEAST_OVERDRIVE = 0.05  # of the threshold voltage; below it the alpha-power law says nothing
SHRINK_BEFORE_TABLE = 2.0  # a memory cell's area falls as the square of the node where the table has not begun


class NodeLaw(eqx.Module):
    """A power law of the node, and how sure it is: value(node) = value(reference) (node / reference)^exponent.

    At `reference` the fitted level and exponent are uncorrelated. The logarithm of one chip's value deviates by

        deviation^2 = scatter^2 + level_deviation^2 + (exponent_deviation ln(node / reference))^2

    so the law widens away from the nodes fitted_from .. fitted_to. `scatter` is what chips of one node differ by.
    """

    reference: Array = quantity("m", above=0)
    exponent: Array = quantity("", least=None)
    scatter: Array = quantity("")
    level_deviation: Array = quantity("")
    exponent_deviation: Array = quantity("")
    fitted_from: Array = quantity("m", above=0)
    fitted_to: Array = quantity("m", above=0)

    def factor(self, node: Any) -> Any:
        """The value at `node` (metres) over the value at the reference."""
        return (node / self.reference) ** self.exponent

    def deviation(self, node: Any) -> Any:
        """Standard deviation of the logarithm of the next chip's value at `node` (metres)."""
        distance = self.exponent_deviation * jnp.log(node / self.reference)
        # Squares of numbers that may all be zero: a root of exactly zero has no slope.
        return jnp.sqrt(jnp.maximum(self.scatter**2 + self.level_deviation**2 + distance**2, 1e-24))

    def octaves_outside(self, node: Any) -> Any:
        """Factors of two between `node` (metres) and the fitted nodes, 0 inside."""
        return jnp.maximum(jnp.log2(self.fitted_from / node), 0.0) + jnp.maximum(jnp.log2(node / self.fitted_to), 0.0)


class MemoryCell(eqx.Module):
    """The six-transistor memory cell of one node."""

    node: Array = quantity("m", above=0)
    area: Array = quantity("m^2", above=0)


class GateSpread(NamedTuple):
    """Factors: nine chips of ten lie between the constant over its factor and the constant times it."""

    capacitance: Any
    area: Any
    delay: Any


class Gates(eqx.Module):
    """The unit gate of `node`. unit_* are the values at the reference node of their law, fitted on published silicon.

    The capacitance is an effective one: it was fitted with a fixed activity, so wires, glitches and clock buffers are
    in it. The delay is that of the clocks chips were published at, not of the fastest that their logic would close.
    Cells are listed from the smallest node up.
    Sources: Sun, Houshmand, Verhelst, ICCAD 2023, for the counting; docs/macros.md for the fit.
    """

    capacitance_law: NodeLaw
    area_law: NodeLaw
    delay_law: NodeLaw
    cells: OrderedDict[str, MemoryCell] = eqx.field(converter=OrderedDict)
    node: Array = quantity("m", above=0)
    unit_capacitance: Array = quantity("F", above=0)
    unit_area: Array = quantity("m^2", above=0)
    unit_delay: Array = quantity("s", above=0)
    unit_leakage: Array = quantity("A")
    delay_voltage: Array = quantity("V", above=0)
    threshold_voltage: Array = quantity("V", above=0)
    velocity_exponent: Array = quantity("", above=0)

    def __check_init__(self) -> None:
        nodes = [cell.node for cell in self.cells.values()]
        if all(isinstance(node, float) for node in nodes) and nodes != sorted(nodes):
            raise ValueError("cells: list the memory cells from the smallest node to the largest")

    def capacitance(self) -> Any:
        """Farads that a unit gate switches."""
        return self.unit_capacitance * self.capacitance_law.factor(self.node)

    def gate_area(self) -> Any:
        """Square metres of a unit gate, wires and unused area counted."""
        return self.unit_area * self.area_law.factor(self.node)

    def delay(self, voltage: Any) -> Any:
        """Seconds of a unit gate at `voltage`: t ~ V / (V - V_threshold)^alpha.

        Source: Sakurai and Newton, JSSC 1990. Near the threshold, where the law ends, the overdrive stops falling.
        """
        here, stated = self._slowness(voltage), self._slowness(self.delay_voltage)
        return self.unit_delay * self.delay_law.factor(self.node) * here / stated

    def _slowness(self, voltage: Any) -> Any:
        least = self.threshold_voltage * (1 + LEAST_OVERDRIVE)  # below, the law ends and the clock stays
        driven = jnp.maximum(voltage, least)
        return driven * (driven / self.threshold_voltage - 1) ** -self.velocity_exponent

    def leakage_power(self, gates: Any, voltage: Any) -> Any:
        """Watts that `gates` unit gates leak at `voltage` and the leakage reference temperature."""
        return gates * self.unit_leakage * voltage

    def cell_area(self) -> Any:
        """Square metres of a memory cell of this node: interpolated between the listed nodes in logarithms.

        Below the first it shrinks no further; above the last it grows as the square of the node.
        """
        nodes = jnp.log(jnp.stack([jnp.asarray(cell.node) for cell in self.cells.values()]))
        areas = jnp.log(jnp.stack([jnp.asarray(cell.area) for cell in self.cells.values()]))
        beyond = jnp.maximum(jnp.log(self.node) - nodes[-1], 0.0)
        return jnp.exp(jnp.interp(jnp.log(self.node), nodes, areas) + SHRINK_BEFORE_TABLE * beyond)

    def spread(self) -> GateSpread:
        """Factor of the 90 % predictive interval of each constant, for one more chip of this node."""
        laws = (self.capacitance_law, self.area_law, self.delay_law)
        return GateSpread(*(jnp.exp(NINETY_PER_CENT * law.deviation(self.node)) for law in laws))

    def how_far(self) -> Any:
        """Octaves (factors of two) of the node outside the nodes that the capacitance was fitted on, 0 inside."""
        return self.capacitance_law.octaves_outside(self.node)

    def caution(self) -> str:
        """What to tell people about a node outside the fitted ones; empty inside. Not to be called in traced code."""
        octaves = float(self.how_far())
        if octaves == 0:
            return ""
        law, spread = self.capacitance_law, self.spread()
        return (
            f"gates of {float(self.node) * 1e9:.3g} nm are extrapolated: the published chips have "
            f"{float(law.fitted_from) * 1e9:.3g} to {float(law.fitted_to) * 1e9:.3g} nm, {octaves:.1f} octaves away; "
            f"energy is known to a factor of {float(spread.capacitance):.2g}, area of {float(spread.area):.2g}, "
            f"delay of {float(spread.delay):.2g} (90 %)"
        )
