"""Products in output tiles: the kernel of dense linear algebra."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.kernel import SMALLEST, Device, Kernel, KernelWork, Operands, soft_maximum
from hw.multiprocessors import SHORTEST_K
from hw.units import count, fraction, quantity
from models.counts import ceil
from models.operators import Operator

STEP = 128.0  # bytes of inputs that a core brings in at once for each row or column
PARTIAL = 4.0  # widths of a result that a partial sum moves: written and read, at twice the width


class OutputTile(eqx.Module):
    """What one core computes at a time: rows of the fed operand, columns of the held one."""

    rows: Array = count()
    columns: Array = count()


class Shape(NamedTuple):
    """Products (m, k) x (k, n), so many of them."""

    m: Any
    k: Any
    n: Any
    count: Any


class ProductKernel(Kernel):
    """Output tiles over cores in waves, k cut where there are fewer tiles than cores, the fastest of the tiles.

        tiles  = count ceil(m / rows) ceil(n / columns);   w = tiles parts / cores
        waves  = quantised ceil(w) + (1 - quantised) max(1, w)
        parts  = min(cores / tiles, k / 128, what makes compute least), 1 at least
        input  = (arithmetic^p + feed^p + (step bytes / 128)^p)^(1/p), seconds that a core needs for one of the k inputs
        arithmetic = 2 rows columns (1 / sustained_fraction + rescaling / block) / operations
        feed   = (rows fed + columns held) / (port operations)
        compute = waves (k input / parts + prologue) + count m n result / cache_bandwidth
                  + (splitting + 4 count parts m n result / cache_bandwidth, where k is cut)

    p : sharpness. quantised : share of a last, partly filled wave that is waited for; prologue : filling a tile's
    pipeline; step : the least time of 128 bytes of inputs, the wider operand's, however small the tile; port : bytes of
    operands that a core takes in for each operation of its full rate; rescaling : of partial sums for each block of
    inputs with one scale, in products' time. k is not cut where operands are widened or scaled by blocks. Rows and
    columns that a tile has beyond the operands are not fed.

    Cores at work read a square of the largest tiles at once; from one wave to the next an operand is read again,

        reads = waves (rows fed + columns held of the square) k

    as far as both operands do not fit the cache: (reads - operands) / (1 + (cache / operands)^2) beyond one reading.
    Left out: operands that the cache still holds from before; results that it keeps; a clock that falls with load.
    """

    tiles: OrderedDict[str, OutputTile] = eqx.field(converter=OrderedDict)
    start: Array = quantity("s")
    sharpness: Array = quantity("", above=1)
    sustained_fraction: Array = fraction(above=0)
    quantised: Array = fraction()
    prologue: Array = quantity("s")
    step: Array = quantity("s")
    splitting: Array = quantity("s")
    port: Array = quantity("B/op", above=0)
    rescaling: Array = quantity("")

    def work(self, operator: Operator, operands: Operands, device: Device) -> KernelWork:
        shape = Shape(operator.vectors, operator.inputs, operator.outputs, operator.products)
        tile = OutputTile(*(jnp.stack([getattr(t, side) for t in self.tiles.values()]) for side in ("rows", "columns")))
        seconds = self._seconds(tile, shape, operands, device)
        largest = jnp.argmax(tile.rows * tile.columns)
        again = self._read_again(OutputTile(tile.rows[largest], tile.columns[largest]), shape, operands, device)
        once = shape.count * shape.m * (shape.k * operands.fed + shape.n * operands.result)
        return KernelWork(jnp.where(operator.macs > 0, jnp.min(seconds), 0.0), once + again, 1.0, self.start)

    def _seconds(self, tile: OutputTile, shape: Shape, operands: Operands, device: Device) -> Any:
        """Seconds of the arithmetic in these tiles, the faster of k whole and k cut."""
        count = shape.count * ceil(shape.m / tile.rows) * ceil(shape.n / tile.columns)
        count = jnp.maximum(count, 1.0)
        rows, columns = jnp.minimum(tile.rows, shape.m), jnp.minimum(tile.columns, shape.n)
        fed = rows * operands.fed + columns * operands.held  # bytes for one of the k inputs
        results = shape.count * shape.m * shape.n * operands.result / device.cache_bandwidth
        one = self._input(tile, fed, operands, device)
        once = self._waves(count / device.cores) * (shape.k * one + self.prologue)
        summed = jnp.maximum(PARTIAL * results, SMALLEST)  # of each part; of no results, as many as there may be
        parts = jnp.minimum(jnp.sqrt(jnp.maximum(shape.k, 1.0) * one / summed), shape.k / SHORTEST_K)
        parts = jnp.maximum(1.0, jnp.minimum(parts, device.cores / count))
        cut = self._waves(jnp.maximum(count / device.cores, 1.0)) * (shape.k / parts * one + self.prologue)
        cut = cut + self.splitting + PARTIAL * parts * results
        whole = jnp.maximum(operands.widened, jnp.where(operands.scaled > 0, 1.0, 0.0))
        return results + jnp.where(whole > 0, once, jnp.minimum(once, cut))

    def _waves(self, full: Any) -> Any:
        return self.quantised * ceil(full) + (1 - self.quantised) * jnp.maximum(full, 1.0)

    def _input(self, tile: OutputTile, fed: Any, operands: Operands, device: Device) -> Any:
        """Seconds that a core needs for one of the k inputs of a tile, `fed` bytes."""
        slower = 1 / self.sustained_fraction + self.rescaling * operands.scaled
        arithmetic = 2 * tile.rows * tile.columns * slower / device.operations
        feed = fed / (self.port * device.operations)
        step = self.step / STEP * jnp.maximum(operands.fed, operands.held)
        return soft_maximum((soft_maximum((arithmetic, feed), self.sharpness), step), self.sharpness)

    def _read_again(self, tile: OutputTile, shape: Shape, operands: Operands, device: Device) -> Any:
        """Bytes read from memory beyond one reading of both operands."""
        rows, columns = ceil(shape.m / tile.rows), ceil(shape.n / tile.columns)
        rows, columns = jnp.maximum(rows, 1.0), jnp.maximum(columns, 1.0)
        at_once = jnp.minimum(rows * columns, device.cores)
        high = jnp.clip(jnp.sqrt(at_once), at_once / jnp.minimum(columns, at_once), jnp.minimum(rows, at_once))
        square = high * tile.rows * operands.fed + at_once / high * tile.columns * operands.held
        both = shape.k * (shape.m * operands.fed + shape.n * operands.held)
        reads = rows * columns / at_once * jnp.minimum(square * shape.k, both)
        return shape.count * jnp.maximum(reads - both, 0.0) * both**2 / (both**2 + device.cache**2)
