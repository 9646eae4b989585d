"""Measured collectives against the links: what is fitted, what is held out, and the error of each.

`python -m dse.validation.collectives` prints the errors and draws docs/collectives.svg; with `fit` it prints the
constants that the links' protocols should have.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import dse.run.precision  # noqa: F401
from dse.configuration.compose import conf_folder, written
from dse.configuration.measured import folder
from dse.configuration.schema import build
from dse.run.bars import along
from dse.validation.validate import FITTED, PREDICTED, Validation
from dse.validation.validate import Row as Compared
from hw.link import Link
from hw.units import Rule

ELEMENT = 2  # bytes, of what was measured
BAND = (0.05, 0.95)  # of the fitted rows' measured / modelled: the band around a prediction
OPERATIONS = ("all_reduce", "all_gather", "reduce_scatter")


class Row(NamedTuple):
    """One measurement: seconds of a collective of `size` bytes over `parts`, by the library, a kernel or elsewhere."""

    machine: str
    by: str
    operation: str
    parts: int
    size: float
    seconds: float
    role: str

    @property
    def name(self) -> str:
        return f"{self.machine}: {self.operation} by {self.by}, {self.parts} parts, {self.size:.0f} B"


def suite() -> dict[str, Any]:
    """What was measured, where it is, and what is fitted."""
    return written(conf_folder() / "validation" / "collectives.yaml")


def link_of(name: str, kernels: bool = True) -> Link:
    """A shipped link; without the kernels that serving software adds to its library's protocols, if so asked."""
    node = written(conf_folder() / "hw" / "link" / f"{name}.yaml")
    found = build(node, f"conf/hw/link/{name}.yaml")
    kept = OrderedDict((key, one) for key, one in found.protocols.items() if kernels or one.phased)
    return dataclasses.replace(found, protocols=kept)


def read(data: Path, wanted: Mapping[str, Any]) -> list[Row]:
    """Every measurement within the suite's sizes, with its role: `fit` or `held out`."""
    found = []
    for machine, files in wanted["machines"].items():
        found += _library(machine, data / files["library"], wanted)
        found += _kernel(machine, data / files["kernel"], wanted)
        for operation, name in files.get("elsewhere", {}).items():
            found += _elsewhere(machine, operation, data / name, wanted)
    least, most = _bytes(wanted["from"]), _bytes(wanted["to"])
    return [row for row in found if least <= row.size <= most]


def _bytes(text: str) -> float:
    return Rule("B").read(text)


def _table(path: Path) -> Any:
    import pandas as pd

    if not path.is_file():
        raise FileNotFoundError(
            f"data: there is no {path}; name the folder of the measurements, or set INFERSCAPE_DATA"
        )
    return pd.read_csv(path)


def _library(machine: str, path: Path, wanted: Mapping[str, Any]) -> list[Row]:
    table, rows = _table(path), []
    for column, kept in wanted["library_rows"].items():
        table = table[table[column] == kept]
    columns = (table.op_name, table.num_gpus, table.message_size, table.latency)
    for name, parts, elements, ms in zip(*columns, strict=True):
        operation = name.replace("alltoall", "all_to_all")
        role = "fit" if operation in wanted["fit"]["operations"] and parts in wanted["fit"]["parts"] else "held out"
        rows.append(Row(machine, "library", operation, int(parts), float(elements) * ELEMENT, ms / 1e3, role))
    return rows


def _kernel(machine: str, path: Path, wanted: Mapping[str, Any]) -> list[Row]:
    rows, most, table = [], _bytes(wanted["kernel_to"]), _table(path)
    for parts, elements, ms in zip(table.num_gpus, table.message_size, table.latency, strict=True):
        size = float(elements) * ELEMENT
        role = "fit" if size <= most and parts in wanted["fit"]["parts"] else "held out"
        rows.append(Row(machine, "kernel", "all_reduce", int(parts), size, ms / 1e3, role))
    return rows


