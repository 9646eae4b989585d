"""Measured operators timed by the machines that they ran on: batching, putting constants in."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from dse.configuration.compose import component, compose, own_folders, plain
from dse.configuration.schema import build
from dse.run.precision import arrays
from dse.validation.operator_families import FAMILIES, Constant, Family, Rows
from dse.validation.operator_files import machines, parts
from hw.chip import Chip
from hw.heat import State
from hw.units import Rule
from models.numerics import Formats

CHUNK = 4096  # rows that are timed at once
FITTED_SHARE = 3  # one row in so many is fitted, the others are held back


class Bench(NamedTuple):
    """A machine in its state at full load, and rows of a file that were measured on it, of one family and kind."""

    family: Family
    chip: Chip
    formats: Formats
    state: State
    rows: Rows
    file: str = ""


def fitted(names: Iterable[str]) -> np.ndarray:
    """Which rows constants are fitted on: those whose name has a check sum that three divides, on every machine."""
    return np.array([zlib.crc32(name.encode()) % FITTED_SHARE == 0 for name in names], bool)


def built(machine: str, number_format: str) -> tuple[Chip, Formats, State]:
    """The chip of a machine by any of its names, the formats, and the state that it settles in."""
    name = machines().find(machine)
    if name is None:
        raise ValueError(f"machine: {machines().missing(machine, 'accelerator')}")
    return _built(name, number_format, tuple(own_folders()))


@functools.cache
def _built(name: str, number_format: str, _folders: tuple[Path, ...]) -> tuple[Chip, Formats, State]:
    config = plain(compose([f"hw={name}", f"format={number_format}"]))
    system, formats = build(config["hw"], "hw"), build(config["format"], "format")
    return system.chip, formats, system.chip.settle(formats)


def gathered(path: Path, wanted: Sequence[str] = tuple(FAMILIES)) -> tuple[list[Bench], list[str]]:
    """All rows under a path with the machines that they were measured on; and how many are left out, in words."""
    found, warnings = parts(path, wanted)
    return [
        Bench(part.family, *built(part.machine, rows.format), rows, part.file)
        for part in found
        for rows in part.family.read(part.table, part.machine)
    ], warnings


def benches(path: Path, wanted: Sequence[str] = tuple(FAMILIES)) -> list[Bench]:
    """All rows under a path that can be timed."""
    return gathered(path, wanted)[0]


# ---- constants --------------------------------------------------------------------------------------------------


@functools.cache
def notes() -> dict[str, Any]:
    """How rows were measured, and where constants are written."""
    return component("validation", "operators")


def at(tree: Any, place: str) -> Any:
    """What stands at a dotted path of attributes and of named members."""
    for word in place.split("."):
        tree = tree[word] if isinstance(tree, dict) else getattr(tree, word)
    return tree


def shipped(constant: Constant, bench: Bench) -> float:
    """The value of a constant as configured."""
    if not constant.of_rows:
        return float(at(bench.chip, constant.place))
    return Rule(constant.unit).read(at(notes(), constant.place))


def applies(constant: Constant, bench: Bench) -> bool:
    """Whether the rows of a bench depend on a constant."""
    return not constant.kinds or bench.rows.kind in constant.kinds


def seconds_of(one: Family, constants: Sequence[Constant], values: Sequence[Any], bench: Any, shapes: Any) -> Any:
    """Modelled seconds [row] with these values of these constants; bench : chip, formats, state."""
    chip, formats, state = bench
    pairs = list(zip(constants, values, strict=True))
    own = [(constant.place, value) for constant, value in pairs if not constant.of_rows]
    if own:
        chip = eqx.tree_at(lambda it: [at(it, place) for place, _ in own], chip, [value for _, value in own])
    count = len(next(iter(shapes.values())))
    shapes = dict(shapes) | {c.key: jnp.full(count, value) for c, value in pairs if c.of_rows}
    return jax.vmap(lambda shape: one.seconds(chip, formats, state, shape))(shapes)


@functools.cache
def _timer(one: Family, constants: tuple[Constant, ...]) -> Any:
    return jax.jit(functools.partial(seconds_of, one, constants))


def key(constant: Constant, machine: str) -> str:
    """How a constant of a machine is named: its place, and the machine where each has its own."""
    return f"{constant.place}@{machine}" if constant.alone else constant.place


def modelled(bench: Bench, given: Mapping[str, float] | None = None) -> np.ndarray:
    """Modelled seconds [row], everything as configured but what is given by key."""
    given, machine = given or {}, bench.rows.machine
    constants = tuple(  # a chip has its own already; other machines lack some of the places
        c for c in bench.family.constants if applies(c, bench) and (c.of_rows or key(c, machine) in given)
    )
    values = [jnp.asarray(given.get(key(c, machine), shipped(c, bench))) for c in constants]
    ask, leafy = _timer(bench.family, constants), arrays((bench.chip, bench.formats, bench.state))
    found = []
    for start in range(0, len(bench.rows.seconds), CHUNK):
        part = {name: column[start : start + CHUNK] for name, column in bench.rows.shapes.items()}
        size = len(next(iter(part.values())))
        found.append(np.asarray(ask(values, leafy, padded(part, CHUNK)))[:size])
    return np.concatenate(found) if found else np.zeros(0)


def padded(shapes: Mapping[str, np.ndarray], length: int) -> dict[str, Any]:
    """Columns of this length, the first row repeated at the end."""
    fill = {name: np.full(length - len(column), column[0]) for name, column in shapes.items()}
    return {name: jnp.asarray(np.concatenate([column, fill[name]])) for name, column in shapes.items()}
