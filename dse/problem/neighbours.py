"""Designs one step beside a design: the next number of one parameter, or another file of one choice."""

from __future__ import annotations

import math

import numpy as np

from dse.problem.space import Files, Interval, Parameter, Space

BESIDE = 0.05  # of an interval, or of its logarithm


def neighbours(space: Space, design: np.ndarray) -> np.ndarray:
    """Designs that differ from one in one parameter, by as little as can be, [designs, parameters]."""
    found = []
    for column, parameter in enumerate(space.parameters):
        for code in beside(parameter, float(design[column])):
            other = design.copy()
            other[column] = code
            found.append(other)
    return np.stack(found) if found else np.zeros((0, len(design)))


def beside(parameter: Parameter, code: float) -> list[float]:
    """The codes next to one: any other file; the next numbers; a twentieth of an interval to both sides."""
    if isinstance(parameter, Files):
        return [float(option) for option in range(parameter.size) if option != code]
    if isinstance(parameter, Interval):
        return _within(parameter, code)
    order = np.argsort(parameter.numbers, kind="stable")
    at = int(np.flatnonzero(order == int(code))[0])
    return [float(order[to]) for to in (at - 1, at + 1) if 0 <= to < parameter.size]


def _within(parameter: Interval, code: float) -> list[float]:
    low, high = parameter.ends()
    far = (high / low) ** BESIDE if parameter.log else (high - low) * BESIDE
    sides = [code / far, code * far] if parameter.log else [code - far, code + far]
    if parameter.whole:
        sides = [min(math.floor(sides[0]), code - 1), max(math.ceil(sides[1]), code + 1)]
    return [float(side) for side in np.clip(sides, low, high) if side != code]
