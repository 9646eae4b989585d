"""Products of many experts in one kernel, with the sorting of their tokens."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from hw.kernel import Device, Kernel, KernelWork, Operands
from hw.units import count, fraction, quantity
from models.counts import ceil


class GroupedKernel(Kernel):
    """Of products of experts: each core computes output tiles, of whichever expert. An expert's last tile of rows is
    half full on average.

        tiles  = experts * max(1, vectors / rows + 1/2) * ceil(outputs / columns)
        waves  = max(1, tiles / cores + 1/2)
        time   = waves * (tile + 2 rows columns inputs (1 / sustained_fraction + rescaling / block) / operations)

    The half wave is what a last, partly filled wave of tiles loses on average. rescaling : of partial sums for each
    block of inputs with one scale, in products' time. Where weights are narrower than inputs, a core reaches
    widened_fraction. Inputs and results move `passes` times, since tokens are sorted by expert before and added up
    after. stream : of a long stream's bandwidth, how much weights of experts reach.
    """

    rows: Array = count()
    columns: Array = count()
    sustained_fraction: Array = fraction(above=0)
    rescaling: Array = quantity("")
    widened_fraction: Array = fraction(above=0)
    tile: Array = quantity("s")
    stream: Array = quantity("", above=0)
    passes: Array = quantity("", above=0)
    start: Array = quantity("s")
    sharpness: Array = quantity("", above=1)

    def work(self, operator: Any, operands: Operands, device: Device) -> KernelWork:
        m, k, n = operator.vectors, operator.inputs, operator.outputs
        rows = jnp.maximum(1.0, m / self.rows + 0.5)
        tiles = operator.products * rows * ceil(n / self.columns)
        reached = jnp.where(operands.widened > 0, self.widened_fraction, self.sustained_fraction)
        slower = 1 / reached + self.rescaling * operands.scaled
        each = self.tile + 2 * self.rows * self.columns * k * slower / device.operations
        waves = jnp.maximum(1.0, tiles / device.cores + 0.5)
        moved = self.passes * operator.products * m * (k * operands.fed + n * operands.result)
        return KernelWork(waves * each, moved, 1 / self.stream, self.start)
