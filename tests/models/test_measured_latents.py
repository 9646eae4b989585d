"""A decode step of absorbed latent attention against measured kernels, on the shipped machine that has their chip."""

from __future__ import annotations

import csv
import gzip

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from machines import candidate

from dse.configuration.measured import folder
from hw.chip import Placement
from models.batch import Batch, Segment
from models.latent import LatentAttention
from models.operators import CacheProduct
from models.parallelism import Cut

TABLE = folder() / "operators" / "h100_sxm__generation_mla__trtllm_1.3.0rc20.csv.gz"
ROWS = 60
LARGE = 20_000  # tokens in the caches, above which launching a kernel no longer counts


def rows() -> list[dict[str, str]]:
    if not TABLE.is_file():
        pytest.skip(f"{TABLE} is not there; name its folder in INFERSCAPE_DATA")
    with gzip.open(TABLE, "rt", newline="") as file:
        found = [row for row in csv.DictReader(file) if row["kv_cache_dtype"] == "bfloat16"]
    large = [row for row in found if int(row["batch_size"]) * int(row["step"]) > LARGE]
    return [large[index] for index in np.random.default_rng(0).choice(len(large), ROWS, replace=False)]


def test_steps_take_as_long_as_measured() -> None:
    """The median is within 25 %: nothing is fitted to these rows, and two libraries' kernels differ by as much. It is
    the one fetch of the latents that is held here: two would take twice as long."""
    found = candidate("hw=dgx_h100", "format=bf16")
    chip, state = found.hw.chip, found.hw.chip.settle(found.format)

    @jax.jit
    def seconds(heads: jax.Array, past: jax.Array, sequences: jax.Array) -> jax.Array:
        mixer = LatentAttention(heads, 1536.0, 512.0, 128.0, 64.0, 128.0)
        operators = mixer.work(7168.0, Batch((Segment(sequences, 1.0, past),), sequences), Cut()).operators
        products = [one for one in operators if isinstance(one, CacheProduct)]
        return sum((chip.run(one, found.format, Placement(0.0, 0.0), state).total for one in products), jnp.zeros(()))

    ratios = []
    for row in rows():
        shape = (float(row["num_heads"]), float(row["step"]), float(row["batch_size"]))
        ratios.append(float(seconds(*shape)) / (float(row["latency"]) * 1e-3))
    assert 0.75 < np.median(ratios) < 1.25
