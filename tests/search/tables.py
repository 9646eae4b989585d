"""Spaces that the model has answered once and for all, so that hundreds of searches ask a table."""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from spaces import Asked

from dse.configuration.compose import compose, plain
from dse.evaluation.goals import Columns, Goals
from dse.evaluation.mapping import Grid
from dse.problem.listing import Answers
from dse.problem.problem import Problem
from dse.problem.session import read_wanted
from dse.problem.space import Space
from dse.search.aims import slope_names
from dse.search.enumerate import Asked as Every
from dse.search.enumerate import Chunks

ROOT = Path(__file__).resolve().parent.parent.parent
CHUNK = 262144
BATCH = 128
SLOPED = 8192  # designs whose slopes are taken one after the other


@dataclass(frozen=True)
class Table:
    """A question whose every answer is known.

    has : which parameters each structure has, [*files, parameters]; designs : those that differ, [rows, parameters],
    and columns : the answers about them, [rows]; at : the row of each design as it is written, -1 where it is not
    canonical; rates : slopes, [rows, coordinates], or none.
    """

    space: Space
    goals: Goals
    has: np.ndarray
    designs: np.ndarray
    columns: dict[str, np.ndarray]
    at: np.ndarray
    rates: dict[str, np.ndarray] = field(default_factory=dict)

    def wanting(self, objective: str) -> Table:
        """The same designs with one of the objectives alone."""
        return replace(self, goals=Goals({objective: self.goals.objectives[objective]}, self.goals.constraints))

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        rests = np.array([parameter.rest for parameter in self.space.parameters])
        return np.where(self.has[tuple(self.space.structures(designs).T)], designs, rests)

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        return tuple(self.has[tuple(structure)].tolist())

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        rows = self._rows(designs)
        return {name: values[rows] for name, values in self.columns.items()}

    def slopes(self, designs: np.ndarray, columns: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Slopes of the named answers along the coordinates of the space, [designs, coordinates]."""
        rows = self._rows(designs)
        return {name: self.rates[name][rows].astype(float) for name in names}

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Different designs [count, parameters], uniform among all."""
        return self.designs[random.choice(len(self.designs), min(count, len(self.designs)), replace=False)]

    def _rows(self, designs: np.ndarray) -> np.ndarray:
        rows = self.at[_written(self.space, designs)]
        assert (rows >= 0).all(), "a search asked about a design that is not canonical"
        return rows


def _written(space: Space, designs: np.ndarray) -> np.ndarray:
    """The number of each design among all that can be written, the last parameter fastest."""
    shape = tuple(int(parameter.size) for parameter in space.parameters)
    return np.ravel_multi_index(tuple(designs.astype(int).T), shape)


def tabulate(given: Asked) -> Table:
    """The model's answers about every design of a space."""
    config = plain(compose(list(given.overrides)))
    goals = Goals.read(config["objectives"])
    space = config["space"] if given.space is None else given.space
    problem = Problem(given.overrides, space, read_wanted(config["mapping"]), BATCH)
    asked = Every(tuple(goals.objectives.items()), goals.constraints, CHUNK, False, True)
    chunks = Chunks(problem, asked)
    found = [_mapped(problem, chunks.answers(number)) for number in range(len(chunks.listed))]
    designs = np.concatenate([part for part, _ in found])
    names = [*slope_names(goals), "legal", *(f"mapping.{name}" for name in Grid._fields)]
    columns = {name: np.concatenate([part[name] for _, part in found]) for name in names}
    at = np.full(int(problem.space.size), -1, dtype=np.int32)
    at[_written(problem.space, designs)] = np.arange(len(designs))
    rates = _rates(problem, designs, columns, slope_names(goals)) if given.sloped else {}
    kept = {name: values for name, values in columns.items() if not name.startswith("mapping.")}
    return Table(problem.space, goals, _has(problem), designs, kept, at, rates)


def _mapped(problem: Problem, answers: Answers) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Designs of one structure and their answers, the mappings among them."""
    designs, columns, complete, places = answers
    if complete:
        return designs, columns
    own = problem.kind_at(problem.space.structures(designs[:1])[0]).grid.own
    return designs, columns | {
        f"mapping.{name}": np.asarray(values, float)[places] for name, values in own._asdict().items()
    }


def _rates(problem: Problem, designs: np.ndarray, columns: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Slopes of all designs, in single precision, which is enough to follow them."""
    parts = np.split(np.arange(len(designs)), range(SLOPED, len(designs), SLOPED))
    own = ({name: values[rows] for name, values in columns.items()} for rows in parts)
    found = [problem.slopes(designs[rows], part, names) for rows, part in zip(parts, own, strict=True)]
    return {name: np.concatenate([part[name] for part in found]).astype(np.float32) for name in names}


def _has(problem: Problem) -> np.ndarray:
    """Which parameters each structure has, [*files, parameters]."""
    sizes = [choice.size for choice in problem.space.files]
    has = [problem.present(structure) for structure in itertools.product(*map(range, sizes))]
    return np.array(has).reshape(*sizes, len(problem.space.parameters))


def kept_table(name: str, given: Asked) -> Table:
    """The same; with INFERSCAPE_TABLES naming a folder it is kept there for as long as the model's files stay as they
    are."""
    folder = os.environ.get("INFERSCAPE_TABLES")
    if not folder:
        return tabulate(given)
    path = Path(folder) / f"{name}-{_state(repr(given))}.pickle"
    if path.is_file():
        return pickle.loads(path.read_bytes())
    table = tabulate(given)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(table))
    return table


def _state(words: str) -> str:
    """A short name for the model as its files are."""
    digest = hashlib.sha256(words.encode())
    for group, ending in (("models", "py"), ("hw", "py"), ("dse", "py"), ("conf", "yaml")):
        for path in sorted((ROOT / group).rglob(f"*.{ending}")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
