"""task=calibrate: constants of a family of operators, fitted through the model itself to what others measured."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dse.configuration.measured import folder
from dse.problem.session import Session, about
from dse.run.answers import LEFT
from dse.run.bars import activity
from dse.run.console import console, table
from dse.run.outcome import ended
from dse.run.precision import arrays
from dse.run.store import write_json
from dse.validation.calibrate_write import put_all
from dse.validation.operator_families import Constant, family
from dse.validation.operator_rows import Bench, applies, fitted, gathered, key, modelled, notes, padded, seconds_of
from dse.validation.validate import errors_of

TOLERANCE = 0.1  # relative error beyond which a row counts in proportion, not squared
MOST_ROWS = 1500  # of a kind on a machine that are fitted, drawn at random from those that may be
LINKS = "collectives"  # constants of links, not of chips: fitted apart


class Fit(NamedTuple):
    """Constants by key, with the covariance of their logarithms [constant, constant], and the number of rows."""

    values: dict[str, float]
    covariance: np.ndarray
    rows: int

    @property
    def errors(self) -> np.ndarray:
        """Standard errors [constant], relative to the constants."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> np.ndarray:
        """Correlations [constant, constant] of the logarithms; rows are taken as independent."""
        return self.covariance / np.outer(self.errors, self.errors)


