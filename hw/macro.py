"""Macros: arrays of memory cells that multiply where they store. This file is the contract of them."""

# No `from __future__ import annotations`: equinox reads abstract fields from annotations, not from their text.
from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array

from hw.gates import Gates
from models.counts import ceil
from models.numerics import NumberFormat


def exponents_refused(held: NumberFormat, fed: NumberFormat) -> str:
    """Why an array that adds integers cannot take these numbers, empty where it can: which of them have exponents."""
    named = {"what it holds (weights, cache)": held, "what is fed to it (activations)": fed}
    wrong = [words for words, kind in named.items() if float(kind.exponent_bits) > 0]
    if not wrong:
        return ""
    return (
        f"the array adds integers, but {' and '.join(wrong)} would have an exponent per element; choose a format of "
        "integers or blocks for both, such as format=int8 or format=mxint8"
    )


class Macro(eqx.Module):
    """`columns` dot products of `rows` inputs with words of `word_bits`, inputs fed input_bits_per_clock at a time.

    Words narrower than word_bits stand side by side and widen the macro; wider ones take several columns. Energies and
    areas are told by named term, as a NamedTuple whose parts add up. Voltages are those that the logic works at.
    """

    gates: eqx.AbstractVar[Gates]
    rows: eqx.AbstractVar[Array]
    columns: eqx.AbstractVar[Array]
    word_bits: eqx.AbstractVar[Array]
    input_bits_per_clock: eqx.AbstractVar[Array]

    @abstractmethod
    def clocks_per_step(self) -> Any:
        """Clocks that one step of input_bits_per_clock takes."""

    @abstractmethod
    def cycle_energy(self, voltage: Any, held: NumberFormat, fed: NumberFormat) -> Any:
        """Joules of one clock of the whole macro, by named term."""

    @abstractmethod
    def area_terms(self) -> Any:
        """Square metres, by named term."""

    @abstractmethod
    def clock_limit(self, voltage: Any) -> Any:
        """Hertz of the fastest clock at `voltage`."""

    @abstractmethod
    def leakage(self, voltage: Any) -> Any:
        """Watts at the leakage reference temperature."""

    @abstractmethod
    def noise(self, held: NumberFormat, fed: NumberFormat, k: Any) -> Any:
        """Noise power over signal power that the macro adds to a product over k elements."""

    @abstractmethod
    def refusal(self, held: NumberFormat, fed: NumberFormat) -> str:
        """Why the macro cannot compute in these formats; empty where it can. Called before anything is traced."""

    def outputs(self, held: NumberFormat) -> Any:
        """Dot products side by side: columns, widened by narrow words, narrowed by wide ones."""
        return self.columns * self.word_bits / held.element_bits

    def clocks(self, fed: NumberFormat) -> Any:
        """Clocks that one vector takes."""
        return ceil(fed.element_bits / self.input_bits_per_clock) * self.clocks_per_step()

    def operations(self, held: NumberFormat, fed: NumberFormat) -> Any:
        """Operations per clock; a multiply-accumulate is two."""
        return 2 * self.rows * self.outputs(held) / self.clocks(fed)

    def operation_energy(self, voltage: Any, held: NumberFormat, fed: NumberFormat) -> Any:
        """Joules per operation, leakage apart."""
        return sum(self.cycle_energy(voltage, held, fed)) / self.operations(held, fed)

    def area(self) -> Any:
        """Square metres."""
        return sum(self.area_terms())

    def remainder(self, fed: NumberFormat) -> str:
        """Why inputs of this width cannot be fed; empty where they can. Not to be called in traced code."""
        bits, step = float(fed.element_bits), float(self.input_bits_per_clock)
        if bits % step == 0:
            return ""
        return (
            f"inputs of {bits:g} bits are no multiple of input_bits_per_clock, {step:g}: the last clock of each would "
            f"be partly empty; choose a divisor of {bits:g}"
        )

    def caution(self) -> str:
        """What to tell people about how far this macro is from published silicon; empty where it is near."""
        return self.gates.caution()
