"""The places of designs on lines, one for each parameter, where near means alike."""

from __future__ import annotations

import math

import numpy as np

from dse.problem.space import Files, Interval, Parameter, Space, Values


class Lines:
    """Files by their code, numbers in order of size, intervals evenly or by their logarithm.

    low, high : the ends of each line; files, intervals : which parameters are such; all [parameters].
    """

    def __init__(self, space: Space) -> None:
        self.parameters = space.parameters
        ends = np.array([_ends(parameter) for parameter in space.parameters]).reshape(-1, 2)
        self.low, self.high = ends[:, 0], ends[:, 1]
        self.files = np.array([isinstance(parameter, Files) for parameter in space.parameters], dtype=bool)
        self.intervals = np.array([isinstance(parameter, Interval) for parameter in space.parameters], dtype=bool)

    def places(self, designs: np.ndarray) -> np.ndarray:
        """Places of designs, both [designs, parameters]."""
        columns = [_placed(p, designs[:, i]) for i, p in enumerate(self.parameters)]
        return np.stack(columns, axis=1) if columns else designs.copy()

    def designs(self, places: np.ndarray) -> np.ndarray:
        """The nearest designs to places, both [designs, parameters]."""
        inside = np.clip(places, self.low, self.high)
        columns = [_coded(p, inside[:, i]) for i, p in enumerate(self.parameters)]
        return np.stack(columns, axis=1) if columns else inside


def _ends(parameter: Parameter) -> tuple[float, float]:
    if not isinstance(parameter, Interval):
        return 0.0, parameter.size - 1.0
    return (math.log(parameter.low), math.log(parameter.high)) if parameter.log else parameter.ends()


def _placed(parameter: Parameter, codes: np.ndarray) -> np.ndarray:
    if isinstance(parameter, Values):
        return np.argsort(np.argsort(parameter.numbers))[codes.astype(int)].astype(float)
    if isinstance(parameter, Interval) and parameter.log:
        return np.log(codes)
    return codes.astype(float)


def _coded(parameter: Parameter, places: np.ndarray) -> np.ndarray:
    if isinstance(parameter, Values):
        return np.argsort(parameter.numbers)[np.round(places).astype(int)].astype(float)
    if isinstance(parameter, Files):
        return np.round(places)
    numbers = np.clip(np.exp(places) if parameter.log else places, parameter.low, parameter.high)
    return np.round(numbers) if parameter.whole else numbers
