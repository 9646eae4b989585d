"""Where a search is computed: in this process, or on workers that are given the problem as a recipe."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from dse.configuration.compose import beside, conf_folder, own_folders
from dse.evaluation.mapping import Wanted
from dse.problem.archive import Question
from dse.problem.problem import Problem
from dse.uncertainty.robust import ALONE, Robust

Asked = Callable[[Any, Any], Any]  # of a question and an item; a function of a module, so that workers know it
ONE_AT_A_TIME = threading.Lock()  # Hydra's search path is one for the whole process


class Workers(Protocol):
    """Those who answer. They hold no state that matters: any may stop, and another one answers instead."""

    @property
    def count(self) -> int:
        """How many there are, at least 1."""
        ...

    def each(self, question: Any, function: Asked, items: Iterable[Any]) -> Iterator[Any]:
        """`function(question, item)` for each item, in the order of the items, with few under way at a time.

        question : a recipe, or a small question that can be pickled.
        """
        ...


@dataclass(frozen=True)
class Recipe:
    """What a worker makes a problem from, once: text and numbers, no compiled or composed thing."""

    overrides: tuple[str, ...]
    space: str  # as JSON
    wanted: Wanted
    batch: int
    folders: tuple[str, ...]  # of own configurations, which workers see under the same path
    version: str  # of everything that answers depend on

    @classmethod
    def of(cls, problem: Problem) -> Recipe:
        """The recipe of a problem that was made in the running application."""
        folders = tuple(str(folder.resolve()) for folder in own_folders())
        space = json.dumps(problem.written)
        return cls(tuple(problem.overrides), space, problem.wanted, problem.batch, folders, version())

    @contextlib.contextmanager
    def open(self) -> Iterator[Problem]:
        """The problem, with the configurations that it composes within reach."""
        with beside([Path(folder) for folder in self.folders]):
            yield _made(self)


@functools.lru_cache(maxsize=2)
def _made(recipe: Recipe) -> Problem:
    if recipe.version != version():
        raise ValueError(
            f"scale: a worker ({Path(__file__).parents[1]}) has another version of this program, its configurations, "
            "JAX or NumPy than the search; give all of them the same"
        )
    return Problem(recipe.overrides, json.loads(recipe.space), recipe.wanted, recipe.batch)


@functools.cache
def version() -> str:
    """Source, configurations and numerical libraries, in a few letters."""
    code = Path(__file__).resolve().parents[2]
    sources = [path for part in ("dse", "hw", "models") for path in (code / part).rglob("*.py")]
    found = hashlib.sha256(f"{jax.__version__} {np.__version__}".encode())
    for path in sorted(sources) + sorted(conf_folder().rglob("*.yaml")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def answer(question: Any, function: Asked, item: Any) -> Any:
    """What a worker does: `function` of the problem that the recipe makes, and of the item."""
    with ONE_AT_A_TIME, question.open() if isinstance(question, Recipe) else contextlib.nullcontext(question) as asked:
        return function(asked, item)


class Spread:
    """A question whose batches are answered by workers; all but the answering is the question's own.

    A batch is cut into one share for each worker. Workers compile for a share, not for a batch: a batch is padded to
    the size that is compiled, and padding is computed too.
    """

    def __init__(self, question: Question, workers: Workers) -> None:
        if isinstance(question, Robust):
            raise ValueError(ALONE)
        self.question, self.workers = question, workers
        self._sent: Any = Recipe.of(question) if isinstance(question, Problem) else question

    def __getattr__(self, name: str) -> Any:
        if name in ("question", "workers"):  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.question, name)

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        """Answers about designs [designs, parameters] as flat columns [designs], in shares."""
        batch = self._compiled(len(designs))
        size = batch * max(1, -(-len(designs) // (batch * self.workers.count)))
        sent = replace(self._sent, batch=batch) if isinstance(self._sent, Recipe) else self._sent
        shares = [designs[first : first + size] for first in range(0, len(designs), size)]
        parts = list(self.workers.each(sent, evaluated, shares))
        self._look_at(np.unique(self.question.space.structures(designs), axis=0))
        return joined(parts)

    def each(self, function: Asked, items: Iterable[Any]) -> Iterator[Any]:
        """`function(question, item)` for each item, in their order, on the workers."""
        self._look_at(self.question.space.every_structure())
        return self.workers.each(self._sent, function, items)

    def _compiled(self, asked: int) -> int:
        """How many designs workers answer at once: their part of the question's batch, whatever is asked."""
        return max(1, -(-getattr(self.question, "batch", asked) // self.workers.count))

    def _look_at(self, structures: Iterable[Sequence[int]]) -> None:
        """Find here what there is to be cautious about in the structures that workers look at."""
        if isinstance(self.question, Problem):
            for structure in structures:
                self.question.kind_at(structure)


def evaluated(question: Question, designs: np.ndarray) -> dict[str, np.ndarray]:
    """Answers about one share."""
    return question.evaluate(designs)


def joined(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Columns one after the other, NaN where a share has no such column."""
    names = dict.fromkeys(name for part in parts for name in part)
    sizes = [len(next(iter(part.values()))) for part in parts]
    columns = [[part.get(name, np.full(n, np.nan)) for part, n in zip(parts, sizes, strict=True)] for name in names]
    return {name: np.concatenate(values) for name, values in zip(names, columns, strict=True)}


def each(question: Any, function: Asked, items: Iterable[Any]) -> Iterator[Any]:
    """`function(question, item)` for each item, in their order: on workers where the question is spread, else here."""
    if isinstance(question, Spread):
        return question.each(function, items)
    return (function(question, item) for item in items)


@dataclass(frozen=True)
class Here:
    """One process, this one."""

    @contextlib.contextmanager
    def spread(self, question: Question) -> Iterator[Any]:
        """The question as it is."""
        yield question
