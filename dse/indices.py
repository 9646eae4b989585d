"""Whose doubt an answer's doubt is: Sobol's indices, from any function of points of the unit cube.

The variance of an answer is parted by its inputs: the first-order index of an input is the share that would go if it
alone were known, the total index the share that would stay if all others were. [Saltelli et al., Computer Physics
Communications 181, 2010]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from dse.draws import sobol

Answers = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Indices:
    """Of one answer: indices and their standard errors by group of inputs, and the answers they are from.

    first, total, error : [groups]; values : [draws], of the first half of the sample.
    """

    first: np.ndarray
    total: np.ndarray
    error: np.ndarray
    values: np.ndarray


def indices(answers: Answers, groups: Sequence[Sequence[int]], count: int, seed: int) -> dict[str, Indices]:
    """Sobol's indices of every answer by group of columns; `answers` takes points [rows, columns] within 0 and 1.

    count : a power of two; the model is asked count * (groups + 2) times. An answer that does not move has indices
    of 0.
    """
    dimensions = 1 + max(column for group in groups for column in group)
    both = sobol(count, 2 * dimensions, seed)
    one, other = both[:, :dimensions], both[:, dimensions:]
    mixed = [_mixed(one, other, group) for group in groups]
    found = answers(np.concatenate([one, other, *mixed]))
    return {name: _parted(values.reshape(len(groups) + 2, count), seed) for name, values in found.items()}


def _mixed(one: np.ndarray, other: np.ndarray, group: Sequence[int]) -> np.ndarray:
    """The first sample with some columns of the second."""
    mixed = one.copy()
    mixed[:, list(group)] = other[:, list(group)]
    return mixed


def _parted(values: np.ndarray, seed: int) -> Indices:
    """From values [groups + 2, draws]."""
    groups = len(values) - 2
    size = np.max(np.abs(values))
    if not np.isfinite(values).all() or np.ptp(values[:2]) <= 1e-9 * size:
        nothing = np.full(groups, 0.0 if np.isfinite(values).all() else np.nan)
        return Indices(nothing, nothing, nothing, values[0])
    func = {"f_A": values[None, 0], "f_B": values[None, 1], "f_AB": values[2:, None]}
    found = stats.sobol_indices(func=func, n=values.shape[1], rng=seed)
    spread = found.bootstrap(confidence_level=0.68, n_resamples=200)
    low, high = spread.first_order.confidence_interval
    return Indices(np.ravel(found.first_order), np.ravel(found.total_order), np.ravel(high - low) / 2, values[0])
