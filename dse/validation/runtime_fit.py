"""The three constants of each software profile, fitted on the declared third of published runs.

`python -m dse.validation.runtime_fit [FILE] [PROFILE...]` prints the constants with their standard errors, the errors
before and after on the fitted rows and on those that nothing is fitted on, and the spreads that hold nine of ten fitted
rows. With the word `write` it puts the constants into the profiles' files; `--config-dir FOLDER` adds profiles of
one's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from dse.configuration.compose import beside
from dse.configuration.help import own_folders
from dse.configuration.measured import folder
from dse.run.numbers import amount
from dse.run.store import write_whole
from dse.validation.calibrate import covariance
from dse.validation.calibrate_write import put
from dse.validation.end_to_end import RATES, planned_or_refused, predicted, role, spread_name, value_of
from dse.validation.end_to_end_plan import Library, Planned
from dse.validation.end_to_end_program import Found, Question, kinds, slopes, stacked
from dse.validation.end_to_end_rows import read
from dse.validation.validate import FITTED, errors_of

NAMES = ("step_time", "layer_time", "hidden_exchange")
LEAST, MOST = np.zeros(3), np.array([60e-3, 300e-6, 0.9])  # s, s, share: the box that constants are sought in
SCALE = np.array([1e-3, 20e-6, 0.3])  # sizes that make the constants comparable
STARTS = ((0.2e-3, 5e-6, 0.1), (1e-3, 20e-6, 0.5), (4e-3, 60e-6, 0.1))
SOFT = 0.15  # relative error beyond which a row counts less than by its square
FEWEST = 12  # rows that three constants are fitted on at least
TIMES = ("token", "whole", "rate", "rate_per_chip", "first")


class Fit(NamedTuple):
    """Constants of a profile, their standard errors, and how many rows they rest on."""

    constants: np.ndarray
    errors: np.ndarray
    rows: int


def usable(one: Planned) -> bool:
    """Whether constants may be fitted on a row: a time or a rate of a batch that is stated, first tokens of static
    batches alone, since those of servers wait for more than the machine."""
    served = one.run.answer == "first" and one.run.kind == "continuous"
    return one.known and one.run.answer in TIMES and one.run.kind != "engine_chosen" and not served


def values_and_slopes(planned: Sequence[Planned]) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of what the rows' metrics are by the model [rows], and their derivatives by the constants
    [rows, 3]."""
    logs, derivatives = np.zeros(len(planned)), np.zeros((len(planned), len(NAMES)))
    questions = [one.question for one in planned]
    for indices in kinds(questions):
        done = [jax.device_get(slopes(stack)) for stack in stacked([questions[i] for i in indices])]
        for place, index in enumerate(indices):
            stack, row = divmod(place, len(done[0][0].token))
            found, by = (jax.tree.map(lambda leaf, row=row: leaf[row], part) for part in done[stack])
            name = planned[index].run.answer
            field = "rate" if name in RATES else name
            value = float(getattr(found, field))
            logs[index] = np.log(value_of(planned[index], found))
            # a derivative stands in the place of each constant
            derivatives[index] = [float(getattr(getattr(by, field), constant)) / value for constant in NAMES]
    return logs, derivatives


def with_constants(planned: Sequence[Planned], constants: np.ndarray) -> list[Planned]:
    """The rows with other constants of their software."""
    given = {name: float(value) for name, value in zip(NAMES, constants, strict=True)}

    def moved(question: Question) -> Question:
        return replace(question, runtime=replace(question.runtime, **given))  # type: ignore[arg-type]

    return [replace(one, question=moved(one.question)) for one in planned]


