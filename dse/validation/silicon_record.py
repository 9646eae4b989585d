"""What the shipped constants of in-memory-compute macros come from: priors, rows, and the fit without each chip."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.configuration.compose import conf_folder, written
from dse.configuration.schema import build
from dse.validation.bayes import Posterior, Prior
from dse.validation.silicon_fit import LAWS, Parts, fit_law, predictor, usable
from dse.validation.silicon_rows import Chip
from hw.units import Rule

EVERY = "every chip"
UNITS = {"unit_capacitance": "F", "unit_area": "m^2", "unit_delay": "s", "exponent": ""}
MACROS = "hw/chip/engine/macro"


@dataclass(frozen=True)
class Record:
    """rows: names of the rows in the fit. folds: law -> chip left out (or EVERY) -> posterior."""

    parts: Parts
    priors: dict[str, Prior]
    rows: list[str]
    folds: dict[str, dict[str, Posterior]]


def load(name: str) -> Any:
    """A shipped file of conf/ as plain data."""
    return written(conf_folder() / f"{name}.yaml")


@functools.cache
def shipped() -> Record:
    """The shipped record."""
    given, gates = load("validation/silicon"), load(f"{MACROS}/gates/n28")
    digital = build(given["digital"] | {"gates": gates}, "validation.silicon.digital")
    nodes = {"gates": gates, "converter": load(f"{MACROS}/converter/published")}
    analog = build(given["analog"] | nodes, "validation.silicon.analog")
    folds = load("validation/silicon_folds")
    return Record(
        Parts(digital.gates, digital, analog),
        {name: prior(name, given["priors"][name]) for name in LAWS},
        folds["rows"],
        {name: {chip: posterior(fold) for chip, fold in folds[name].items()} for name in LAWS},
    )


def prior(name: str, given: Mapping[str, Any]) -> Prior:
    """A law's prior: levels and factors are normal in their logarithm, `within` a factor; exponents as they are."""
    means, deviations = [], []
    for constant in LAWS[name].constants:
        value = Rule(UNITS.get(constant, ""), least=None).read(given[constant]["value"])
        exponent = constant == "exponent"
        means.append(value if exponent else np.log(value))
        deviations.append(float(given[constant]["within"]) if exponent else np.log(given[constant]["within"]))
    return Prior(np.array(means), np.array(deviations), float(given["scatter"]))


def posterior(given: Mapping[str, Any]) -> Posterior:
    return Posterior(np.array(given["mean"]), np.array(given["covariance"]), float(given["scatter"]))


def refit(record: Record, rows: Sequence[Chip]) -> dict[str, dict[str, Posterior]]:
    """Every law fitted on the rows, and again without each chip that tells about it."""
    folds = {}
    for name in LAWS:
        predict = predictor(record.parts, name)
        chips = list(dict.fromkeys(row.chip for row in usable(rows, name)))
        kept = {EVERY: list(rows)} | {chip: [row for row in rows if row.chip != chip] for chip in chips}
        folds[name] = {out: fit_law(predict, name, some, record.priors[name]) for out, some in kept.items()}
    return folds


def plain(folds: Mapping[str, Mapping[str, Posterior]]) -> dict[str, Any]:
    """Folds as they are written: six digits."""

    def rounded(values: np.ndarray) -> Any:
        return np.vectorize(lambda value: float(f"{value:.6g}"))(values).tolist()

    return {
        name: {
            chip: {"mean": rounded(p.mean), "covariance": rounded(p.covariance), "scatter": float(f"{p.scatter:.6g}")}
            for chip, p in some.items()
        }
        for name, some in folds.items()
    }