class Unknowns:
    """The constants of some benches as one vector of logarithms."""

    def __init__(self, found: Sequence[Bench]) -> None:
        self.benches = list(found)
        self.keys: dict[str, Constant] = {}
        for bench in found:
            self.keys |= {key(c, bench.rows.machine): c for c in self.of(bench)}
        places = list(self.keys)
        self.places = {name: i for i, name in enumerate(places)}

    @staticmethod
    def of(bench: Bench) -> tuple[Constant, ...]:
        """The constants that the rows of a bench depend on."""
        return tuple(constant for constant in bench.family.constants if applies(constant, bench))

    def where(self, bench: Bench) -> np.ndarray:
        """Which of the vector's elements they are."""
        return np.array([self.places[key(c, bench.rows.machine)] for c in self.of(bench)], int)

    def bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Begin, least, most."""
        columns = zip(*((c.begin, c.least, c.most) for c in self.keys.values()), strict=True)
        begin, least, most = (np.log(np.array(column)) for column in columns)
        return begin, least, most


def drawn(bench: Bench, seed: int) -> Bench:
    """The rows that are fitted, no more than MOST_ROWS of them."""
    which = np.flatnonzero(fitted(bench.rows.names))
    if len(which) > MOST_ROWS:
        which = np.sort(np.random.default_rng(seed).choice(which, MOST_ROWS, replace=False))
    return bench._replace(rows=bench.rows.taken(which))


@functools.cache
def _misses(one: Any, constants: tuple[Constant, ...]) -> tuple[Any, Any]:
    def ratio(logs: Any, machine: Any, shapes: Any) -> Any:
        values = [jnp.exp(logs[i]) for i in range(len(constants))]
        return jnp.log(seconds_of(one, constants, values, machine, shapes))

    return jax.jit(ratio), jax.jit(jax.jacfwd(ratio))


class Misses:
    """Logarithms of modelled over measured seconds [row], and their slopes, over the vector of constants."""

    def __init__(self, unknowns: Unknowns) -> None:
        self.unknowns = unknowns
        longest = max(len(bench.rows.seconds) for bench in unknowns.benches)
        self.parts = [self._part(bench, longest) for bench in unknowns.benches]

    def _part(self, bench: Bench, longest: int) -> Any:
        machine = arrays((bench.chip, bench.formats, bench.state))
        asked = _misses(bench.family, self.unknowns.of(bench))
        where, count = self.unknowns.where(bench), len(bench.rows.seconds)
        shapes = padded(bench.rows.shapes, longest)
        return asked, (machine, shapes), where, count, np.log(bench.rows.seconds)

    def __call__(self, logs: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [np.asarray(ask[0](logs[where], *given))[:n] - wanted for ask, given, where, n, wanted in self.parts]
        )

    def slopes(self, logs: np.ndarray) -> np.ndarray:
        """Derivatives [row, constant]."""
        found = []
        for ask, given, where, n, _ in self.parts:
            part = np.zeros((n, len(logs)))
            part[:, where] = np.asarray(ask[1](logs[where], *given))[:n]
            found.append(part)
        return np.concatenate(found)


def fit(found: Sequence[Bench], seed: int = 1) -> Fit:
    """Least squares of the logarithms, large misses in proportion; the covariance from J' W J at the best.

    Rows are taken as independent, so that errors which neighbours share make the covariance too small.

    covariance = s^2 (J' W J)^-1, W = 1 / sqrt(1 + (miss / tolerance)^2), s^2 = sum(W miss^2) / (rows - constants)
    """
    from scipy.optimize import least_squares

    unknowns = Unknowns([drawn(bench, seed) for bench in found])
    misses = Misses(unknowns)
    begin, least, most = unknowns.bounds()
    given: Any = {"jac": misses.slopes, "bounds": (least, most), "max_nfev": 100, "xtol": 1e-6, "ftol": 1e-6}
    best = least_squares(misses, begin, loss="soft_l1", f_scale=TOLERANCE, **given)
    values = {name: float(value) for name, value in zip(unknowns.keys, np.exp(best.x), strict=True)}
    return Fit(values, covariance(misses.slopes(best.x), misses(best.x)), len(best.fun))


def covariance(slopes: np.ndarray, misses: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
    """Of the fitted logarithms; directions that no row depends on have none."""
    weights = 1 / np.sqrt(1 + (misses / tolerance) ** 2)
    scale = np.sum(weights * misses**2) / max(len(misses) - slopes.shape[1], 1)
    return scale * np.linalg.pinv(slopes.T @ (weights[:, None] * slopes), hermitian=True)


def summed(found: Sequence[Bench], values: Mapping[str, float]) -> list[dict[str, Any]]:
    """Errors of every machine, kind and role, with these constants, over all rows."""
    lines = []
    for bench in found:
        error = modelled(bench, values) / bench.rows.seconds - 1
        chosen = fitted(bench.rows.names)
        for role, which in (("fitted", chosen), ("held back", ~chosen)):
            if not which.any():
                continue
            told = errors_of(error[which])
            lines.append({"machine": bench.rows.machine, "kind": bench.rows.kind, "role": role,
                          "rows": told.pop("count")} | told)  # fmt: skip
    return lines


def run(session: Session) -> None:
    """Fit, write calibration.json, print; change the configurations where that is asked for."""
    if session.config["family"] == LINKS:
        run_links(session)
    else:
        run_family(session, str(session.config["family"]))


def run_family(session: Session, name: str) -> None:
    """Constants of one family, in calibration.json and on the console."""
    given = session.config["data"]
    path = Path(str(given)) if given else folder() / "operators"
    found, warnings = chosen(path, name)
    for words in warnings:
        console.print(words, markup=False)
    if not found:
        why = "; ".join(warnings) or "its files have no rows that are timed"
        raise ValueError(f"data: there are no rows of {name} in {path} that constants may be fitted on: {why}")
    with activity(f"compiling and fitting {name}, {sum(len(bench.rows.seconds) for bench in found):,} rows"):
        best = fit(found, session.seed)
        errors = summed(found, best.values)
    constants = [
        {"key": key_, "value": value, "standard_error": float(error)}
        for (key_, value), error in zip(best.values.items(), best.errors, strict=True)
    ]
    session.folder.mkdir(parents=True, exist_ok=True)
    content = {"family": name, "data": str(path), "fitted_rows": best.rows, "constants": constants, "errors": errors}
    content |= {"correlation": best.correlation.tolist()}
    content |= about(session)
    files = LEFT["calibrate"].files(session.folder)
    write_json(files[0], content)
    show(constants, errors, best)
    put_all(found, best, session.switch("write"))
    ended("calibrate", content, files)


def chosen(path: Path, name: str) -> tuple[list[Bench], list[str]]:
    """The rows of a family of machines that constants are fitted on, and what is left out, in words."""
    every, warnings = gathered(path, [family(name).name])
    known = notes()["fitted"]
    others = dict.fromkeys((bench.file, bench.rows.machine) for bench in every if bench.rows.machine not in known)
    warnings += [
        f"left out: {file}: nothing is fitted on {machine}; name it in conf/validation/operators.yaml, fitted:"
        for file, machine in others
    ]
    return [bench for bench in every if bench.rows.machine in known], warnings


def run_links(session: Session) -> None:
    """Constants of the links' protocols, which have a fit of their own."""
    from dse.validation.collectives import fit as fit_links

    data = session.config["data"]
    with activity("compiling and fitting the protocols of links"):
        found = fit_links(Path(str(data)) if data else folder())
    constants = [
        {"key": f"{'.'.join(filter(None, where))}@{machine}", "value": value}
        for machine, each in found.items()
        for where, value in each.items()
    ]
    session.folder.mkdir(parents=True, exist_ok=True)
    content = {"family": LINKS, "constants": constants} | about(session)
    files = LEFT["calibrate"].files(session.folder)
    write_json(files[0], content)
    table("constants", ["constant", "value"], [[one["key"], f"{one['value']:.3g}"] for one in constants])
    ended("calibrate", content, files)


def show(constants: list[dict[str, Any]], errors: list[dict[str, Any]], best: Fit) -> None:
    """Constants, errors, and which constants the rows hardly tell apart."""
    cells = [[one["key"], f"{one['value']:.4g}", f"{one['standard_error']:.1%}"] for one in constants]
    table(f"constants fitted on {best.rows} rows", ["constant", "value", "standard error"], cells)
    heads = ["machine", "kind", "role", "rows", "median", "90 %", "bias"]
    cells = [[e["machine"], e["kind"], e["role"], str(e["rows"]), f"{e['median_absolute_error']:.1%}",
              f"{e['p90_absolute_error']:.1%}", f"{e['bias']:+.1%}"] for e in errors]  # fmt: skip
    table("errors over all rows", heads, cells)
    names, like = list(best.values), np.triu(np.abs(best.correlation), 1)
    for i, j in np.argwhere(like > 0.9):
        console.print(f"hardly told apart: {names[i]} and {names[j]}, correlation {best.correlation[i, j]:+.2f}")
