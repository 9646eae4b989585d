"""Measured operators timed by the shipped machines: finding rows and machines, batching, putting constants in."""

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

import dse.precision  # noqa: F401
from dse.aliases import Names
from dse.compose import component, compose, conf_folder, plain
from dse.operator_families import FAMILIES, Constant, Family, Rows, family
from dse.schema import build
from hw.chip import Chip
from hw.heat import State
from hw.units import Rule
from models.numerics import Formats

CHUNK = 4096  # rows that are timed at once
FITTED_SHARE = 3  # one row in so many is fitted, the others are held back


class Bench(NamedTuple):
    """A machine in its state at full load, and rows that were measured on it, of one family and kind."""

    family: Family
    chip: Chip
    formats: Formats
    state: State
    rows: Rows


def fitted(names: Iterable[str]) -> np.ndarray:
    """Which rows constants are fitted on: those whose name has a check sum that three divides, on every machine."""
    return np.array([zlib.crc32(name.encode()) % FITTED_SHARE == 0 for name in names], bool)


@functools.cache
def machines() -> Names:
    """The shipped machines by all their names."""
    return Names.read("hw", [conf_folder()])


@functools.cache
def built(machine: str, number_format: str) -> tuple[Chip, Formats, State]:
    """The chip of a machine, the formats, and the state that it settles in."""
    name = machines().find(machine)
    if name is None:
        raise ValueError(f"machine: {machines().missing(machine, 'accelerator')}")
    config = plain(compose([f"hw={name}", f"format={number_format}"]))
    system, formats = build(config["hw"], "hw"), build(config["format"], "format")
    return system.chip, formats, system.chip.settle(formats)


def files(path: Path, wanted: Sequence[str] = tuple(FAMILIES)) -> list[tuple[Family, Path, str]]:
    """Each file of rows under a path (or the path itself) with its family and its machine's name.

    A file is called MACHINE__FAMILY__SOFTWARE.csv.gz; one with another name is known by its columns, and its machine by
    its column `system`.
    """
    if not path.exists():
        raise FileNotFoundError(f"data: there is no {path}; name a file of operators, or a folder of such files")
    paths = [path] if path.is_file() else sorted(path.glob("*__*__*.csv*")) or sorted(path.glob("*/*__*__*.csv*"))
    known, found = {name: family(name) for name in wanted}, []
    for one in paths:
        words = one.name.split("__")
        if len(words) > 2:
            found += [(known[words[1]], one, words[0])] if words[1] in known else []
        else:
            found.append(_by_columns(one, known.values()))
    return found


def _by_columns(path: Path, known: Iterable[Family]) -> tuple[Family, Path, str]:
    import pandas as pd

    head = pd.read_csv(path, nrows=1)
    for one in known:
        if one.columns <= set(head) and "system" in head:
            return one, path, str(head.system[0])
    raise ValueError(
        f"data: {path.name} is of no known family; call it MACHINE__FAMILY__SOFTWARE.csv, or give it a column 'system'"
    )


def benches(path: Path, wanted: Sequence[str] = tuple(FAMILIES)) -> list[Bench]:
    """All rows under a path with the machines that they were measured on."""
    found = []
    for one, file, machine in files(path, wanted):
        for rows in one.read(file, machine):
            found.append(Bench(one, *built(machine, rows.format), rows))
    return found


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


def leaves(tree: Any) -> Any:
    """The same with its leaves as arrays, so that it is compiled once for all of one structure."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), tree)


def key(constant: Constant, machine: str) -> str:
    """How a constant of a machine is named: its place, and the machine where each has its own."""
    return f"{constant.place}@{machine}" if constant.alone else constant.place


def modelled(bench: Bench, given: Mapping[str, float] | None = None) -> np.ndarray:
    """Modelled seconds [row], everything as configured but what is given by key."""
    constants = tuple(constant for constant in bench.family.constants if applies(constant, bench))
    given, machine = given or {}, bench.rows.machine
    values = [jnp.asarray(given.get(key(c, machine), shipped(c, bench))) for c in constants]
    ask, leafy = _timer(bench.family, constants), leaves((bench.chip, bench.formats, bench.state))
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
