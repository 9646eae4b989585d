"""AIConfigurator: time per output token of Llama 3.1 70B, FP8, on H100, from the measurements in its package."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from aiconfigurator.sdk import common, config, models
from aiconfigurator.sdk.backends.factory import get_backend
from aiconfigurator.sdk.inference_session import InferenceSession
from aiconfigurator.sdk.perf_database import get_database
from timing import finish, row

STACK = "trtllm"
STEP = 2  # output tokens of which the second is one step of decoding
DEGREES = [2, 4, 8]
LOADS = [(batch, context) for context in range(1024, 4096, 97) for batch in range(1, 97, 3)]
OTHERS = [(batch + 1, context + 1) for batch, context in LOADS]
WARM = [(batch + 2, 1000) for batch, _ in LOADS[:100]]


def session(tensor: int) -> InferenceSession:
    """The model over so many devices."""
    database = get_database("h100_sxm", STACK, "current")
    chosen = config.ModelConfig(
        tp_size=tensor,
        gemm_quant_mode=common.GEMMQuantMode.fp8,
        kvcache_quant_mode=common.KVCacheQuantMode.fp8,
        fmha_quant_mode=common.FMHAQuantMode.fp8,
    )
    model = models.get_model("meta-llama/Meta-Llama-3.1-70B", chosen, STACK)
    return InferenceSession(model, database, get_backend(STACK))


def load(batch: int, context: int) -> Any:
    return config.RuntimeConfig(batch_size=batch, isl=context, osl=STEP)


def milliseconds(asked: InferenceSession, given: tuple[int, int]) -> float:
    return asked.run_static_latency_only(load(*given), "static_gen")


def summary(asked: InferenceSession, given: tuple[int, int]) -> Any:
    return asked.run_static(load(*given), "static_gen").get_summary_df()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    eight = session(8)
    for given in WARM:
        milliseconds(eight, given)
        summary(eight, given)
    for tensor in DEGREES:
        milliseconds(session(tensor), WARM[0])
    finish(
        [
            row("one step of the model, a load not asked before", lambda one: milliseconds(eight, one), LOADS),
            row("the same with memory and throughput, as a table", lambda one: summary(eight, one), OTHERS),
            row(
                "one step, the model built anew for its tensor degree",
                lambda tensor: milliseconds(session(tensor), LOADS[0]),
                DEGREES * 60,
            ),
        ],
        ["aiconfigurator", "aiconfigurator-core"],
    )
