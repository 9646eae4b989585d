"""A decode step of absorbed latent attention against measured kernels, on the shipped machine that has their chip."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest
from counting import step
from machines import candidate

from dse.measured import folder
from hw.chip import Placement
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
    measured = rows()
    found = candidate("hw=dgx_h100", "format=bf16")
    chip, state = found.hw.chip, found.hw.chip.settle(found.format)
    ratios = []
    for row in measured:
        mixer = LatentAttention(float(row["num_heads"]), 1536.0, 512.0, 128.0, 64.0, 128.0)
        work = mixer.work(7168.0, step(float(row["step"]) + 1, float(row["batch_size"])), Cut())
        seconds = 0.0
        for one in work.operators:
            if isinstance(one, CacheProduct):
                seconds += float(chip.run(one, found.format, Placement(0.0, 0.0), state).total)
        ratios.append(seconds / (float(row["latency"]) * 1e-3))
    assert 0.75 < np.median(ratios) < 1.25
