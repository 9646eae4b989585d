"""The one place that batches: stacked candidates under their best mappings, and answers as columns."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

import jax
import numpy as np

from dse.evaluation.evaluate import Candidate
from dse.evaluation.grids import Grids
from dse.evaluation.mapping import GOODPUT, Wanted
from dse.evaluation.metrics import Answer, more_is_better
from dse.evaluation.ready import best_of
from dse.evaluation.step import in_loops

ROWS = 256  # candidates of a call of `under_own`
QUICK = {"xla_backend_optimization_level": 0}  # of programs that run for milliseconds: compiled in half the time


@functools.partial(jax.jit, static_argnames=("wanted", "varied"))
def best_of_each(candidates: Candidate, choices: Grids, wanted: Wanted, varied: tuple[bool, ...]) -> Answer:
    """The answers about stacked candidates, each under its best mapping.

    varied : which leaves are arrays [candidates]; the others are shared by all, and so is what depends on them alone.
    """
    axes = jax.tree.unflatten(jax.tree.structure(candidates), [0 if varies else None for varies in varied])
    return jax.vmap(lambda candidate: best_of(candidate, choices, wanted), in_axes=(axes,))(candidates)


@functools.partial(jax.jit, static_argnames="wanted", compiler_options=QUICK)
def under_own(candidates: Candidate, choices: Grids, wanted: Wanted) -> Answer:
    """The answers about stacked candidates, each leaf [rows], each under the best of its own mappings [rows, mappings].

    Calls of `ROWS` candidates and one mapping each share a program: points of a front, and machines drawn about them.
    """
    with in_loops():
        return jax.vmap(lambda candidate, own: best_of(candidate, own, wanted))(candidates, choices)


@functools.partial(jax.jit, static_argnames="wanted")
def best_of_one(candidate: Candidate, choices: Grids, wanted: Wanted) -> Answer:
    """The answer about one candidate under its best mapping."""
    with in_loops():
        return best_of(candidate, choices, wanted)


def first_row(columns: Mapping[str, np.ndarray], rows: np.ndarray, wanted: Wanted) -> int:
    """Which of the rows, each a mapping of one design, comes first in the order of `dse.evaluation.mapping.best`."""
    sign = -1.0 if more_is_better(wanted.objective) else 1.0
    illegal, wished = 1.0 - columns["legal"].astype(float), sign * columns[f"metrics.{wanted.objective}"]
    limits = [np.maximum(0.0, -columns[f"headroom.{name}"]) for name in ("memory", "latency")]
    keys = (illegal, wished, *limits) if wanted.objective in GOODPUT else (illegal, *limits, wished)
    return int(np.lexsort([key[rows] for key in reversed(keys)])[0])


def padded(rows: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows in parts of at most `size`, and each part filled up to it by its first row: one shape, one program."""
    for part in np.split(rows, range(size, len(rows), size)):
        yield part, np.concatenate([part, np.repeat(part[:1], size - len(part))])


def significant(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns to seven significant digits: what differs only by rounding, or by how far a clock that fell to a power
    limit has settled, is equal, and wins nothing."""
    rounded = {}
    for name, values in columns.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            size = 10.0 ** (6 - np.floor(np.log10(np.abs(values.astype(float)))))
            exact = np.round(values * size) / size
        rounded[name] = np.where(np.isfinite(exact), exact, values)
    return rounded


def flat(answer: Answer) -> dict[str, np.ndarray]:
    """An answer as columns: `metrics.power`, `mapping.tensor`, `legal`."""
    columns: dict[str, np.ndarray] = {}
    for section in vars(answer):
        part = getattr(answer, section)
        if hasattr(part, "__dataclass_fields__"):
            columns |= {f"{section}.{name}": np.asarray(getattr(part, name)) for name in part.__dataclass_fields__}
        elif part is not None:
            columns[section] = np.asarray(part)
    return columns