def fitted(planned: Sequence[Planned]) -> Fit:
    """The constants of least soft error in the logarithm, the best of several starts.

    Standard errors are those of least squares with the weights of the soft loss at the end; constants that lie on the
    edge of their box have none.
    """
    from scipy.optimize import least_squares

    measured = np.log([one.run.measured for one in planned])
    kept: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def asked(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if x.tobytes() not in kept:
            logs, by = values_and_slopes(with_constants(planned, x * SCALE))
            kept.clear()
            kept[x.tobytes()] = logs - measured, by * SCALE
        return kept[x.tobytes()]

    def of(part: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: asked(np.asarray(x))[part]

    runs = [
        least_squares(
            of(0),
            np.array(start) / SCALE,
            jac=of(1),  # type: ignore[arg-type]  # may be a function, whatever its stub says
            bounds=(LEAST / SCALE, MOST / SCALE),
            loss="soft_l1",
            f_scale=SOFT,
            max_nfev=25,
        )
        for start in STARTS
    ]
    best = min(runs, key=lambda found: found.cost)
    residuals, by = asked(best.x)
    inside = (best.x > 1e-6) & (best.x < MOST / SCALE - 1e-6)
    errors = np.full(len(NAMES), np.nan)
    if inside.any():
        errors[inside] = np.sqrt(np.diag(covariance(by[:, inside], residuals, SOFT)))
    return Fit(best.x * SCALE, errors * SCALE, len(planned))


def logs_of(planned: Sequence[Planned]) -> tuple[list[Planned], np.ndarray]:
    """The rows that have an answer, and the logarithms of measured over modelled."""
    pairs = [(one, found) for one, found in zip(planned, predicted(planned), strict=True) if isinstance(found, Found)]
    ratios = [np.log(one.run.measured / value_of(one, found)) for one, found in pairs]
    return [one for one, _ in pairs], np.array(ratios)


def told(name: str, logs: np.ndarray) -> str:
    """Errors in a line."""
    if not len(logs):
        return f"  {name}: no rows"
    found = errors_of(np.exp(-logs) - 1)
    return (
        f"  {name}: {found['count']} rows, median error {found['median_absolute_error']:.0%}, 90 % within "
        f"{found['p90_absolute_error']:.0%}, bias {found['bias']:+.0%}"
    )


def main(words: Sequence[str]) -> None:
    """Fit every profile that enough rows speak of, as the words ask."""
    folders = own_folders(words)
    taken = {"write", "--config-dir", "-cd", *map(str, folders)}
    rest = [word for word in words if word not in taken and not word.startswith("--config-dir=")]
    path = Path(rest[0]) if rest else folder() / "end_to_end.csv.gz"
    with beside(folders):
        fit_all(Library(folders), path, rest[1:], "write" in words)


def fit_all(library: Library, path: Path, wanted: Sequence[str], write: bool) -> None:
    """The profiles named, or all that the rows of a file speak of."""
    planned = [one for row in read(path) if isinstance(one := planned_or_refused(library, row), Planned)]
    profiles = list(wanted) or sorted({one.software for one in planned if one.known})
    after: list[Planned] = []
    for name in profiles:
        own = [one for one in planned if one.software == name]
        thirds = {which: [one for one in own if declared(library, one) is which] for which in (True, False)}
        good, _ = logs_of([one for one in thirds[True] if usable(one)])
        print(f"{name}:")
        if len(good) < FEWEST:
            print(f"  {len(good)} rows are too few for {len(NAMES)} constants")
            after += own
            continue
        fit = fitted(good)
        for constant, (value, source) in lines(fit).items():
            print(f"  {constant}: {value}  # {source}")
        if write:
            put_constants(library.software.files[name], fit)
        moved = with_constants(own, fit.constants)
        after += moved
        for which, words_for in ((True, "fitted"), (False, "predicted")):
            for when, rows in (("before", own), ("after", moved)):
                chosen = [one for one in rows if declared(library, one) is which and usable(one)]
                print(told(f"{words_for}, {when}", logs_of(chosen)[1]))
    print_spreads([one for one in after if declared(library, one)])


def lines(fit: Fit) -> dict[str, tuple[str, str]]:
    """Each constant as a file has it, and where it comes from."""
    found = {}
    for name, value, error, most in zip(NAMES, fit.constants, fit.errors, MOST, strict=True):
        unit = "" if name == "hidden_exchange" else "s"
        near = f"standard error {told_value(error, unit, 2)}"
        if not np.isfinite(error):
            value = most if value > most / 2 else 0.0
            near = "at its upper limit" if value else "at its lower limit"
        source = f"derived: fitted on {fit.rows} published runs, python -m dse.validation.runtime_fit write; {near}"
        found[name] = told_value(value, unit, 3), source
    return found


def told_value(value: float, unit: str, digits: int) -> str:
    """A value with so many digits, in a readable unit."""
    return amount(float(value), unit, digits)


def put_constants(path: Path, fit: Fit) -> None:
    """The constants in a profile's file, its comments and aliases kept; raises ValueError where a line lacks."""
    text = path.read_text()
    for name, (value, source) in lines(fit).items():
        text = put(text, [name], value)
        text = put(text, ["sources", name], f'"{source}"')
    write_whole(path, text)
    print(f"  changed: {path}")


def declared(library: Library, one: Planned) -> bool:
    """Whether a row belongs to the declared third."""
    return role(library.rules, one.run.row, one.machine) == FITTED


def print_spreads(planned: Sequence[Planned]) -> None:
    """Quantiles of measured over modelled, which hold nine of ten."""
    rows, logs = logs_of(planned)
    print("spread:")
    for name in sorted({spread_name(one) for one in rows}):
        mine = np.array([log for one, log in zip(rows, logs, strict=True) if spread_name(one) == name])
        low, high = np.exp(np.quantile(mine, [0.05, 0.95]))
        print(f"  {name}: [{low:.2f}, {high:.2f}]  # {len(mine)} rows")


if __name__ == "__main__":
    main(sys.argv[1:])
