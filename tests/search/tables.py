"""Spaces that the model has answered once and for all, so that hundreds of searches ask a table."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dse.compose import compose, plain
from dse.goals import Goals
from dse.problem import Problem
from dse.session import read_wanted
from dse.space import Space

ROOT = Path(__file__).resolve().parent.parent.parent
CHUNK = 8192


@dataclass(frozen=True)
class Table:
    """A question whose every answer is known.

    has : which parameters each structure has, [*files, parameters]; asked : which designs are canonical, and columns :
    the answers about them, [designs as they are written].
    """

    space: Space
    goals: Goals
    has: np.ndarray
    asked: np.ndarray
    columns: dict[str, np.ndarray]

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        rests = np.array([parameter.rest for parameter in self.space.parameters])
        return np.where(self.has[tuple(self.space.structures(designs).T)], designs, rests)

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        return tuple(self.has[tuple(structure)].tolist())

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        at = np.ravel_multi_index(tuple(designs.astype(int).T), _shape(self.space))
        return {name: values[at] for name, values in self.columns.items()}

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Different designs [count, parameters], uniform among all."""
        at = random.choice(np.flatnonzero(self.asked), min(count, int(self.asked.sum())), replace=False)
        return np.stack(np.unravel_index(at, _shape(self.space)), axis=1).astype(float)


def _shape(space: Space) -> tuple[int, ...]:
    return tuple(int(parameter.size) for parameter in space.parameters)


def tabulate(overrides: Sequence[str], space: dict[str, Any] | None, batch: int = 128) -> Table:
    """The model's answers about every design of an experiment's space, or of another one."""
    config = plain(compose(list(overrides)))
    goals = Goals.read(config["objectives"])
    problem = Problem(overrides, config["space"] if space is None else space, read_wanted(config["mapping"]), batch)
    size = int(problem.space.size)
    names = [f"metrics.{n}" for n in goals.objectives] + [f"headroom.{n}" for n in goals.constraints]
    columns = {name: np.full(size, np.nan) for name in names} | {"legal": np.zeros(size, dtype=bool)}
    asked = np.zeros(size, dtype=bool)
    for first in range(0, size, CHUNK):
        designs = problem.space.designs(first, min(first + CHUNK, size))
        asked[first : first + CHUNK] = (problem.canonical(designs) == designs).all(axis=1)
    for rows in np.split(np.flatnonzero(asked), range(CHUNK, int(asked.sum()), CHUNK)):
        answers = problem.evaluate(np.stack(np.unravel_index(rows, _shape(problem.space)), axis=1).astype(float))
        for name, known in columns.items():
            known[rows] = answers[name]
    structures = np.ndindex(*(choice.size for choice in problem.space.files))
    has = np.array([problem.present(structure) for structure in structures])
    has = has.reshape(*(choice.size for choice in problem.space.files), len(problem.space.parameters))
    return Table(problem.space, goals, has, asked, columns)


def kept_table(name: str, overrides: Sequence[str], space: dict[str, Any] | None) -> Table:
    """The same; with INFERSCAPE_TABLES naming a folder it is kept there for as long as the model's files stay as they
    are."""
    folder = os.environ.get("INFERSCAPE_TABLES")
    if not folder:
        return tabulate(overrides, space)
    path = Path(folder) / f"{name}-{_state(repr((list(overrides), space)))}.pickle"
    if path.is_file():
        return pickle.loads(path.read_bytes())
    table = tabulate(overrides, space)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(table))
    return table


def _state(words: str) -> str:
    """A short name for the model as its files are."""
    digest = hashlib.sha256(words.encode())
    for group, ending in (("models", "py"), ("hw", "py"), ("conf", "yaml")):
        for path in sorted((ROOT / group).rglob(f"*.{ending}")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
