"""Inferscape, one call at a time: Llama 3.1 70B, FP8, on eight H100, compiled before."""

from __future__ import annotations

from typing import Any

import jax
from timing import finish, row

from dse.evaluation.batches import best_of_one
from dse.evaluation.grids import grids, own_fanouts
from dse.evaluation.mapping import Wanted
from dse.problem.template import template
from dse.run.precision import arrays

MACHINE = ("hw=dgx_h100", "model=llama3_1_70b", "format=fp8", "serving=chat")
ONE = Wanted("time_per_output_token", tensor=8, pipeline=1, sequence=1, attention_data=1, expert=1, batch=32)
ALL = Wanted("time_per_output_token")


def timed(what: str, wanted: Wanted, calls: int) -> Any:
    candidate = template(MACHINE).candidate
    choices, one = grids([candidate], own_fanouts(candidate), wanted), arrays(candidate)

    def work(_: int) -> Any:
        return jax.block_until_ready(best_of_one(one, choices, wanted))

    work(0)
    return row(what.format(choices.own.size), work, range(calls))


if __name__ == "__main__":
    rows = [timed("one design, one mapping, by itself", ONE, 1000)]
    rows += [timed("one design, the best of {} mappings, by itself", ALL, 200)]
    finish(rows, ["inferscape", "jax"])
