"""One person's session at a machine: files and numbers that were moved, and the answers about what they make."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

import dse.run.precision  # noqa: F401
from dse.configuration.compose import choices, picked, said_at
from dse.configuration.schema import nearest, recheck
from dse.configuration.spreads import leaf_paths
from dse.evaluation.batches import best_of_one, flat
from dse.evaluation.evaluate import Candidate
from dse.evaluation.explain import Missing, missing
from dse.evaluation.goals import Goals
from dse.evaluation.grids import grids, own_fanouts
from dse.evaluation.mapping import Wanted
from dse.evaluation.runners import Point
from dse.machine.single import legal_point
from dse.problem.commands import rebuild
from dse.problem.space import Space
from dse.problem.template import Template, refuse_contexts, template
from dse.run.flags import name_of
from dse.studio.knobs import Knob, around, movable, of_space, telling, written
from dse.uncertainty.elasticities import rules_of
from hw.units import Rule

GROUPS = ("hw", "hw/chip", "hw/chip/memory", "hw/fabric", "hw/runtime", "model", "format", "serving", "scheduler")
FEWEST_ROWS = 512  # of a grid of mappings, which is filled up: fan-outs may then move without another program
LONGEST_TRAIL = 200
MOST_UNDONE = 100


@dataclass(frozen=True)
class Moved:
    """What was moved so far: group -> file, path -> text of its number."""

    files: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


NOTHING = Moved()


@dataclass(frozen=True)
class Structure:
    """A composition of files, built; the rule of each number that may be moved, and where its leaf is."""

    found: Template
    rules: Mapping[str, Rule]
    places: Mapping[str, int]

    @classmethod
    def of(cls, found: Template) -> Structure:
        places = {path: place for place, path in enumerate(leaf_paths(found.candidate))}
        return cls(found, movable(rules_of(found.candidate)), places)


@dataclass(frozen=True)
class Shown:
    """A machine and the answers about it."""

    structure: Structure
    numbers: Sequence[float]
    found: Template
    point: Point
    missing: list[Missing]


class Studio:
    """Moves numbers and files of a machine; every move either gives an answer or raises ValueError and changes nothing.

    overrides : the words that compose the machine to begin with; wanted, goals : of its configuration; space : what may
    vary, where a space was named; experiment, folders : for the command line; begun : what is moved to begin with.
    """

    def __init__(
        self,
        overrides: Sequence[str],
        wanted: Wanted,
        goals: Goals,
        space: Space | None = None,
        experiment: str = "",
        folders: Sequence[str] = (),
        begun: Moved = NOTHING,
    ) -> None:
        self.overrides, self.wanted, self.goals, self.space = list(overrides), wanted, goals, space
        self.experiment, self.folders = experiment, list(folders)
        self._structures: dict[tuple[str, ...], Structure] = {}
        self._knobs: dict[tuple[tuple[str, ...], str], Knob] = {}
        self._picked: dict[tuple[str, ...], dict[str, str]] = {}
        self._lock = threading.RLock()  # Hydra composes one at a time
        self.begun = self.moved = begun
        self._undone: list[Moved] = []
        self.asked: list[str] = []
        self.trail: list[dict[str, float]] = []
        self.shown = self.start = self._answer(self.moved)
        self._remember()

    # What is there to be moved.

    def knobs(self) -> dict[str, Knob]:
        """The numbers that are shown: those of the space that this machine has, or else the telling ones; and those
        that were asked for."""
        rules = self.rules
        keys = [p.key for p in self.space.numeric if p.key in rules] if self.space else []
        keys = keys or telling(rules)
        return {key: self.knob(key) for key in dict.fromkeys([*keys, *(key for key in self.asked if key in rules)])}

    def knob(self, key: str) -> Knob:
        """One number that may be moved; ValueError where the machine has none of this name."""
        structure = self.shown.structure
        if key not in structure.rules:
            raise ValueError(f"{key[:99]}: the machine has no such number; {nearest(key[:99], structure.rules)}")
        if (structure.found.overrides, key) not in self._knobs:
            spaced = next((p for p in self.space.numeric if p.key == key), None) if self.space else None
            rule, given = structure.rules[key], float(jax.tree.leaves(structure.found.candidate)[structure.places[key]])
            made = of_space(spaced, rule) if spaced else around(key, rule, given)
            self._knobs[structure.found.overrides, key] = made
        return self._knobs[structure.found.overrides, key]

    def ask(self, key: str) -> None:
        """Show a number among those that may be moved."""
        self.knob(key)
        self.asked = [*dict.fromkeys([*self.asked, key])]

    def files(self) -> dict[str, tuple[str, list[str]]]:
        """Group -> the file that is picked and all that there are."""
        found = self._choices(self._words(self.moved.files))
        spaced = {p.key: list(p.options) for p in self.space.files} if self.space else {}
        keys = [*dict.fromkeys([*GROUPS, *spaced])]
        return {
            key: (found[key], list(dict.fromkeys([found[key], *(spaced.get(key) or self._options(key))])))
            for key in keys
            if found.get(key, "None") != "None"
        }

    def file(self, group: str) -> str:
        """The file that is picked of a group."""
        return self._choices(self._words(self.moved.files))[group]

    def _options(self, key: str) -> list[str]:
        with self._lock:
            return choices(key.partition("@")[0])

    def _choices(self, words: tuple[str, ...]) -> dict[str, str]:
        if words not in self._picked:
            with self._lock:
                self._picked[words] = picked(words)
        return self._picked[words]

    @property
    def candidate(self) -> Candidate:
        return self.shown.found.candidate

    @property
    def rules(self) -> Mapping[str, Rule]:
        """Path -> rule of every number that may be moved."""
        return self.shown.structure.rules

    def value(self, key: str) -> float:
        """A number as it is now."""
        return float(self.shown.numbers[self.shown.structure.places[key]])

    # Moves.

    def turn(self, key: str, position: float) -> None:
        """Move a slider."""
        knob = self.knob(key)
        if not np.isfinite(position):
            raise ValueError(f"{key}: {position!r} is no position of a slider")
        self._set(key, written(knob.rule, knob.at(position)))

    def type(self, key: str, given: str) -> None:
        """Give a number as text."""
        self._set(key, self.knob(key).read(given))

    def _set(self, key: str, text: str) -> None:
        self._go(Moved(self.moved.files, {**self.moved.texts, key: text}))

    def pick(self, group: str, name: str) -> list[str]:
        """Pick another file; the moved numbers that are left behind, since the new file has none or says another."""
        offered = self.files()
        if group not in offered or name not in offered[group][1]:
            raise ValueError(f"{group[:99]}={name[:99]}: there is no such choice here")
        files = {key: file for key, file in self.moved.files.items() if not under(key, group)} | {group: name}
        before, after = self.shown.structure.found.config, self._structure(files)
        there = {key: said_at(before, key) for key in after.rules}
        kept = {k: t for k, t in self.moved.texts.items() if k in there and there[k] == said_at(after.found.config, k)}
        left = [f"{key}={text}" for key, text in self.moved.texts.items() if key not in kept]
        self._go(Moved(files, kept))
        self.asked = [key for key in self.asked if key in self.rules]
        return left

    def reset(self) -> None:
        """Back to where it began."""
        self._go(self.begun)

    def undo(self) -> None:
        """Back by one move."""
        if self._undone:
            self.shown = self._answer(self._undone[-1])
            self._undone, self.moved = self._undone[:-1], self._undone[-1]
            self._remember()

    def _go(self, moved: Moved) -> None:
        if moved == self.moved:
            return
        shown = self._answer(moved)  # or ValueError, and nothing has changed
        before, self.moved, self.shown = self.moved, moved, shown
        if not self._undone or slid(self._undone[-1], before) != slid(before, moved):
            self._undone = [*self._undone[-MOST_UNDONE:], before]  # one slider, however far, is one move
        self._remember()

    def _remember(self) -> None:
        seen = self.shown.point["metrics"]
        self.trail = [*self.trail[-LONGEST_TRAIL:], {name: seen[name] for name in seen}]

    # Answers.

    def _words(self, files: Mapping[str, str]) -> tuple[str, ...]:
        """The words that compose a structure; those about a part that was replaced are left."""
        kept = [word for word in self.overrides if not any(under(name_of(word), group) for group in files)]
        return (*kept, *(f"{group}={name}" for group, name in files.items()))

    def _structure(self, files: Mapping[str, str]) -> Structure:
        from hydra.errors import HydraException

        from dse.configuration.messages import hydra_message

        words = self._words(files)
        if words not in self._structures:
            try:
                with self._lock:
                    self._structures[words] = Structure.of(template(words))
            except HydraException as error:
                raise ValueError(hydra_message(error)) from None
        return self._structures[words]

    def _answer(self, moved: Moved) -> Shown:
        structure = self._structure(moved.files)
        leaves, shape = jax.tree.flatten(structure.found.candidate)
        for key, text in moved.texts.items():
            leaves[structure.places[key]] = structure.rules[key].read(text)
        candidate = jax.tree.unflatten(shape, leaves)
        if moved.texts:
            recheck(candidate)
            refuse_contexts(candidate)
        found = replace(structure.found, candidate=candidate)
        point = answered(found, self.wanted)
        return Shown(structure, leaves, found, point, missing(candidate, point))

    # What is kept.

    def words(self) -> list[str]:
        """The words that compose the machine as it is now."""
        config = self.shown.found.config
        numbers = [f"{'+' if said_at(config, k) is None else ''}{k}={text}" for k, text in self.moved.texts.items()]
        return [*self._words(self.moved.files), *numbers]

    def command(self) -> str:
        """The command line that evaluates the machine afresh."""
        return rebuild(self.experiment, self.words(), self.folders, [])


def answered(found: Template, wanted: Wanted) -> Point:
    """All answers about a machine, as `task=evaluate` gives them."""
    choices = grids([found.candidate], own_fanouts(found.candidate), wanted)
    filled = choices._replace(**{name: filled_up(grid) for name, grid in choices._asdict().items() if grid is not None})
    one = jax.tree.map(lambda leaf: np.asarray(leaf, float), found.candidate)
    best = jax.device_get(best_of_one(one, filled, wanted))
    return legal_point({name: np.atleast_1d(value) for name, value in flat(best).items()}, found, wanted)


def filled_up(grid: Any) -> Any:
    """The grid with its first mapping again and again, up to a power of two: of equal mappings the first is taken, so
    that nothing changes but how many programs there are."""
    rows = max(FEWEST_ROWS, 1 << (grid.size - 1).bit_length())
    return jax.tree.map(lambda column: np.append(column, np.repeat(np.asarray(column)[:1], rows - len(column))), grid)


def under(name: str, group: str) -> bool:
    """True for a group itself, its files within, and numbers below the place that it fills."""
    path, place = (re.sub("/", ".", (one.partition("@")[2] or one)) for one in (name, group))
    return path == place or path.startswith(f"{place}.")


def slid(before: Moved, after: Moved) -> Any:
    """What differs between two states: the key of the one number, or the files."""
    if before.files != after.files:
        return before.files, after.files
    keys = {*before.texts, *after.texts}
    return sorted(key for key in keys if before.texts.get(key) != after.texts.get(key))
