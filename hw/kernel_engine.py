"""An engine of multiprocessors that run one kernel after the other, with a cache that all share."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.conditions import Conditions
from hw.engine import Bounds, Timing
from hw.kernel import Device, Kernel, Operands, soft_maximum
from hw.multiprocessors import Multiprocessors, Rate, fastest
from hw.units import count, fraction, quantity
from models.numerics import Formats, NumberFormat
from models.operators import ExpertProduct, Operator

SOFTWARE_BLOCK = 64  # elements under one scale from which kernels scale partial sums themselves


class Kernels(eqx.Module):
    """The kernel of each kind of operator: products with weights, with those of experts, with the cache."""

    products: Kernel
    experts: Kernel
    attention: Kernel


class KernelEngine(Multiprocessors):
    """`cores` multiprocessors with a rate for each width of operand, and the kernels that they run.

    Operands wider than a rate's width use the next wider rate; operands narrower than the rate are widened on the
    way, as weights in weight-only formats. An operator takes (compute^p + memory^p)^(1/p) after its start, with the p
    of its kernel. fill_energy : of a byte on its way from memory's pins through the shared cache to a core.
    """

    kernels: Kernels
    rates: OrderedDict[str, Rate] = eqx.field(converter=OrderedDict)
    cores: Array = count()
    frequency: Array = quantity("Hz", above=0)
    cache: Array = quantity("B", above=0)
    cache_bandwidth: Array = quantity("B/s", above=0)
    widest_energy: Array = quantity("J/op")
    core_area: Array = quantity("m^2", above=0)
    core_static_power: Array = quantity("W")
    idle_share: Array = fraction()
    fill_energy: Array = quantity("J/B", default=0.0)

    @property
    def overhead(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Seconds before a kernel does anything: part of every kernel's own start."""
        return jnp.zeros_like(self.cores)

    def device(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Device:
        """What a kernel on such operands runs on."""
        rate = self.operations_per_clock(held, fed) * conditions.frequency
        return Device(self.cores, rate, self.cache, self.cache_bandwidth * conditions.derating)

    def _operands(self, held: NumberFormat, fed: NumberFormat, result: NumberFormat) -> Operands:
        """What a kernel must know of its operands. Scales of short blocks are the arithmetic units' own business."""
        widened = jnp.where(held.element_bits < fastest(self.rates.values(), held, fed)[1], 1.0, 0.0)
        by_block = (fed.scale_bits > 0) & (fed.block >= SOFTWARE_BLOCK)
        return Operands(held.bytes, fed.bytes, result.bytes, widened, jnp.where(by_block, 1 / fed.block, 0.0))

    def timing(self, work: Operator, formats: Formats, conditions: Conditions) -> Timing:
        held, fed = work.held(formats), formats.activations
        operands = self._operands(held, fed, formats.exchange)
        found = work.kernel(self.kernels).work(work, operands, self.device(held, fed, conditions))
        return Timing(found.compute, jnp.zeros_like(found.compute), found.start, found.beside, found.slowdown)

    def together(self, work: Operator, bounds: Bounds) -> Any:
        moved = jnp.maximum(bounds.weights, bounds.cache)  # where one memory serves both, the one holds the other
        return soft_maximum((bounds.compute, moved, bounds.vector), work.kernel(self.kernels).sharpness)

    def time(
        self, m: Any, k: Any, n: Any, count: Any, held: NumberFormat, fed: NumberFormat, conditions: Conditions
    ) -> tuple[Any, Any]:
        """Seconds of the arithmetic of products with weights alone."""
        product = ExpertProduct(m, k, n, count)
        operands = self._operands(held, fed, fed)
        found = self.kernels.products.work(product, operands, self.device(held, fed, conditions)).compute
        return found, jnp.zeros_like(found)

    def peak_fill(self, conditions: Conditions) -> Any:
        return self.cache_bandwidth * conditions.derating

    def fill_byte_energy(self, conditions: Conditions) -> Any:
        return self.fill_energy * conditions.switching
