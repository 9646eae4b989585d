"""The problem: a space over composed machines, and the answers about its designs in batches."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from dse.configuration.compose import compose, plain
from dse.configuration.messages import hydra_message, lacking
from dse.configuration.schema import paths, recheck, rule_at
from dse.evaluation.batches import ROWS, best_of_each, first_row, flat, padded, significant, under_own
from dse.evaluation.evaluate import Candidate
from dse.evaluation.goals import Columns
from dse.evaluation.grids import Grids, grids, place, seen_from
from dse.evaluation.mapping import Grid, Wanted
from dse.problem.slopes import slopes
from dse.problem.space import Files, Interval, Space, Values, files, is_file_key, numbers, read_space
from dse.problem.template import Template, leaf_index, template
from dse.run.bars import activity
from dse.run.flags import name_of
from dse.run.keys import SECTIONS, SOMETIMES
from dse.run.near import nearest
from hw.units import Rule

MOST_STRUCTURES = 4096


def read_parameters(given: Mapping[str, Any], first: Template) -> Space:
    """The space of a configuration; keys are held against the composed machine, or later against other structures."""
    entries = read_space(given)
    chosen = [files(key, value) for key, value in entries.items() if is_file_key(key)]
    keyed = {key: value for key, value in entries.items() if not is_file_key(key)}
    return Space(tuple(chosen) + tuple(_numeric(key, value, chosen, first) for key, value in keyed.items()))


def _numeric(key: str, value: Any, chosen: list[Files], first: Template) -> Values | Interval:
    return numbers(key, value, rule_of(key, chosen, first))


def rule_of(key: str, chosen: Sequence[Files], first: Template) -> Rule:
    """The rule of the quantity that a key leads to, in the composed machine or under one of the files chosen among."""
    rule = rule_at(first.config, key.split("."))
    for choice in () if rule else chosen:
        for option in choice.options:
            rule = rule or _rule_under(key, first, f"{choice.key}={option}")
    if rule is None:
        known = [path for part in (*SECTIONS, *SOMETIMES) for path in paths(first.config.get(part) or {}, part)]
        raise ValueError(f"space: {key}: there is no such quantity in the composed machine; {nearest(key, known)}")
    return rule


def _rule_under(key: str, first: Template, override: str) -> Any:
    return rule_at(plain(compose([*first.overrides, override])), key.split("."))


@dataclass(frozen=True)
class Kind:
    """What the structures of one pytree structure share: the grid of mappings, and which leaves vary among designs."""

    grid: Grids
    varied: tuple[bool, ...]
    places: tuple[tuple[int, int], ...]  # of each active numeric parameter: its column in a design, its leaf


class Problem:
    """Answers about designs: structures are composed once, designs of one pytree structure evaluated together."""

    def __init__(self, overrides: Sequence[str], space: Mapping[str, Any], wanted: Wanted, batch: int) -> None:
        self.overrides, self.wanted, self.batch, self.written = list(overrides), wanted, batch, space
        entries = read_space(space)
        chosen = [files(key, value) for key, value in entries.items() if is_file_key(key)]
        start = self._chosen([f"{choice.key}={choice.options[0]}" for choice in chosen])
        self.space = read_parameters(space, start)
        self._templates: dict[tuple[int, ...], Template] = {(0,) * len(self.space.files): start}
        self._kinds: dict[Any, Kind] = {}
        self._compiled: set[Any] = set()
        self.cautions: dict[str, None] = {}  # in the order found
        self._active: dict[tuple[tuple[str, ...], str], bool] = {}

    def template(self, structure: Sequence[int]) -> Template:
        """The template of these file codes, composed when first asked for."""
        key = tuple(int(code) for code in structure)
        if key not in self._templates:
            self._templates[key] = self._chosen(self.space.overrides(key))
        return self._templates[key]

    def _chosen(self, files: Sequence[str]) -> Template:
        """The template of these files; a choice that does not exist is the space's fault."""
        from hydra.errors import HydraException

        try:
            return template([*self.overrides, *files])
        except HydraException as error:
            part = lacking(error)
            raise ValueError(f"space: {self._without(part) if part else hydra_message(error)}") from None

    def _without(self, part: str) -> str:
        """That the machine lacks a part that the space varies, and what to type instead."""
        words = {name_of(word): word for word in self.overrides}
        machine = words.get("hw", "the composed machine")
        whose = "it" if {"experiment", "space"} & {*words} else "that of the default experiment"
        return (
            f"{whose} varies {part}, which {machine} has not; for an answer about it write dse task=evaluate "
            f"{words.get('hw', 'hw=NAME')}, for a search experiment=NAME or space=NAME of what it has"
        )

    def structures(self) -> list[tuple[int, ...]]:
        """The file codes of all structures."""
        if math.prod(choice.size for choice in self.space.files) > MOST_STRUCTURES:
            raise ValueError(f"space: more than {MOST_STRUCTURES} combinations of files; name fewer")
        return self.space.every_structure()

    def templates(self) -> list[Template]:
        """All structures."""
        return [self.template(codes) for codes in self.structures()]

    def active(self, found: Template, key: str) -> bool:
        """True where the key leads to a quantity of this structure."""
        pair = (found.overrides, key)
        if pair not in self._active:
            self._active[pair] = rule_at(found.config, key.split(".")) is not None
        return self._active[pair]

    def present(self, structure: Sequence[int]) -> tuple[bool, ...]:
        """Which parameters of the space a structure has."""
        found = self.template(structure)
        return tuple(isinstance(p, Files) or self.active(found, p.key) for p in self.space.parameters)

    def canonical(self, designs: np.ndarray) -> np.ndarray:
        """Designs with the codes of parameters that their structure lacks set to the first choice."""
        clean = designs.copy()
        for structure, rows in self._by_structure(designs):
            for column, has in enumerate(self.present(structure)):
                if not has:
                    clean[rows, column] = self.space.parameters[column].rest
        return clean

    def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
        """Answers about designs [designs, parameters] as flat columns, such as `metrics.power`."""
        columns: dict[str, np.ndarray] = {}
        for kind, rows in self.by_kind(designs):
            for chunk, filled in padded(rows, self.batch):
                with self._compiling(kind, designs[chunk[0]]):
                    answers = self._answers(designs[filled], self.kind(kind))
                for name, values in answers.items():
                    columns.setdefault(name, np.full(len(designs), np.nan))[chunk] = values[: len(chunk)]
        return columns

    def _compiling(self, kind: Any, design: np.ndarray) -> contextlib.AbstractContextManager[Any]:
        """Says what is compiled, where designs of this structure are asked about for the first time."""
        if kind in self._compiled:
            return contextlib.nullcontext()
        self._compiled.add(kind)
        named = self.space.overrides(self.space.structures(design[None])[0]) if self.space.files else []
        return activity(f"compiling {', '.join(named) or 'the machine'}")

    def under_places(self, designs: np.ndarray, places: np.ndarray) -> dict[str, np.ndarray]:
        """Answers about designs as flat columns, each under the mapping at its place in the grid."""
        columns: dict[str, np.ndarray] = {}
        for kind, rows in self.by_kind(designs):
            shared = self.kind(kind)
            for chunk, filled in padded(rows, ROWS):
                own = jax.tree.map(lambda column, at=places[filled, None]: np.asarray(column)[at], shared.grid.own)
                choices = jax.tree.map(lambda column: np.broadcast_to(column, (ROWS, *np.shape(column))), shared.grid)
                candidates = self.stacked(designs[filled], replace(shared, varied=(True,) * len(shared.varied)))
                found = significant(flat(jax.device_get(under_own(candidates, choices._replace(own=own), self.wanted))))
                for name, values in found.items():
                    columns.setdefault(name, np.full(len(designs), np.nan))[chunk] = values[: len(chunk)]
        return columns

    def slopes(self, designs: np.ndarray, columns: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Slopes of the named answers along the coordinates of the space, [designs, coordinates]; columns : the answers
        about these designs."""
        return slopes(self, designs, columns, names)

    def choices(self, design: np.ndarray) -> Grid:
        """The mappings of its machine that a design tries."""
        return self._kind_of(design).grid.own

    def under(self, design: np.ndarray, own: Grid) -> dict[str, np.ndarray]:
        """Answers about one design, its machine under the best of these mappings of its grid."""
        whole, asked = (np.stack([np.asarray(c, float) for c in grid], axis=1) for grid in (self.choices(design), own))
        rows = np.flatnonzero((whole[:, None] == asked[None]).all(axis=2).any(axis=1))
        columns = self._under_all(design.tobytes())
        best = rows[first_row(columns, rows, self.wanted)]
        return {name: values[best : best + 1] for name, values in columns.items()}

    @functools.lru_cache(maxsize=4)  # noqa: B019
    def _under_all(self, design: bytes) -> dict[str, np.ndarray]:
        """Answers about one design under each mapping of its grid."""
        one = np.frombuffer(design)[None]
        count = self.choices(one[0]).size
        return self.under_places(np.repeat(one, count, axis=0), np.arange(count))

    def _kind_of(self, design: np.ndarray) -> Kind:
        return self.kind_at(self.space.structures(design[None])[0])

    def kind_at(self, structure: Sequence[int]) -> Kind:
        """What the designs like those of a structure share."""
        return self.kind(jax.tree.structure(self.template(structure).candidate))

    def _answers(self, designs: np.ndarray, shared: Kind) -> dict[str, np.ndarray]:
        candidates = self.stacked(designs, shared)
        return significant(flat(jax.device_get(best_of_each(candidates, shared.grid, self.wanted, shared.varied))))

    def stacked(self, designs: np.ndarray, kind: Kind) -> Candidate:
        """One candidate whose varied leaves are arrays [designs]."""
        used, index = np.unique(self.space.structures(designs), axis=0, return_inverse=True)
        found = [self.template(structure) for structure in used]
        batch = jax.tree.map(
            lambda *leaves: np.stack(leaves).astype(float)[index.ravel()], *(t.candidate for t in found)
        )
        leaves, shape = jax.tree.flatten(batch)
        for column, leaf in kind.places:
            leaves[leaf] = self.space.numbered(column).values(designs[:, column])
        shared = [leaf if varies else leaf[0] for leaf, varies in zip(leaves, kind.varied, strict=True)]
        return jax.tree.unflatten(shape, shared)

    def _by_structure(self, designs: np.ndarray) -> list[tuple[tuple[int, ...], np.ndarray]]:
        used, index = np.unique(self.space.structures(designs), axis=0, return_inverse=True)
        return [(tuple(row), np.flatnonzero(index.ravel() == i)) for i, row in enumerate(used)]

    def by_kind(self, designs: np.ndarray) -> list[tuple[Any, np.ndarray]]:
        """Rows of designs by pytree structure."""
        kinds: dict[Any, list[np.ndarray]] = {}
        for structure, rows in self._by_structure(designs):
            kinds.setdefault(jax.tree.structure(self.template(structure).candidate), []).append(rows)
        return [(kind, np.sort(np.concatenate(rows))) for kind, rows in kinds.items()]

    def kind(self, structure: Any) -> Kind:
        """What the designs of one pytree structure share."""
        if structure not in self._kinds:
            alike = [t for t in self.templates() if jax.tree.structure(t.candidate) == structure]
            choices = grids(
                [t.candidate for t in alike],
                lambda name: {fanouts for t in alike for fanouts in self._fanouts(t, name)},
                self.wanted,
            )
            places = self._places(alike[0])
            for found in alike:
                for end in ends(found, self.space, places):
                    self.cautions |= dict.fromkeys(end.cautions)
            self._kinds[structure] = Kind(choices, varied_leaves(alike, places), places)
        return self._kinds[structure]

    def _places(self, found: Template) -> tuple[tuple[int, int], ...]:
        """Column and leaf of each numeric parameter that this structure has."""
        active = [
            (column, parameter.key)
            for column, parameter in enumerate(self.space.parameters)
            if not isinstance(parameter, Files) and self.active(found, parameter.key)
        ]
        return tuple((column, leaf_index(found.candidate, key)) for column, key in active)

    def distinct(self) -> float:
        """How many designs there are that differ in a parameter that their structure has."""
        return sum(
            math.prod(p.size for p in self.space.numeric if self.active(found, p.key)) for found in self.templates()
        )

    def _fanouts(self, found: Template, section: str) -> list[tuple[int, ...]]:
        """All fan-outs that the machines of a section may have in designs of this structure."""
        varied, seen = {p.key: p for p in self.space.numeric}, seen_from(found.candidate, section)
        options = []
        for name, level in seen.hw.levels.items() if seen else ():
            key = place(section, f"hw.levels.{name}.fanout")
            options.append(_whole_numbers(varied.get(key), float(level.fanout)))
        return list(itertools.product(*options))


def composed(question: Any) -> Problem | None:
    """The problem that a question is about, however it is wrapped (`question`); none where it composes no machines."""
    while question is not None and not isinstance(question, Problem):
        question = vars(question).get("question")
    return question


def ends(found: Template, space: Space, places: Sequence[tuple[int, int]]) -> list[Template]:
    """The template, and with the least and the most of each parameter; ValueError where one breaks a rule between
    numbers of its component."""
    leaves, shape = jax.tree.flatten(found.candidate)
    reached = [found]
    for column, leaf in places:
        parameter = space.numbered(column)
        for end in parameter.ends():
            moved = jax.tree.unflatten(shape, [*leaves[:leaf], end, *leaves[leaf + 1 :]])
            try:
                recheck(moved)
            except ValueError as error:
                raise ValueError(f"space: {parameter.key}: {error}") from None
            reached.append(replace(found, candidate=moved))
    return reached


def _whole_numbers(parameter: Values | Interval | None, fixed: float) -> list[int]:
    if parameter is None:
        return [int(fixed)]
    if isinstance(parameter, Interval):
        return list(range(round(parameter.low), round(parameter.high) + 1))
    return [int(number) for number in parameter.numbers]


def varied_leaves(alike: Sequence[Template], places: Sequence[tuple[int, int]]) -> tuple[bool, ...]:
    """Which leaves differ between these templates or are parameters; one at least, since batches need one."""
    leaves = [np.array(values) for values in zip(*(jax.tree.leaves(t.candidate) for t in alike), strict=True)]
    varied = [bool((values != values[0]).any()) for values in leaves]
    for _, leaf in places:
        varied[leaf] = True
    return tuple(varied) if any(varied) else (True, *varied[1:])
