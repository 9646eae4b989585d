"""The designs of one structure as chips x systems, and their answers block by block."""

from __future__ import annotations

import functools
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from dse.configuration.spreads import leaf_paths
from dse.evaluation.batches import significant
from dse.evaluation.evaluate import Candidate
from dse.evaluation.mapping import GOODPUT, Grid, Wanted
from dse.evaluation.operations import operations
from dse.problem.lattice import SAME, Arranged, Axes, Block, Passing, arranged, chosen, settled, tabled
from dse.problem.listing import Answers, resting
from dse.problem.space import Space
from dse.run.keys import SOMETIMES
from hw.chip import Placement
from models.parallelism import Cut

CHIPS = 256  # in a block, at most
SYSTEMS = 64  # in a block, at most
ROWS = 256  # different passes that are worked out at once
OF_CHIP = ("hw.chip.",)
OF_SYSTEM = ("hw.levels.", "hw.runtime.", "hw.ownership.", "serving.", "scheduler.")
UNKNOWN = np.nan  # a number that a part must not depend on


class Part(NamedTuple):
    """Parameters that vary together: their columns in a design, their leaves, all their codes [choices, columns]."""

    columns: tuple[int, ...]
    leaves: tuple[int, ...]
    codes: np.ndarray


class Work(NamedTuple):
    """What the blocks of a chunk share: states [chips], tables [passes, chips], arranged [layouts, systems], and of
    each turn the pass of each mapping [mappings, systems]."""

    both: int
    chips: np.ndarray
    states: Any
    tables: tuple[Any, ...]
    arranged: Arranged
    rows: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Crossing:
    """All designs of one structure: what of a chip varies, what of the system around it, and the rest, one at a time.

    files : the codes of the structure; grid : the mappings; single : whether candidates are put together in single
    precision; chunk : the most designs of a chunk; every : whether mappings that no system can have are worked out too.
    """

    candidate: Candidate
    space: Space
    files: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    grid: Grid
    wanted: Wanted
    metrics: tuple[str, ...]
    single: bool
    chunk: int
    every: bool = False

    @functools.cached_property
    def parts(self) -> tuple[Part, Part, Part]:
        """Of the chip, of the system, of both."""
        paths = leaf_paths(self.candidate)
        kinds = [_kind(paths[leaf]) for _, leaf in self.places]
        found = []
        for kind in range(3):
            own = [place for place, of in zip(self.places, kinds, strict=True) if of == kind]
            sizes = [int(self.space.numbered(column).size) for column, _ in own]
            codes = np.indices(sizes).reshape(len(sizes), -1).T if own else np.zeros((1, 0))
            found.append(Part(tuple(c for c, _ in own), tuple(leaf for _, leaf in own), codes.astype(float)))
        return found[0], found[1], found[2]

    @property
    def size(self) -> int:
        """How many designs there are."""
        return int(np.prod([len(part.codes) for part in self.parts], dtype=float))

    @property
    def chunks(self) -> list[tuple[int, int, int]]:
        """Where each chunk begins: of both, of the systems, of the chips."""
        chips, systems, both = (len(part.codes) for part in self.parts)
        return list(itertools.product(range(both), range(0, systems, self.around), range(0, chips, self.inside)))

    @property
    def inside(self) -> int:
        """Chips of a chunk, at most."""
        return evenly(len(self.parts[0].codes), min(CHIPS, self.chunk))

    @property
    def around(self) -> int:
        """Systems of a chunk, at most."""
        return evenly(len(self.parts[1].codes), max(1, self.chunk // self.inside))

    @property
    def beside(self) -> int:
        """Systems of a block, at most."""
        return evenly(self.around, SYSTEMS)

    def answers(self, chunk: tuple[int, int, int]) -> Answers:
        """Answers about the designs of one chunk."""
        both, system, chip = chunk
        chips, systems, _ = self.parts
        at_chips = np.arange(chip, min(chip + self.inside, len(chips.codes)))
        at_systems = np.arange(system, min(system + self.around, len(systems.codes)))
        work = self._worked(both, system, chip)
        firsts = range(0, len(at_systems), self.beside)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            found = list(threads.map(lambda first: self._block(work, at_systems, at_chips, first), firsts))
        columns = {name: np.concatenate([one[1][name] for one in found]) for name in found[0][1]}
        designs = self._designs(both, at_systems, at_chips)
        return Answers(designs, significant(columns), False, np.concatenate([one[0] for one in found]))

    def _block(
        self, work: Work, systems: np.ndarray, chips: np.ndarray, first: int
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Of some systems of a chunk: the places of the best mappings, and the answers, each [systems * chips]."""
        index = np.arange(first, first + self.beside).clip(max=len(systems) - 1)
        place, columns = chosen(*self._asked(work, systems[index], index))
        kept = min(self.beside, len(systems) - first), len(chips)

        def flat(leaf: Any) -> np.ndarray:
            return np.asarray(leaf)[: kept[0], : kept[1]].ravel()

        return flat(place), {name: flat(column).astype(float) for name, column in columns.items()}

    def _asked(self, work: Work, systems: np.ndarray, index: np.ndarray) -> tuple[Any, ...]:
        """What `chosen` is given: of these systems, which are at `index` in their chunk."""
        inner = self._candidate(work.both, self.parts[0], work.chips, None)
        outer = self._candidate(work.both, self.parts[1], systems, None)
        places = self._places(work.arranged.legal[:, index])

        def laid(leaf: np.ndarray, rows: np.ndarray) -> np.ndarray:
            """Of these rows and systems; below them nothing, so that the shape is always the same."""
            found = np.zeros((self.grid.size, len(index)), leaf.dtype)
            found[: len(places)] = leaf[rows[places][:, None], index]
            return found

        found = jax.tree.map(lambda leaf: laid(leaf, self.rows), work.arranged)
        held = {
            name: np.resize(np.asarray(getattr(self.grid, name))[places], self.grid.size)
            for name in ("weights", "cache")
        }
        tiers = {name: np.repeat(typed(of, self.single)[:, None], len(index), axis=1) for name, of in held.items()}
        found = found._replace(mapping=replace(found.mapping, **tiers))
        rows = tuple(laid(own, np.arange(self.grid.size)) for own in work.rows)
        candidate = self._typed(merge(inner, outer))
        tried = np.resize(places, self.grid.size).astype(np.int32)
        block = Block(candidate, work.states, work.tables, np.int32(len(places)), tried, rows, found)
        return block, self.wanted, self.metrics, inner[1], outer[1], SAME[self.single]

    def operations(self) -> tuple[float, float]:
        """Arithmetic operations of putting one candidate together under one mapping, and the divisions among them;
        those shared by a block included, those of tables apart."""
        index = np.arange(self.beside)
        asked = self._asked(self._worked(*self.chunks[0]), index, index)
        turns, jaxpr = int(asked[0].count), chosen.trace(*asked).jaxpr.jaxpr
        counted = operations(jaxpr, turns=turns), operations(jaxpr, frozenset({"div"}), turns)
        return tuple(count / (self.beside * self.inside * turns) for count in counted)  # type: ignore[return-value]

    def tried_share(self) -> float:
        """The share of the mappings that systems are worked out under, in eight of their parts."""
        starts = range(0, len(self.parts[1].codes), self.around)
        legal = [self._arranged(0, start)[0].legal for start in starts[:: -(-len(starts) // 8)]]
        blocks = [
            block for one in legal for block in np.split(one, range(self.beside, self.around, self.beside), axis=1)
        ]
        return float(np.mean([len(self._places(block)) / self.grid.size for block in blocks]))

    def _places(self, legal: np.ndarray) -> np.ndarray:
        """The mappings that are worth trying for some systems, legal [layouts, systems]."""
        return np.flatnonzero(np.any(legal_enough(legal) | self.every, axis=1)[self.rows])

    @functools.cached_property
    def layouts(self) -> tuple[Grid, np.ndarray, np.ndarray]:
        """The different mappings but for where weights and cache are; of each mapping its row among these; the
        different places, and of each mapping its row among them."""
        columns = np.stack([np.asarray(column, float) for column in self.grid], axis=1)
        degrees, rows = np.unique(columns[:, :-2], axis=0, return_inverse=True)
        nowhere = np.zeros((2, len(degrees)))
        return Grid(*degrees.T, *nowhere), rows.ravel(), columns[:, -2:]

    @property
    def rows(self) -> np.ndarray:
        """Of each mapping its row among the layouts."""
        return self.layouts[1]

    def _worked(self, both: int, system: int, chip: int) -> Work:
        """What the blocks of a chunk share."""
        chips, systems, _ = self.parts
        index = np.arange(chip, chip + self.inside).clip(max=len(chips.codes) - 1)
        given, varied = self._candidate(both, chips, index, systems)
        found, passing, rows = self._arranged(both, system)
        states = settled(given, np.arange(len(index)), varied)
        tables = []
        for turn in passing:
            parts = [tabled(given, states, at(turn, first), varied) for first in range(0, length(turn), ROWS)]
            tables.append(jax.tree.map(lambda *pieces: np.concatenate(pieces), *jax.device_get(parts)))
        refuse_unknown((tables, found.moved, found.hops, found.legal))
        states, tables = self._typed((jax.device_get(states), tuple(tables)))
        return Work(both, index, states, tables, found, rows)

    def _typed(self, tree: Any) -> Any:
        """Numbers in the precision that candidates are put together in."""
        return jax.tree.map(lambda leaf: typed(leaf, self.single), tree)

    @functools.lru_cache(maxsize=2)  # noqa: B019
    def _arranged(self, both: int, system: int) -> tuple[Arranged, list[Passing], tuple[np.ndarray, ...]]:
        """Systems under all layouts; the different passes of each turn; and which of them each mapping has."""
        chips, systems, _ = self.parts
        index = np.arange(system, system + self.around).clip(max=len(systems.codes) - 1)
        given, varied = self._candidate(both, systems, index, chips)
        layouts, rows, tiers = self.layouts
        found = jax.device_get(arranged(given, np.arange(len(index)), layouts, self.wanted, varied))
        different, where = np.unique(tiers, axis=0, return_inverse=True)
        passing, taken = [], []
        used = legal_enough(found.legal) | self.every
        for batch in found.batches:
            turn, inverse = passes_of(layouts, batch, different, used)
            passing.append(turn)
            taken.append((inverse[rows] * len(different) + where.ravel()[:, None]).astype(np.int32))
        return self._typed(found._replace(batches=())), passing, tuple(taken)

    def _designs(self, both: int, systems: np.ndarray, chips: np.ndarray) -> np.ndarray:
        """Codes of systems x chips."""
        of_chip, of_system, of_both = self.parts
        designs = resting(self.space, self.files, len(systems) * len(chips)).reshape(len(systems), len(chips), -1)
        designs[..., list(of_chip.columns)] = of_chip.codes[chips][None]
        designs[..., list(of_system.columns)] = of_system.codes[systems][:, None]
        designs[..., list(of_both.columns)] = of_both.codes[both]
        return designs.reshape(len(systems) * len(chips), designs.shape[-1])

    def _candidate(self, both: int, part: Part, rows: np.ndarray, hidden: Part | None) -> tuple[Candidate, Axes]:
        """The candidate with these rows of a part, what it must not depend on unknown; and which leaves vary."""
        leaves, shape = jax.tree.flatten(self.candidate)
        leaves = [np.asarray(leaf, float) for leaf in leaves]
        for leaf in hidden.leaves if hidden else ():
            leaves[leaf] = np.asarray(UNKNOWN)
        for leaf, value in self._values(self.parts[2], np.array([both])):
            leaves[leaf] = value[0]
        axes: list[int | None] = [None] * len(leaves)
        for leaf, values in self._values(part, rows):
            leaves[leaf], axes[leaf] = values, 0
        return jax.tree.unflatten(shape, leaves), tuple(axes)

    def _values(self, part: Part, rows: np.ndarray) -> list[tuple[int, np.ndarray]]:
        pairs = zip(part.columns, part.leaves, strict=True)
        return [
            (leaf, self.space.numbered(column).values(part.codes[rows, i])) for i, (column, leaf) in enumerate(pairs)
        ]


def legal_enough(legal: np.ndarray) -> np.ndarray:
    """Which layouts each system can have, of [layouts, systems]: all, where it can have none, since the answer then is
    what comes nearest."""
    some = np.asarray(legal) > 0
    return some | ~some.any(axis=0)


def evenly(count: int, most: int) -> int:
    """The size of the fewest parts of at most `most` that hold so many, as even as can be."""
    return -(-count // -(-count // most))


def merge(inner: tuple[Candidate, Axes], outer: tuple[Candidate, Axes]) -> Candidate:
    """The candidate whose leaves vary by chip as in one, by system as in the other."""
    mine, shape = jax.tree.flatten(inner[0])
    theirs = jax.tree.leaves(outer[0])
    return jax.tree.unflatten(shape, [b if axis == 0 else a for a, b, axis in zip(mine, theirs, outer[1], strict=True)])


def passes_of(layouts: Grid, batch: Any, tiers: np.ndarray, used: np.ndarray) -> tuple[Passing, np.ndarray]:
    """The different passes of a turn, tiers innermost, and which each [layouts, systems] is, tiers apart: any, where it
    is not used."""
    leaves, shape = jax.tree.flatten(batch)
    degrees = [layouts.tensor, layouts.sequence, layouts.attention_data, layouts.expert]
    given = (*(np.asarray(column)[:, None] for column in degrees), *leaves)
    columns = [np.broadcast_to(column, used.shape)[used] for column in given]
    table, inverse = np.unique(np.stack(columns, axis=-1), axis=0, return_inverse=True)
    table, place = np.repeat(table, len(tiers), axis=0), np.tile(tiers, (len(table), 1))
    cut = Cut(*table[:, : len(degrees)].T)
    passing = Passing(cut, Placement(*place.T), jax.tree.unflatten(shape, list(table[:, len(degrees) :].T)))
    which = np.zeros(used.shape, int)
    which[used] = inverse.ravel()
    return passing, which


def at(turn: Passing, first: int) -> Passing:
    """So many passes from this one, the last repeated."""
    index = np.arange(first, first + ROWS).clip(max=length(turn) - 1)
    return jax.tree.map(lambda column: np.broadcast_to(column, (length(turn),))[index], turn)


def length(turn: Passing) -> int:
    """How many passes there are."""
    return len(turn.cut.tensor)


def refuse_unknown(found: Any) -> None:
    """Raise RuntimeError where a part was worked out from what it must not depend on."""
    if any(np.isnan(leaf).any() for leaf in jax.tree.leaves(found)):
        raise RuntimeError(
            "search=enumerate: operators depend on the system around the chip, or exchanges on the chip, so that "
            "candidates cannot be put together from both; use search=evolve, and report the machine"
        )


def typed(leaf: Any, single: bool) -> Any:
    """Numbers in the precision, whole numbers as they are."""
    values = np.asarray(leaf)
    return values if values.dtype.kind == "i" else values.astype(np.float32 if single else float)


def _kind(path: str) -> int:
    """Of a chip, of a system, of both: by the path of a leaf."""
    return 0 if path.startswith(OF_CHIP) else 1 if path.startswith(OF_SYSTEM) else 2


def crosses(candidate: Candidate, wanted: Wanted) -> bool:
    """True where candidates can be put together from chips and systems: one pool, no draft, mappings not compared by
    goodput."""
    alone = all(getattr(candidate, section) is None for section in SOMETIMES)
    return alone and wanted.objective not in GOODPUT
