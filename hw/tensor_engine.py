"""The tensor engine of a GPU: output tiles over multiprocessors."""

from __future__ import annotations

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

    def takes(self, held: NumberFormat, fed: NumberFormat) -> Any:
        """True where it is wide enough for both operands and takes their kind: a float, if one of them is."""
        wide = self.width >= jnp.maximum(held.element_bits, fed.element_bits)
        exponent = jnp.maximum(held.exponent_bits, fed.exponent_bits) > 0
        return wide & jnp.where(exponent, self.floats > 0, self.integers > 0)


def fastest(rates: Iterable[Rate], held: NumberFormat, fed: NumberFormat) -> tuple[Any, Any]:
    """Operations per clock of a core on such operands, and the width of the rate that gives them; 0 where none does."""
    operations, width = jnp.asarray(0.0), jnp.asarray(0.0)
    for rate in rates:
        better = rate.takes(held, fed) & (rate.operations > operations)
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


class Tile(eqx.Module):
    """An output tile, and the share of the peak that a core reaches on it."""

    rows: Array = count()
    columns: Array = count()
    sustained_fraction: Array = fraction(above=0)


class OutputTiles(Engine):
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

    def operations_per_clock(self, held: NumberFormat, fed: NumberFormat) -> Any:
        """Of one core: the fastest rate wide enough for both operands, 0 where none is."""
        return fastest(self.rates.values(), held, fed)[0]

    def time(
        self, m: Any, k: Any, n: Any, count: Any, held: NumberFormat, fed: NumberFormat, conditions: Conditions
    ) -> tuple[Any, Any]:
        rate = self.operations_per_clock(held, fed) * conditions.frequency
        times = [self._tiled(tile, m, k, n, count, rate) for tile in self.tiles.values()]
        best = times[0]
        for other in times[1:]:
            best = jnp.minimum(best, other)
        return best, jnp.zeros_like(best)

    def _tiled(self, tile: Tile, m: Any, k: Any, n: Any, count: Any, rate: Any) -> Any:
        tiles = count * jnp.ceil(m / tile.rows) * jnp.ceil(n / tile.columns)
        splits = jnp.maximum(1.0, jnp.minimum(jnp.floor(self.cores / tiles), jnp.ceil(k / SHORTEST_K)))
        operations = jnp.ceil(tiles / self.cores) * 2 * tile.rows * tile.columns * k / splits
        return operations / (rate * tile.sustained_fraction)

    def peak_rate(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        return self.cores * self.operations_per_clock(held, fed) * conditions.frequency

    def peak_fill(self, conditions: Conditions) -> Any:
        """Bytes per second of both operands at the full rate, on the tile that reuses them least."""
        reads = [(tile.rows + tile.columns) / (2 * tile.rows * tile.columns) for tile in self.tiles.values()]
        bytes_per_clock = [rate.operations * rate.width / 8 for rate in self.rates.values()]
        most = jnp.max(jnp.stack(reads)) * jnp.max(jnp.stack(bytes_per_clock))
        return self.cores * most * conditions.frequency

    def operation_energy(self, held: NumberFormat, fed: NumberFormat, conditions: Conditions) -> Any:
        """widest_energy is stated for the widest rate at the nominal voltage; energy falls as the rate rises."""
        widest = jnp.min(jnp.stack([rate.operations for rate in self.rates.values()]))
        return self.widest_energy * widest / self.operations_per_clock(held, fed) * conditions.switching

    def fill_byte_energy(self, conditions: Conditions) -> Any:
        return jnp.zeros_like(self.cores)

    def area(self) -> Any:
        return self.cores * self.core_area

    def leakage(self) -> Any:
        return self.cores * self.core_static_power

    def refusal(self, held: NumberFormat, fed: NumberFormat) -> str:
        return no_rate(list(self.rates.values()), held, fed)
