"""Files of measured operators: which there are, the machines that they speak of, and which rows cannot be timed."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dse.configuration.aliases import Names
from dse.configuration.compose import conf_folder, own_folders
from dse.validation.operator_families import FAMILIES, Family, family

WIDE = "bfloat16"  # what rows are of where a file does not say


class Part(NamedTuple):
    """Rows of one file that were measured on one machine and can be timed; machine : a file of conf/hw."""

    family: Family
    file: str
    machine: str
    table: Any


def machines() -> Names:
    """The machines, shipped and one's own, by all their names."""
    return _machines((conf_folder(), *own_folders()))


@functools.cache
def _machines(folders: tuple[Path, ...]) -> Names:
    return Names.read("hw", folders)


def files(path: Path, wanted: Sequence[str] = tuple(FAMILIES)) -> list[tuple[Family, Path, str | None]]:
    """Each file of rows under a path (or the path itself) with its family and its machine's name.

    A file is called MACHINE__FAMILY__SOFTWARE.csv.gz; one with another name is known by its columns, and the machine of
    each row by its column `system`. Raises ValueError where no file is of a wanted family.
    """
    if not path.exists():
        raise FileNotFoundError(f"data: there is no {path}; name a file of operators, or a folder of such files")
    paths = [path] if path.is_file() else sorted(path.glob("*__*__*.csv*")) or sorted(path.glob("*/*__*__*.csv*"))
    known, found, others = {name: family(name) for name in wanted}, [], set()
    for one in paths:
        words = one.name.split("__")
        if len(words) < 3:
            found.append(_by_columns(one, known.values()))
        elif words[1] in known:
            found.append((known[words[1]], one, words[0]))
        else:
            others.add(words[1])
    if not found:
        there = f"its files are of {', '.join(sorted(others))}" if others else "it has no such file"
        raise ValueError(
            f"data: there are no operators of {', '.join(wanted)} in {path}, {there}; "
            "files are called MACHINE__FAMILY__SOFTWARE.csv.gz"
        )
    return found


def _by_columns(path: Path, known: Iterable[Family]) -> tuple[Family, Path, None]:
    import pandas as pd

    head = pd.read_csv(path, nrows=0)
    for one in known:
        if one.columns <= set(head) and "system" in head:
            return one, path, None
    raise ValueError(
        f"data: {path.name} is of no known family; call it MACHINE__FAMILY__SOFTWARE.csv, or give it a column 'system'"
    )


def parts(path: Path, wanted: Sequence[str] = tuple(FAMILIES)) -> tuple[list[Part], list[str]]:
    """All rows under a path that can be timed, by file and machine; and how many cannot, in words by reason."""
    import pandas as pd

    found, warnings, known = [], [], machines()
    for one, file, named in files(path, wanted):
        table = pd.read_csv(file)
        if lacking := sorted(one.columns - set(table)):
            raise ValueError(f"data: {file} lacks the columns {', '.join(lacking)}, which rows of {one.name} have")
        for system, rows in _by_system(table, named):
            machine = known.find(system)
            if machine is None:
                why = known.missing(system, "accelerator") if system else "system is missing"
                warnings.append(left_out(len(rows), file.name, why))
                continue
            good, dropped = sound(one, rows)
            warnings += [left_out(count, file.name, why) for why, count in dropped.items()]
            found += [Part(one, file.name, machine, good)] if len(good) else []
    return found, warnings


def left_out(count: int, where: str, why: str) -> str:
    """That rows are not counted, and why."""
    return f"left out: {count} row{'s' if count > 1 else ''} of {where}: {why}"


def _by_system(table: Any, named: str | None) -> Iterator[tuple[str, Any]]:
    """The rows of each machine: that of the file's name, or those of the column `system`."""
    if named is not None:
        yield named, table
        return
    for name, rows in table.groupby(table.system.fillna("").astype(str).str.strip()):
        yield str(name), rows


def sound(one: Family, table: Any) -> tuple[Any, dict[str, int]]:
    """The rows that say what is needed in a format that is known, and how many do not, by reason."""
    import pandas as pd

    formats: Any = table[one.format_column] if one.format_column in table else pd.Series(WIDE, table.index)
    seconds: Any = pd.to_numeric(table.latency, errors="coerce")
    known, timed = formats.isin(list(one.formats)), np.isfinite(seconds) & (seconds > 0)
    filled = table[sorted(one.columns - {"latency", one.format_column})].notna().all(axis=1)
    counts = formats[~known].fillna("").value_counts()
    dropped = {f"{one.format_column}: {name!r} is not known": int(count) for name, count in counts.items()}
    dropped["latency: no number above 0"] = int((known & ~timed).sum())
    dropped["a column that is needed is empty"] = int((known & timed & ~filled).sum())
    good = table.assign(**{one.format_column: formats, "latency": seconds})[known & timed & filled]
    return good, {why: count for why, count in dropped.items() if count}