def _elsewhere(machine: str, operation: str, path: Path, wanted: Mapping[str, Any]) -> list[Row]:
    table = _table(path)
    table = table[table.size_bytes >= _bytes(wanted["elsewhere_from"])]
    pairs = zip(table.size_bytes, table.time_us, strict=True)
    return [Row(machine, "elsewhere", operation, 4, float(size), us / 1e6, "held out") for size, us in pairs]


def seconds(link: Link, operation: str, sizes: Any, parts: Any) -> Any:
    """Modelled seconds [row] of one kind of collective."""
    ask = getattr(link, operation)

    def one(size: Any, n: Any) -> Any:
        return (ask(size, size, n) if operation == "all_reduce" else ask(size, n)).time

    return jax.vmap(one)(sizes, parts)


def predict(link: Link, rows: list[Row]) -> Any:
    """Modelled seconds [row], in the order of the rows."""
    found = jnp.zeros(len(rows))
    for operation in sorted({row.operation for row in rows}):
        index = np.array([i for i, row in enumerate(rows) if row.operation == operation])
        sizes, parts = (jnp.array([float(getattr(rows[i], name)) for i in index]) for name in ("size", "parts"))
        found = found.at[index].set(seconds(link, operation, sizes, parts))
    return found


def modelled(data: Path) -> list[tuple[Row, float]]:
    """Every measurement with the modelled seconds; the library's without kernels."""
    wanted, found = suite(), []
    every = read(data, wanted)
    for machine, files in along("collectives, machines", wanted["machines"].items()):
        for kernels in (False, True):
            rows = [row for row in every if row.machine == machine and (row.by == "kernel") == kernels]
            if rows:
                found += zip(rows, np.asarray(predict(link_of(files["link"], kernels), rows)).tolist(), strict=True)
    return found


def bands(pairs: list[tuple[Row, float]]) -> dict[str, tuple[float, float]]:
    """Of each machine, between which measured over modelled nine in ten of the fitted rows lie."""
    found = {}
    for machine in {row.machine for row, _ in pairs}:
        ratios = [row.seconds / time for row, time in pairs if row.machine == machine and row.role == "fit"]
        low, high = np.quantile(ratios, BAND)
        found[machine] = (float(low), float(high))
    return found


def validation(data: Path) -> Validation:
    """Every measurement against the links as configured; fitted rows are told apart."""
    pairs = modelled(data)
    around = bands(pairs)
    return Validation([_judged(row, time, around[row.machine]) for row, time in pairs])


def _judged(row: Row, time: float, band: tuple[float, float]) -> Compared:
    fitted = row.role == "fit"
    return Compared(
        name=row.name,
        kind=f"{row.machine}, {row.by}",
        quantity=f"{row.operation}_seconds",
        node_nm=None,
        measured=row.seconds,
        modelled=time,
        lower=time * band[0],
        upper=time * band[1],
        role=FITTED if fitted else PREDICTED,
        in_sample=time if fitted else None,
    )


# ---- fit --------------------------------------------------------------------------------------------------------

START = {  # where the fit starts; a number that is not here stays as it is in the link's file
    "quick": {"launch": 5e-6, "step": 1e-6, "sustained_fraction": 0.3},
    "bulk": {"launch": 30e-6, "sustained_fraction": 0.7, "own_share": 0.4},
    "kernel": {"launch": 3e-6, "step": 0.1e-6, "sustained_fraction": 0.5},
    "": {"reduction_fraction": 0.6, "reduction_latency": 50e-6},  # of the switch itself
}
TOLERANCE = 0.1  # relative error beyond which a row counts in proportion, not squared
Key = tuple[str, str]  # of a constant: protocol, or nothing for the link itself, and field


def with_constants(link: Any, keys: list[Key], values: Any) -> Any:
    """The link with other constants."""

    def places(it: Any) -> list[Any]:
        return [getattr(it.protocols[name] if name else it, field) for name, field in keys]

    return eqx.tree_at(places, link, [values[i] for i in range(len(keys))])


