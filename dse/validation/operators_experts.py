"""Mixtures of experts as measured: both products on the busiest rank, with the sorting of tokens: the family `moe`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from dse.validation.operator_families import Constant, Rows
from hw.chip import Chip, Placement
from hw.heat import State
from models.feedforward import GATE_OPS
from models.numerics import Formats
from models.operators import Elementwise, ExpertProduct

FORMATS = {"bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8_block", "w4a16_mxfp4": "mxfp4_weights"}
EXPERTS = "engine.kernels.experts."
DRAWS = 64  # of the loads of all experts
POWER = "power_law_"  # begins the name of a distribution that ends in its exponent


@functools.cache
def routed(tokens: int, experts: int, top_k: int, sets: int, distribution: str) -> tuple[float, float]:
    """Expert visits of the busiest set, and how many of its experts they touch; at least one of both.

    balanced : visits are dealt out in turn. power_law_a : loads of experts are drawn with density x^-a from 1 to 0.8 of
    the tokens (from 0.01 to 2 where there are no more visits than experts), scaled to all visits and rounded; an expert
    sees a token once; means over draws, of the set with the most.
    """
    visits, each = tokens * top_k, experts // sets
    if not distribution.startswith(POWER):
        return max(visits / sets, 1.0), float(np.clip(visits / sets, 1, each))
    power = 1 - float(distribution.removeprefix(POWER))
    low, high = (1.0, 0.8 * tokens) if visits > experts else (0.01, 2.0)
    uniform = np.random.default_rng(0).random((DRAWS, experts))
    loads = ((high**power - low**power) * uniform + low**power) ** (1 / power)
    loads = np.minimum(np.round(loads / loads.sum(1, keepdims=True) * visits), tokens)
    loads = loads.reshape(DRAWS, sets, each)
    busiest = loads[np.arange(DRAWS), loads.sum(2).argmax(1)]
    return max(busiest.sum(1).mean(), 1.0), max((busiest > 0).sum(1).mean(), 1.0)


class Experts:
    """Both products of the experts of one set, each cut over the devices of the set, and the gate between.

    One token over several sets is left out: the benchmarks of some versions send all its visits to one set. `launch`
    seconds are of the software that ran some of the rows, in kernels of its own.
    """

    name = "moe"
    columns = frozenset({"num_tokens", "topk", "num_experts", "distribution", "latency"})
    format_column, formats = "moe_dtype", FORMATS
    constants = (
        Constant(EXPERTS + "sustained_fraction", 0.8, 0.1, 1.0, alone=True),
        Constant(EXPERTS + "rescaling", 250.0, 1.0, 1e4, kinds=("fp8_block",)),
        Constant(EXPERTS + "widened_fraction", 0.5, 0.05, 1.0, kinds=("w4a16_mxfp4",)),
        Constant(EXPERTS + "tile", 1.5e-6, 1e-8, 1e-4, "s", alone=True),
        Constant(EXPERTS + "stream", 1.1, 0.5, 1.25, alone=True),
        Constant(EXPERTS + "passes", 3.0, 0.5, 10.0),
        Constant(EXPERTS + "start", 11e-6, 1e-7, 1e-4, "s", alone=True),
        Constant("rows.moe.w4a16_mxfp4.launch", 40e-6, 1e-7, 1e-3, "s", kinds=("w4a16_mxfp4",)),
    )

    def read(self, table: Any, machine: str) -> list[Rows]:
        table = table if "kernel_source" in table else table.assign(kernel_source="")
        table = table[(table.num_tokens > 1) | (table.moe_ep_size == 1)]
        return [_rows(part, str(kind), machine) for kind, part in table.groupby("moe_dtype")]

    def seconds(self, chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any]) -> Any:
        local, load, gated = jnp.ceil(shape["width"] / shape["slices"]), shape["load"], shape["gated"]
        gates = Elementwise(GATE_OPS * load * local, (2 + gated) * load * local, 1.0)
        vectors, touched, hidden = load / shape["touched"], shape["touched"], shape["hidden"]
        products = (
            ExpertProduct(vectors, hidden, (1 + gated) * local, touched, gates),
            ExpertProduct(vectors, local, hidden, touched),
        )
        return shape["launch"] + sum(chip.run(one, formats, Placement(0.0, 0.0), state).total for one in products)


def _rows(part: Any, kind: str, machine: str) -> Rows:
    asked = (part.num_tokens, part.num_experts, part.topk, part.moe_ep_size, part.distribution)
    found = np.array([routed(*one) for one in zip(*(column.tolist() for column in asked), strict=True)])
    shapes = {
        "load": found[:, 0],
        "touched": found[:, 1],
        "hidden": part.hidden_size.to_numpy(float),
        "width": part.inter_size.to_numpy(float),
        "slices": part.moe_tp_size.to_numpy(float),
        "launch": np.zeros(len(part)),
        "gated": 1.0 - part.kernel_source.str.contains("nongated").to_numpy(float),
    }
    sizes = zip(part.hidden_size, part.inter_size, part.moe_tp_size, *asked, strict=True)
    names = np.array(["moe " + " ".join(str(number) for number in one) for one in sizes])
    return Rows(machine, kind, FORMATS[kind], shapes, part.latency.to_numpy(float) / 1e3, names)
