"""The designs of one structure one by one, and answers about designs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dse.problem.archive import Question
from dse.problem.space import Files, Space


class Answers(NamedTuple):
    """Designs [designs, parameters], columns of answers, whether those are all that there are, and the places of the
    best mappings in the grid where they are not."""

    designs: np.ndarray
    columns: dict[str, np.ndarray]
    complete: bool
    places: np.ndarray

    def of(self, rows: np.ndarray) -> Answers:
        """The answers about some of the designs."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Answers(self.designs[rows], columns, self.complete, self.places[rows])


@dataclass(frozen=True, eq=False)
class Listing:
    """All designs of one structure, in chunks. files : the codes of the structure."""

    question: Question
    files: Sequence[int]
    chunk: int

    @property
    def chunks(self) -> list[int]:
        """Where each chunk begins."""
        return list(range(0, int(np.prod([len(c) for c in self._codes()], dtype=float)), self.chunk))

    def _codes(self) -> list[np.ndarray]:
        return [np.arange(self.question.space.parameters[column].size) for column in self._columns()]

    def _columns(self) -> list[int]:
        """Of the numbers that the structure has."""
        pairs = zip(self.question.space.parameters, self.question.present(self.files), strict=True)
        return [i for i, (parameter, has) in enumerate(pairs) if has and not isinstance(parameter, Files)]

    def answers(self, first: int) -> Answers:
        """Answers about the designs of one chunk."""
        shape = [len(codes) for codes in self._codes()]
        index = np.arange(first, min(first + self.chunk, int(np.prod(shape, dtype=float))))
        designs = resting(self.question.space, self.files, len(index))
        for column, codes in zip(self._columns(), np.unravel_index(index, shape) if shape else (), strict=True):
            designs[:, column] = codes
        return Answers(designs, self.question.evaluate(designs), True, np.zeros(len(index), int))


def resting(space: Space, files: Sequence[int], count: int) -> np.ndarray:
    """So many designs of a structure with every number at rest."""
    codes = [files[i] if isinstance(p, Files) else p.rest for i, p in enumerate(space.parameters)]
    return np.tile(np.array(codes, dtype=float), (count, 1))
