"""Measured attention: prompts, steps, and both over latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dse.operator_families import Constant, Rows
from hw.chip import Chip, Placement
from hw.heat import State
from models.attention import GroupedQueryAttention
from models.batch import Batch, Segment
from models.latent import LatentAttention
from models.mixer import Mixer
from models.numerics import Formats
from models.operators import CacheProduct, Elementwise
from models.parallelism import Cut

HERE = Placement(0.0, 0.0)
HIDDEN = 4096.0  # of the projections around, which are not timed
LATENT = {"query_rank": 1536.0, "latent_rank": 512.0, "plain_dim": 128.0, "rotary_dim": 64.0, "value_dim": 128.0}
FEWEST = 2  # tokens of a prompt; one is a step of decoding to the model
MOST_SHARED = 32  # query heads that share keys; libraries have no good kernel for more
KERNEL = "engine.kernels.attention"
FORMATS = {"bfloat16": "bf16", "fp8": "fp8"}


def attended(chip: Chip, formats: Formats, state: State, mixer: Mixer, segment: Segment) -> Any:
    """Seconds of the products with the cache and of the rotation before them, in which libraries leave the cache."""
    operators = mixer.work(HIDDEN, Batch((segment,), 1.0), Cut()).operators
    products = [one for one in operators if isinstance(one, CacheProduct)]
    around: Elementwise = operators[operators.index(products[0]) - (2 if isinstance(mixer, LatentAttention) else 1)].around
    turned = chip.vector.apart(around, formats.exchange.bytes, chip.bandwidth(HERE.cache, state), state.logic)
    return turned.start + turned.time + sum(chip.run(one, formats, HERE, state).total for one in products)
