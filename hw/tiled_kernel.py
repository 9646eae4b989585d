"""Products in output tiles: the kernel of dense linear algebra."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.kernel import Device, Kernel, KernelWork, Operands
from hw.tensor_engine import SHORTEST_K, Tile
from hw.units import quantity
from models.operators import Operator


class TiledKernel(Kernel):
    """Each core computes whole output tiles; a last, partly filled wave of tiles takes as long as a full one."""

    tiles: OrderedDict[str, Tile] = eqx.field(converter=OrderedDict)
    start: Array = quantity("s")
    sharpness: Array = quantity("", above=1)

    def work(self, operator: Operator, operands: Operands, device: Device) -> KernelWork:
        m, k, n, count = operator.vectors, operator.inputs, operator.outputs, operator.products
        times = [self._tiled(tile, m, k, n, count, device) for tile in self.tiles.values()]
        beside = count * m * (k * operands.fed + n * operands.result)
        return KernelWork(functools.reduce(jnp.minimum, times), beside, 1.0, self.start)

    def _tiled(self, tile: Tile, m: Any, k: Any, n: Any, count: Any, device: Device) -> Any:
        tiles = count * jnp.ceil(m / tile.rows) * jnp.ceil(n / tile.columns)
        splits = jnp.maximum(1.0, jnp.minimum(jnp.floor(device.cores / tiles), jnp.ceil(k / SHORTEST_K)))
        operations = jnp.ceil(tiles / device.cores) * 2 * tile.rows * tile.columns * k / splits
        return operations / (device.operations * tile.sustained_fraction)
