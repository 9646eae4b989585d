"""One design as the candidate that it stands for."""

from __future__ import annotations

import jax
import numpy as np

from dse.evaluation.evaluate import Candidate
from dse.problem.problem import Problem


def concrete(problem: Problem, design: np.ndarray) -> Candidate:
    """The candidate of a design: its structure, with the numbers of the design in their places."""
    structure = problem.space.structures(design[None])[0]
    leaves, shape = jax.tree.flatten(problem.template(structure).candidate)
    for column, leaf in problem.kind_at(structure).places:
        leaves[leaf] = problem.space.numbered(column).number(float(design[column]))
    return jax.tree.unflatten(shape, leaves)
