"""Products of dense linear algebra, as measured: the family `gemm`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from dse.validation.operator_families import Constant, Rows
from hw.chip import Chip, Placement
from hw.heat import State
from models.numerics import Formats
from models.operators import Elementwise, WeightProduct

FORMATS = {  # by what the files call them
    "bfloat16": "bf16",
    "float16": "fp16",
    "fp8": "fp8",
    "fp8_block": "fp8_block",
    "sq": "int8",
    "int8_wo": "int8_weights",
    "int4_wo": "int4_weights",
    "nvfp4": "nvfp4",
}
PORT = 0.08  # B/op; more is not told from no limit
PLUGINS = ("sq", "int8_wo", "int4_wo")
PRODUCTS = "engine.kernels.products."
ZEROS = ("copies", "launch", "kernels", "passes")
WARM = 4  # power with which operands that a cache holds from run to run become some that it does not


class Gemm:
    """Products (m, k) x (k, n), one after the other in a graph.

    Beside the product itself: `launch` seconds of the software that ran some of the rows; where inputs are quantised,
    `kernels` elementwise kernels that move `passes` times the inputs. `copies` of the operands were used in turn: the
    cache keeps those that fit all at once, and gives them faster than memory does.
    """

    name = "gemm"
    columns = frozenset({"gemm_dtype", "m", "n", "k", "latency"})
    format_column, formats = "gemm_dtype", FORMATS
    constants = (
        Constant(PRODUCTS + "start", 2.2e-6, 1e-8, 1e-4, "s"),
        Constant(PRODUCTS + "sustained_fraction", 0.85, 0.1, 1.0),
        Constant(PRODUCTS + "sharpness", 3.0, 1.05, 50.0),
        Constant(PRODUCTS + "prologue", 0.5e-6, 1e-9, 1e-5, "s"),
        Constant(PRODUCTS + "step", 70e-9, 1e-10, 1e-6, "s"),
        Constant(PRODUCTS + "splitting", 3e-6, 1e-8, 1e-4, "s"),
        Constant(PRODUCTS + "rescaling", 70.0, 0.1, 1e4),
        Constant(PRODUCTS + "quantised", 0.3, 1e-4, 1.0),
        Constant(PRODUCTS + "port", 0.02, 0.001, PORT, "B/op", alone=True),
        Constant("memory.hbm.sustained_fraction", 0.82, 0.3, 1.0, alone=True),
        Constant("rows.gemm.copies", 10.0, 0.1, 1e3),
        *(Constant(f"rows.gemm.{kind}.launch", 7e-6, 1e-8, 1e-4, "s", kinds=(kind,)) for kind in PLUGINS),
        Constant("rows.gemm.fp8.kernels", 3.6, 0.01, 50.0, kinds=("fp8",)),
        Constant("rows.gemm.fp8.passes", 2.5, 0.01, 50.0, kinds=("fp8",)),
        Constant("rows.gemm.fp8_block.kernels", 0.8, 0.01, 50.0, kinds=("fp8_block",)),
        Constant("rows.gemm.fp8_block.passes", 1.5, 0.01, 50.0, kinds=("fp8_block",)),
    )

    def read(self, table: Any, machine: str) -> list[Rows]:
        found = []
        for kind, part in table.groupby("gemm_dtype"):
            shapes = {name: np.asarray(part[name], float) for name in "mnk"}
            names = np.array([f"gemm m={m} n={n} k={k}" for m, n, k in zip(part.m, part.n, part.k, strict=True)])
            zeros = {name: np.zeros(len(part)) for name in ZEROS}
            seconds = np.asarray(part.latency, float) / 1e3
            found.append(Rows(machine, str(kind), FORMATS[str(kind)], shapes | zeros, seconds, names))
        return found

    def seconds(self, chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any]) -> Any:
        m, n, k = shape["m"], shape["n"], shape["k"]
        around = Elementwise(0.0, shape["passes"] * m * k, shape["kernels"])
        work = WeightProduct(m, k, n, 0.0, around)
        used = k * n * formats.weights.bytes + m * (k * formats.activations.bytes + n * formats.exchange.bytes)
        chip = warm(chip, used * shape["copies"], chip.bandwidth(0, state))
        return chip.run(work, formats, Placement(0.0, 0.0), state).total + shape["launch"]


def warm(chip: Chip, used: Any, bandwidth: Any) -> Chip:
    """The chip with a first tier as fast as its cache, so far as `used` bytes stay there from one run to the next.

    share = 1 / (1 + (used / cache)^4); time of a byte = (1 - share) / bandwidth + share / cache_bandwidth.
    """
    engine: Any = chip.engine
    tier: Any = chip.tiers[0]
    share = 1 / (1 + (used / engine.cache) ** WARM)
    faster = 1 / (1 - share + share * jnp.minimum(bandwidth / engine.cache_bandwidth, 1.0))
    return eqx.tree_at(lambda it: it.tiers[0].bandwidth, chip, tier.bandwidth * faster)
