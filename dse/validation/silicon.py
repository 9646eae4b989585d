"""suite=silicon: in-memory-compute macros as published, against the same macros built from gates, cells, converters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from dse.run.bars import along
from dse.validation.bayes import Posterior
from dse.validation.silicon_fit import LAWS, QUANTITIES, Predictor, node_law, predictor, usable, with_fields
from dse.validation.silicon_record import EVERY, Record, plain, refit, shipped
from dse.validation.silicon_rows import Chip, read
from dse.validation.validate import EXCLUDED, LEFT_OUT, PREDICTED, Row, Validation
from hw.gates import NINETY_PER_CENT

NODES_NM = (16, 6, 5, 4, 3, 2)  # that the constants are carried to
GATE_LAWS = ("capacitance", "area", "delay")
AGREES = 0.01  # relative; constants fitted again on the same rows differ by rounding alone


@dataclass(frozen=True)
class Judge:
    """The constants that rows are judged by: fitted on all chips, and without the one that a row is of."""

    folds: dict[str, dict[str, Posterior]]

    def without(self, name: str, chip: str) -> tuple[Posterior, str]:
        """The posterior for a chip, and the role that it gives its rows."""
        known = self.folds[name]
        return (known[chip], LEFT_OUT) if chip in known and chip != EVERY else (known[EVERY], PREDICTED)


def validation(path: Path) -> Validation:
    """The suite: every row of a CSV, each with constants that its chip had no part in."""
    rows, record = read(path), shipped()
    folds, words = known_folds(record, rows)
    judge = Judge(folds)
    predict = {name: predictor(record.parts, name) for name, law in LAWS.items() if law.answer in QUANTITIES}
    found = [row for chip in along("chips", rows) for row in (*judged(judge, predict, chip), *excluded(chip))]
    return Validation(found, cautions(record, rows) + words, {"constants": constants(record)})


def known_folds(record: Record, rows: Sequence[Chip]) -> tuple[dict[str, dict[str, Posterior]], list[str]]:
    """The fits without each chip: made again where the data hold every fitted row, otherwise as shipped."""
    names = {row.name for row in rows if not row.excluded}
    if not set(record.rows) <= names:
        return record.folds, []
    chosen = [row for row in rows if row.name in set(record.rows)]
    again = refit(record, chosen)
    apart = max(float(np.abs(again[name][EVERY].mean - record.folds[name][EVERY].mean).max()) for name in LAWS)
    words = f"the fitted rows differ from those that the shipped constants were fitted on, by up to {apart:.0%}"
    return {n: some | {EVERY: record.folds[n][EVERY]} for n, some in again.items()}, [words] if apart > AGREES else []


def judged(judge: Judge, predict: Mapping[str, Predictor], chip: Chip) -> list[Row]:
    """The rows of a chip, one for each law that it tells about."""
    return [one(judge, name, predict[name], chip) for name in predict if usable([chip], name)]


def one(judge: Judge, name: str, predict: Predictor, chip: Chip) -> Row:
    """A row with its prediction and 90 % interval."""
    law = LAWS[name]
    posterior, role = judge.without(name, chip.chip)
    logs, slopes = predict(posterior.mean, [chip])
    centre = float(np.exp(logs[0]))
    factor = float(np.exp(NINETY_PER_CENT * posterior.deviation(slopes)[0]))
    measured = float(getattr(chip, law.answer))
    row = Row(chip.name, chip.kind, QUANTITIES[law.answer], chip.node_nm, measured, note=chip.note)
    if not all(np.isfinite([centre, factor])) or not centre > 0:
        return replace(row, note="the model has no answer at this geometry and voltage")
    fitted = None
    if role == LEFT_OUT:
        fitted = float(np.exp(predict(judge.folds[name][EVERY].mean, [chip])[0][0]))
    return replace(row, modelled=centre, lower=centre / factor, upper=centre * factor, role=role, in_sample=fitted)


def excluded(chip: Chip) -> list[Row]:
    """A row for each answer of a chip that cannot be judged, with the reason."""
    head = (chip.name, chip.kind)
    if chip.excluded or (chip.efficiency is None and chip.density is None):
        words = chip.excluded or "neither TOPS_per_W nor TOPS_per_mm2 is given"
        given = [(QUANTITIES[n], getattr(chip, n)) for n in QUANTITIES if getattr(chip, n) is not None]
        return [Row(*head, q, chip.node_nm, v, role=EXCLUDED, note=words) for q, v in given or [("TOPS_per_W", None)]]
    if chip.density_excluded:
        return [Row(*head, QUANTITIES["density"], chip.node_nm, chip.density, note=chip.density_excluded)]
    return []


def cautions(record: Record, rows: Sequence[Chip]) -> list[str]:
    """Words about rows of nodes that no fitted chip has."""
    found = []
    for node in sorted({row.node for row in rows if not row.excluded and row.kind == "digital"}):
        words = with_fields(record.parts.gates, node=node).caution()
        found += [words] if words else []
    return found


def constants(record: Record) -> dict[str, Any]:
    """The shipped laws with their widths, at other nodes too, and the analog factors."""
    gates = {name: carried(name, record.folds[name][EVERY], record) for name in GATE_LAWS}
    factors = {name: factor_table(name, record.folds[name][EVERY]) for name in LAWS if name not in GATE_LAWS}
    return {**gates, **factors, "fitted_rows": record.rows, "folds": plain(record.folds)}


def carried(name: str, found: Posterior, record: Record) -> dict[str, Any]:
    """A law of the gates, and its value at nodes from 16 nm down."""
    law = getattr(record.parts.gates, f"{name}_law")
    unit = {"capacitance": "F", "area": "m^2", "delay": "s"}[name]
    level, fitted = node_law(found, [float(law.fitted_from), float(law.fitted_to)])
    at = {f"{nm} nm": _at(level, fitted, nm * 1e-9) for nm in NODES_NM}
    return {
        "unit": unit, "level": level, "reference_nm": float(fitted.reference) * 1e9, "exponent": float(fitted.exponent),
        "exponent_deviation": float(fitted.exponent_deviation), "level_deviation": float(fitted.level_deviation),
        "scatter": float(fitted.scatter), "fitted_nm": [float(law.fitted_from) * 1e9, float(law.fitted_to) * 1e9],
        "extrapolation": at,
    }  # fmt: skip


def _at(level: float, law: Any, node: float) -> dict[str, float]:
    value = level * float(law.factor(node))
    factor = float(jnp.exp(NINETY_PER_CENT * law.deviation(node)))
    return {
        "value": value, "lower": value / factor, "upper": value * factor, "factor": factor,
        "octaves_outside": float(law.octaves_outside(node)),
    }  # fmt: skip


def factor_table(name: str, found: Posterior) -> dict[str, Any]:
    """The calibration factors of a law of analog macros, with their widths in the logarithm."""
    widths = np.sqrt(np.diag(found.covariance))
    factors: Mapping[str, Any] = {
        constant: {"value": float(np.exp(mean)), "deviation": float(width)}
        for constant, mean, width in zip(LAWS[name].constants, found.mean, widths, strict=True)
    }
    return {**factors, "scatter": found.scatter}
