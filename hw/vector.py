"""The unit for elementwise work: norms, softmax, gates. This file is the contract, and both ways to be one."""

# No `from __future__ import annotations` here: see hw/engine.py.
from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.conditions import Conditions
from hw.units import fraction, quantity
from models.operators import Elementwise


class Apart(NamedTuple):
    """Elementwise work that runs before or after an operator: seconds to start it, seconds of it, bytes it moves."""

    start: Any
    time: Any
    moved: Any


class VectorUnit(eqx.Module):
    """Elementwise operations at a `rate`, for so much `energy` each."""

    rate: eqx.AbstractVar[Array]
    energy: eqx.AbstractVar[Array]

    @abstractmethod
    def inside(self, operations: Any, around: Elementwise) -> Any:
        """Operations that run beside an operator's products, of those within it and those around it."""

    @abstractmethod
    def apart(self, around: Elementwise, element: Any, bandwidth: Any, conditions: Conditions) -> Apart:
        """What runs by itself of the work around an operator, `element` bytes an element, on a memory that streams so
        many bytes a second."""

    def time(self, operations: Any, conditions: Conditions) -> Any:
        """Seconds of so many operations."""
        return operations / (self.rate * conditions.derating)


class Vector(VectorUnit):
    """A unit that takes what the engine gives while that works: all elementwise work runs beside products."""

    rate: Array = quantity("op/s", above=0)
    energy: Array = quantity("J/op")

    def inside(self, operations: Any, around: Elementwise) -> Any:
        return operations + around.operations

    def apart(self, around: Elementwise, element: Any, bandwidth: Any, conditions: Conditions) -> Apart:
        nothing = jnp.zeros_like(self.rate)
        return Apart(nothing, nothing, nothing)


class VectorKernels(VectorUnit):
    """Kernels of their own, that read and write their elements through memory.

        start = kernels * launch;   time = max(operations / rate, elements * bytes / (bandwidth * sustained_fraction))

    sustained_fraction : over what a long stream reaches. Left out: elements that a cache keeps between kernels.
    """

    rate: Array = quantity("op/s", above=0)
    energy: Array = quantity("J/op")
    launch: Array = quantity("s")
    sustained_fraction: Array = fraction(above=0)

    def inside(self, operations: Any, around: Elementwise) -> Any:
        return operations

    def apart(self, around: Elementwise, element: Any, bandwidth: Any, conditions: Conditions) -> Apart:
        moved = around.elements * element
        streamed = moved / (bandwidth * self.sustained_fraction)
        return Apart(
            around.kernels * self.launch, jnp.maximum(self.time(around.operations, conditions), streamed), moved
        )
