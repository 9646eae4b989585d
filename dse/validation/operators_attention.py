"""Attention as measured: prompts and steps, of heads that share keys and values, and of latents that all heads share.

Libraries turn queries and keys, and leave keys and values in the cache, within what was timed; so does the model here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from dse.validation.operator_families import Constant, Rows
from dse.validation.operator_files import WIDE
from hw.chip import Chip, Placement
from hw.heat import State
from models.attention import GroupedQueryAttention
from models.batch import Batch, Segment
from models.latent import LatentAttention
from models.mixer import Mixer
from models.numerics import Formats
from models.operators import CacheProduct
from models.parallelism import Cut

HERE = Placement(0.0, 0.0)
HIDDEN = 4096.0  # of the projections around, which are not timed
LATENT = 1536.0, 512.0, 128.0, 64.0, 128.0  # ranks of queries and keys; plain, rotary and value elements of a head
HEAD = 128  # elements of a head where a file does not say
MOST_SHARED = 32  # query heads that share keys; for more, libraries have kernels that nobody runs
FORMATS = {"bfloat16": "bf16", "fp8": "fp8"}
WINDOW, OWN = " window", " own"
SHARED = "bfloat16", "fp8"
EVERY = (*SHARED, "bfloat16 own", "fp8 own")
KERNEL = "engine.kernels.attention."
PROMPT, SINGLE, GROUP = KERNEL + "prompt.", KERNEL + "single.", KERNEL + "group."


def attended(chip: Chip, formats: Formats, state: State, mixer: Mixer, segment: Segment, turned: int) -> Any:
    """Seconds of the products with the cache, and of the rotation, which is around the projection `turned`."""
    operators = mixer.work(HIDDEN, Batch((segment,), 1.0), Cut()).operators
    bandwidth = chip.bandwidth(HERE.cache, state)
    apart = chip.vector.apart(operators[turned].around, formats.exchange.bytes, bandwidth, state.logic)
    products = [one for one in operators if isinstance(one, CacheProduct)]
    return apart.start + apart.time + sum(chip.run(one, formats, HERE, state).total for one in products)


def heads(table: Any, machine: str, tokens: Any, past: Any, split: bool) -> list[Rows]:
    """Rows of heads with keys and values, by what the cache holds; apart those with a window and, if they are to be
    split, those where each head has its own keys.

    Kernels of wide queries on a narrow cache compute in the narrow format.
    """
    table = table.assign(tokens=tokens, past=past)
    for name, usual in {"head_dim": HEAD, "window_size": 0}.items():
        table = table if name in table else table.assign(**{name: usual})
    table = table[table.num_heads <= MOST_SHARED * table.num_key_value_heads]
    single = np.where(table.num_heads == table.num_key_value_heads, OWN, "")
    kinds = table.kv_cache_dtype + np.where(table.window_size > 0, WINDOW, single if split else "")
    columns = {"sequences": "batch_size", "heads": "num_heads", "keys": "num_key_value_heads", "head": "head_dim",
               "window": "window_size", "tokens": "tokens", "past": "past"}  # fmt: skip
    return _rows(table, kinds, machine, columns, FORMATS)


def latents(table: Any, machine: str, tokens: Any, past: Any, formats: Mapping[str, str]) -> list[Rows]:
    """Rows of heads with shared latents, by what the cache holds; one of each, though several devices have it."""
    table = table.assign(tokens=tokens, past=past)
    shape = ["kv_cache_dtype", "num_heads", "batch_size", "tokens", "past"]
    table = table.groupby(shape, as_index=False).latency.median()
    columns = {"sequences": "batch_size", "heads": "num_heads", "tokens": "tokens", "past": "past"}
    return _rows(table, table.kv_cache_dtype, machine, columns, formats)


def _rows(table: Any, kinds: Any, machine: str, columns: Mapping[str, str], formats: Mapping[str, str]) -> list[Rows]:
    found = []
    for kind, part in table.groupby(kinds):
        shapes = {name: part[column].to_numpy(float) for name, column in columns.items()}
        lines = zip(*shapes.values(), strict=True)
        names = np.array([" ".join(f"{k}={v:g}" for k, v in zip(shapes, line, strict=True)) for line in lines])
        number_format = formats[str(kind).split()[0]]
        found.append(Rows(machine, str(kind), number_format, shapes, part.latency.to_numpy(float) / 1e3, names))
    return found


def grouped(chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any]) -> Any:
    """Modelled seconds of a row of heads."""
    mixer = GroupedQueryAttention(shape["heads"], shape["keys"], shape["head"], window=shape["window"])
    segment = Segment(shape["sequences"], shape["tokens"], shape["past"])
    return attended(chip, formats, state, mixer, segment, 0)


def latent(chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any], expanded: float) -> Any:
    """Modelled seconds of a row of latents; expanded : what an operation on keys of each head counts in the choice."""
    mixer = LatentAttention(shape["heads"], *map(jnp.asarray, LATENT), expanded_weight=jnp.asarray(expanded))
    segment = Segment(shape["sequences"], shape["tokens"], shape["past"])
    return attended(chip, formats, state, mixer, segment, 1)


class ContextAttention:
    """Prompts, causal; one of a single token is left out, which is a step to the model. Nothing is fitted on
    rows with a window."""

    name = "context_attention"
    columns = frozenset({"isl", "num_heads", "num_key_value_heads", "latency"})
    format_column, formats = "kv_cache_dtype", FORMATS
    constants = (
        Constant(PROMPT + "masked", 100.0, 1.0, 1e3, kinds=SHARED),
        Constant(PROMPT + "softmax", 30.0, 0.1, 300.0, kinds=SHARED),
        Constant(PROMPT + "sustained_fraction", 0.7, 0.1, 1.0, kinds=SHARED),
        Constant(PROMPT + "unit", 2e-6, 1e-8, 1e-4, "s", alone=True, kinds=SHARED),
        Constant(PROMPT + "start", 8e-6, 1e-7, 1e-4, "s", alone=True, kinds=SHARED),
    )

    def read(self, table: Any, machine: str) -> list[Rows]:
        table = table[table.isl > 1]
        return heads(table, machine, table.isl, 0, split=False)

    def seconds(self, chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any]) -> Any:
        return grouped(chip, formats, state, shape)


class GenerationAttention:
    """Steps of one token. Nothing is fitted on rows with a window: some kernels walk over all that is before it."""

    name = "generation_attention"
    columns = frozenset({"step", "num_heads", "num_key_value_heads", "latency"})
    format_column, formats = "kv_cache_dtype", FORMATS
    constants = (
        Constant(SINGLE + "split", 5e4, 1e3, 1e6, alone=True, kinds=EVERY),
        Constant(SINGLE + "filled", 0.4, 0.1, 4.0, kinds=EVERY),
        Constant(SINGLE + "unit", 2e-6, 1e-8, 1e-4, "s", alone=True, kinds=EVERY),
        Constant(SINGLE + "full", 1e3, 100.0, 1e5, kinds=EVERY),
        Constant(SINGLE + "longer", 0.5, 0.01, 10.0, kinds=EVERY),
        Constant(SINGLE + "element", 3e-11, 1e-13, 1e-9, "s", alone=True, kinds=EVERY),
        Constant(SINGLE + "resident", 1.4, 0.5, 8.0, alone=True, kinds=EVERY),
        Constant(SINGLE + "stream", 1.05, 0.5, 1.2, alone=True, kinds=EVERY),
        Constant(SINGLE + "start", 4e-6, 1e-8, 1e-4, "s", alone=True, kinds=EVERY),
        Constant(SINGLE + "merge", 4e-6, 1e-8, 1e-4, "s", kinds=EVERY),
        Constant(GROUP + "split", 130.0, 16.0, 4e3, kinds=SHARED),
        Constant(GROUP + "most", 8.0, 0.5, 64.0, alone=True, kinds=SHARED),
        Constant(GROUP + "unit", 3e-6, 1e-8, 1e-4, "s", alone=True, kinds=SHARED),
        Constant(GROUP + "narrow", 2.5, 0.1, 6.0, kinds=SHARED),
        Constant(GROUP + "query", 5e-10, 1e-13, 1e-8, "s", alone=True, kinds=SHARED),
        Constant(GROUP + "stream", 1.05, 0.5, 1.2, alone=True, kinds=SHARED),
        Constant(GROUP + "start", 3e-6, 1e-8, 1e-4, "s", alone=True, kinds=SHARED),
        Constant(GROUP + "short", 2e-6, 1e-8, 1e-4, "s", kinds=SHARED),
        Constant(GROUP + "merge", 5e-6, 1e-8, 1e-4, "s", alone=True, kinds=SHARED),
        Constant(GROUP + "half", 700.0, 50.0, 5e4, alone=True, kinds=SHARED),
    )

    def read(self, table: Any, machine: str) -> list[Rows]:
        return heads(table, machine, 1, table.step, split=True)

    def seconds(self, chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any]) -> Any:
        return grouped(chip, formats, state, shape)


class ContextLatent:
    """Prompts over latents, with keys and values of each head, which have two bytes whatever is cached; nothing is
    fitted on them."""

    name = "context_mla"
    columns = frozenset({"isl", "num_heads", "tp_size", "latency"})
    format_column, formats = "kv_cache_dtype", dict.fromkeys(FORMATS, FORMATS[WIDE])
    constants = ()

    def read(self, table: Any, machine: str) -> list[Rows]:
        table = table[table.isl > 1]
        return latents(table, machine, table.isl, 0, self.formats)

    def seconds(self, chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any]) -> Any:
        return latent(chip, formats, state, shape, 0.0)


class GenerationLatent:
    """Steps of one token over latents that all heads share; nothing is fitted on them."""

    name = "generation_mla"
    columns = frozenset({"step", "num_heads", "tp_size", "latency"})
    format_column, formats = "kv_cache_dtype", FORMATS
    constants = ()

    def read(self, table: Any, machine: str) -> list[Rows]:
        return latents(table, machine, 1, table.step, self.formats)

    def seconds(self, chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any]) -> Any:
        return latent(chip, formats, state, shape, 1e9)