def fitted(link: Any, measured: list[Row], names: list[str]) -> dict[Key, float]:
    """The constants of the named protocols, and of the switch where it reduces, that fit these rows best."""
    from scipy.optimize import least_squares

    switch = [""] if float(link.reduction_fraction) > 0 and "bulk" in names else []
    start = {(name, field): value for name in names + switch for field, value in START[name].items()}
    keys, wanted = list(start), jnp.log(jnp.array([row.seconds for row in measured]))
    bare = dataclasses.replace(link, protocols=OrderedDict((name, link.protocols[name]) for name in names))

    @jax.jit
    def misses(logs: Any) -> Any:
        return jnp.log(predict(with_constants(bare, keys, jnp.exp(logs)), measured)) - wanted

    slopes = jax.jit(jax.jacfwd(misses))
    most = [0.0 if field.endswith("fraction") else np.inf for _, field in keys]
    given: Any = {"jac": lambda x: np.asarray(slopes(x)), "bounds": (-np.inf, most)}
    begin = np.log(list(start.values()))
    best = least_squares(lambda x: np.asarray(misses(x)), begin, loss="soft_l1", f_scale=TOLERANCE, **given)
    return dict(zip(keys, np.exp(best.x).tolist(), strict=True))


def fit(data: Path) -> dict[str, dict[Key, float]]:
    """For each machine, its constants in the units of their fields."""
    wanted, found = suite(), {}
    measured = [row for row in read(data, wanted) if row.role == "fit"]
    for machine, files in wanted["machines"].items():
        choose = partial(_rows_of, measured, machine)
        link = link_of(files["link"])
        found[machine] = fitted(link, choose("library"), ["quick", "bulk"])
        found[machine] |= fitted(link, choose("kernel"), ["kernel"])
    return found


def _rows_of(measured: list[Row], machine: str, by: str) -> list[Row]:
    return [row for row in measured if (row.machine, row.by) == (machine, by)]


# ---- show -------------------------------------------------------------------------------------------------------


def errors(pairs: list[tuple[Row, float]]) -> list[tuple[tuple[str, ...], int, float, float]]:
    """For each machine, library or other, operation and role: rows, median and 90 % quantile of the absolute error."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for row, time in pairs:
        key = (row.machine, row.by, row.operation, row.role)
        groups.setdefault(key, []).append(abs(time / row.seconds - 1))
    return [(key, len(e), float(np.median(e)), float(np.quantile(e, 0.9))) for key, e in sorted(groups.items())]


def curves(sizes: Any) -> dict[tuple[str, str, int, str], list[tuple[float, float]]]:
    """Modelled seconds over sizes, by machine, operation, parts and whose protocols."""
    found, at = {}, jnp.asarray(sizes)
    for machine, files in suite()["machines"].items():
        for by, kernels in (("library", False), ("kernel", True)):
            link = link_of(files["link"], kernels)
            for operation in ("all_reduce",) if kernels else (*OPERATIONS, "all_to_all"):
                for parts in (2, 4, 8):
                    line = seconds(link, operation, at, jnp.full(at.shape, float(parts)))
                    found[machine, operation, parts, by] = list(zip(at.tolist(), line.tolist(), strict=True))
    return found


def main(words: list[str]) -> None:
    """Print constants or errors, and draw the picture."""
    data = folder()
    if "fit" in words:
        for machine, constants in fit(data).items():
            for key, value in constants.items():
                print(f"{machine} {' '.join(key):30s} {value:.3g}")
        return
    pairs = modelled(data)
    for key, number, median, most in errors(pairs):
        print(f"{' '.join(key):48s} {number:4d} rows, median error {median:5.1%}, 90 % within {most:.1%}")
    from dse.validation.collectives_chart import draw, sizes

    print(f"drawn: {draw(pairs, curves(sizes()), Path('docs'))}")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
