"""An engine that computes output tiles over its cores, each product by itself."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.conditions import Conditions
from hw.multiprocessors import SHORTEST_K, Multiprocessors, Rate
from hw.units import count, fraction, quantity
from models.counts import ceil, floor
from models.numerics import NumberFormat


class Tile(eqx.Module):
    """An output tile, and the share of the peak that a core reaches on it."""

    rows: Array = count()
    columns: Array = count()
    sustained_fraction: Array = fraction(above=0)


class OutputTiles(Multiprocessors):
    """Each core computes whole output tiles; a last, partly filled wave of tiles takes as long as a full one.

        tiles  = count * ceil(m / rows) * ceil(n / columns)
        splits = max(1, min(floor(cores / tiles), ceil(k / SHORTEST_K))) parts of k, so that few tiles use all cores
        time   = ceil(tiles / cores) * 2 rows columns k / splits / (operations * frequency * sustained_fraction),
                 the best of the tiles

    Operands wider than a rate's width use the next wider rate; narrow weights are widened on the way (weight-only
    formats), so the wider operand counts. Left out: adding the parts of k, the second-level
    cache.
    """

    rates: OrderedDict[str, Rate] = eqx.field(converter=OrderedDict)
    tiles: OrderedDict[str, Tile] = eqx.field(converter=OrderedDict)
    cores: Array = count()
    frequency: Array = quantity("Hz", above=0)
    overhead: Array = quantity("s")
    widest_energy: Array = quantity("J/op")
    core_area: Array = quantity("m^2", above=0)
    core_static_power: Array = quantity("W")
    idle_share: Array = fraction()

    def time(
        self, m: Any, k: Any, n: Any, count: Any, held: NumberFormat, fed: NumberFormat, conditions: Conditions
    ) -> tuple[Any, Any]:
        rate = self.operations_per_clock(held, fed) * conditions.frequency
        times = [self._tiled(tile, m, k, n, count, rate) for tile in self.tiles.values()]
        best = functools.reduce(jnp.minimum, times)
        return best, jnp.zeros_like(best)

    def _tiled(self, tile: Tile, m: Any, k: Any, n: Any, count: Any, rate: Any) -> Any:
        tiles = count * ceil(m / tile.rows) * ceil(n / tile.columns)
        splits = jnp.maximum(1.0, jnp.minimum(floor(self.cores / tiles), ceil(k / SHORTEST_K)))
        operations = ceil(tiles / self.cores) * 2 * tile.rows * tile.columns * k / splits
        return operations / (rate * tile.sustained_fraction)

    def peak_fill(self, conditions: Conditions) -> Any:
        """Bytes per second of both operands at the full rate, on the tile that reuses them least."""
        reads = [(tile.rows + tile.columns) / (2 * tile.rows * tile.columns) for tile in self.tiles.values()]
        bytes_per_clock = [rate.operations * rate.width / 8 for rate in self.rates.values()]
        most = jnp.max(jnp.stack(reads)) * jnp.max(jnp.stack(bytes_per_clock))
        return self.cores * most * conditions.frequency

    def fill_byte_energy(self, conditions: Conditions) -> Any:
        return jnp.zeros_like(self.cores)
