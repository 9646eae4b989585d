"""Coordinates of designs for slopes: the logarithm of a size from 0 to 1, and the mixture of a choice's options."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from dse.problem.space import Files, Interval, Space, Values


@dataclass(frozen=True)
class Size:
    """A number from `low` to `high` as a coordinate from 0 to 1, by its logarithm where it is above 0."""

    parameter: Values | Interval

    @property
    def width(self) -> int:
        return 1

    @property
    def log(self) -> bool:
        return self.parameter.ends()[0] > 0

    @property
    def span(self) -> float:
        """By how much the number, or its logarithm, grows from 0 to 1."""
        low, high = self.parameter.ends()
        return math.log(high / low) if self.log else high - low

    def points(self, codes: np.ndarray) -> np.ndarray:
        """Coordinates [designs, 1] of codes."""
        return self._places(self.parameter.values(codes))[:, None]

    def _places(self, numbers: np.ndarray) -> np.ndarray:
        low = self.parameter.ends()[0]
        grown = np.log(numbers / low) if self.log else numbers - low
        return grown / self.span if self.span else np.zeros(len(numbers))

    def codes(self, points: np.ndarray) -> np.ndarray:
        """The codes [designs] nearest to coordinates [designs, 1]."""
        if isinstance(self.parameter, Values):
            listed = self._places(np.array(self.parameter.numbers))
            return np.abs(points - listed).argmin(axis=1).astype(float)
        low, high = self.parameter.ends()
        numbers = low * np.exp(points[:, 0] * self.span) if self.log else low + points[:, 0] * self.span
        return np.clip(np.round(numbers) if self.parameter.whole else numbers, low, high)

    def rates(self, codes: np.ndarray) -> np.ndarray:
        """By how much the numbers of codes grow with their coordinate, [designs]."""
        return self.span * (self.parameter.values(codes) if self.log else np.ones(len(codes)))

    def nearest(self, points: np.ndarray) -> np.ndarray:
        """The points between 0 and 1 that are nearest to any."""
        return np.clip(points, 0.0, 1.0)


@dataclass(frozen=True)
class Mixture:
    """A choice of files as the shares of its options, which are not below 0 and sum to 1."""

    parameter: Files

    @property
    def width(self) -> int:
        return self.parameter.size

    def points(self, codes: np.ndarray) -> np.ndarray:
        """Shares [designs, options] of codes: all of the option chosen."""
        return np.eye(self.width)[codes.astype(int)]

    def codes(self, points: np.ndarray) -> np.ndarray:
        """The options [designs] with the largest shares."""
        return points.argmax(axis=1).astype(float)

    def nearest(self, points: np.ndarray) -> np.ndarray:
        """The shares that are nearest to any numbers [designs, options]: all less one amount, none below 0."""
        ordered = -np.sort(-points, axis=1)
        excess = (ordered.cumsum(axis=1) - 1) / np.arange(1, self.width + 1)
        kept = (ordered > excess).sum(axis=1) - 1
        return np.maximum(points - excess[np.arange(len(points)), kept][:, None], 0.0)


class Coordinates:
    """The coordinates of all parameters of a space, side by side; `parts` says which columns are a parameter's."""

    def __init__(self, space: Space) -> None:
        self.axes = [Mixture(p) if isinstance(p, Files) else Size(p) for p in space.parameters]
        ends = np.cumsum([0, *(axis.width for axis in self.axes)])
        self.parts = [slice(int(first), int(last)) for first, last in itertools.pairwise(ends)]
        self.width = int(ends[-1])

    def points(self, designs: np.ndarray) -> np.ndarray:
        """Points [designs, coordinates] of designs [designs, parameters]."""
        return np.concatenate([axis.points(designs[:, i]) for i, axis in enumerate(self.axes)], axis=1)

    def spread(self, drawn: np.ndarray) -> np.ndarray:
        """Points of numbers from 0 to 1, one for each parameter, [designs, parameters]: sizes as they are, an equal
        share of them for each option."""
        found = []
        for axis, share in zip(self.axes, drawn.T, strict=True):
            found.append(share[:, None] if isinstance(axis, Size) else axis.points(np.floor(share * axis.width)))
        return np.concatenate(found, axis=1)

    def designs(self, points: np.ndarray) -> np.ndarray:
        """The designs that points are rounded to."""
        found = [axis.codes(points[:, part]) for axis, part in zip(self.axes, self.parts, strict=True)]
        return np.stack(found, axis=1)

    def nearest(self, points: np.ndarray) -> np.ndarray:
        """The points of the space that are nearest to any: the projection of a step that has left it."""
        found = [axis.nearest(points[:, part]) for axis, part in zip(self.axes, self.parts, strict=True)]
        return np.concatenate(found, axis=1)
