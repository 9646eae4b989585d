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

from dse.uncertainty.draws import even

STILL = 1e-9  # of its size that an answer moves by at most, where nothing moves it
Answers = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Indices:
    """Of one answer: indices by group of inputs with their standard errors, and the answers that they are from.

    first, total, error : [groups], the error that of the total; values : [draws], of the first sample.
    """

    first: np.ndarray
    total: np.ndarray
    error: np.ndarray
    values: np.ndarray


def indices(
    answers: Answers, names: Sequence[str], groups: Sequence[Sequence[int]], count: int, seed: int
) -> dict[str, Indices]:
    """Sobol's indices of every answer by group of columns; `answers` takes points [rows, names] within 0 and 1.

    The model is asked count * (groups + 2) times: two samples, and the first with each group's columns from the second.
    An answer that does not move has indices of 0, one that is not always a number none.
    """
    one, other = even(count, names, seed), even(count, [f"{name}, again" for name in names], seed)
    mixed = [_mixed(one, other, group) for group in groups]
    found = answers(np.concatenate([one, other, *mixed]))
    return {name: _parted(values.reshape(len(groups) + 2, count)) for name, values in found.items()}


def _mixed(one: np.ndarray, other: np.ndarray, group: Sequence[int]) -> np.ndarray:
    """The first sample with some columns of the second."""
    mixed = one.copy()
    mixed[:, list(group)] = other[:, list(group)]
    return mixed


def _parted(values: np.ndarray) -> Indices:
    """From values [groups + 2, draws]; the error is that of the total index, the variance taken as known."""
    groups, count = len(values) - 2, values.shape[1]
    known = bool(np.isfinite(values).all())
    if not known or np.ptp(values[:2]) <= STILL * np.max(np.abs(values)):
        nothing = np.full(groups, 0.0 if known else np.nan)
        return Indices(nothing, nothing, nothing, values[0])
    func = {"f_A": values[None, 0], "f_B": values[None, 1], "f_AB": values[2:, None]}
    found = stats.sobol_indices(func=func, n=count)
    moved = (values[2:] - values[0]) ** 2 / (2 * values[:2].var())
    error = moved.std(axis=1) / np.sqrt(count)
    return Indices(np.ravel(found.first_order), np.ravel(found.total_order), error, values[0])
