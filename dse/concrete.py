"""One design as the candidate that it stands for."""

from __future__ import annotations

import jax
import numpy as np

from dse.evaluate import Candidate
from dse.problem import Problem
from dse.space import Files
from dse.template import leaf_index


def concrete(problem: Problem, design: np.ndarray) -> Candidate:
    """The candidate of a design: its structure, with the numbers of the design in their places."""
    found = problem.template(problem.space.structures(design[None])[0])
    leaves, shape = jax.tree.flatten(found.candidate)
    for parameter, code in zip(problem.space.parameters, design, strict=True):
        if not isinstance(parameter, Files) and problem.active(found, parameter.key):
            leaves[leaf_index(found.candidate, parameter.key)] = parameter.number(float(code))
    return jax.tree.unflatten(shape, leaves)
