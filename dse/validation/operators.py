"""Measured operators against the shipped machines: suite `operators` of task=validate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dse.run.bars import along
from dse.validation.operator_families import FAMILIES
from dse.validation.operator_files import left_out
from dse.validation.operator_rows import Bench, fitted, gathered, modelled, notes
from dse.validation.validate import PREDICTED, Row, Validation, errors_of

BAND = (0.05, 0.95)  # of the fitted rows' measured / modelled: the band around a prediction
MOST_ROWS = 20_000  # that are listed, drawn at random from those held back; errors are of all
SEED = 1


def validation(path: Path) -> Validation:
    """Rows that no constant was fitted on, against the model as configured; a folder of files, or one file.

    Of machines that constants were fitted on, the rows whose name's check sum says so are held back; of others, all.
    """
    folder = path / "operators" if (path / "operators").is_dir() else path
    every, warnings = gathered(folder, tuple(FAMILIES))
    answers = [(bench, _timed(bench)) for bench in along("operators, kinds of rows", every)]
    warnings += [_refused(bench, why) for bench, why in answers if isinstance(why, str)]
    pairs = [(bench, seconds) for bench, seconds in answers if not isinstance(seconds, str)]
    if not pairs:
        why = "; ".join(warnings) or "its files have no rows that are timed"
        raise ValueError(f"data: there are no operators in {folder} that can be timed: {why}")
    known = set(notes()["fitted"])
    held = [~fitted(bench.rows.names) | (bench.rows.machine not in known) for bench, _ in pairs]
    count = sum(int(which.sum()) for which in held)
    share = min(1.0, MOST_ROWS / max(count, 1))
    random, rows = np.random.default_rng(SEED), []
    for (bench, seconds), which in zip(pairs, held, strict=True):
        band = _band(bench, seconds, ~which)
        drawn = which & (random.random(len(which)) < share)
        rows += [_row(bench, int(i), float(seconds[i]), band) for i in np.flatnonzero(drawn)]
    errors = [_summed(bench, seconds, which) for (bench, seconds), which in zip(pairs, held, strict=True)]
    return Validation(rows, warnings, {"held_back": count, "listed": len(rows), "errors": errors} | _all(pairs, held))


def _timed(bench: Bench) -> np.ndarray | str:
    """Modelled seconds [row], or why there are none."""
    refusal = bench.chip.engine.refusal(bench.formats.weights, bench.formats.activations)
    if refusal:
        return refusal
    try:
        return modelled(bench)
    except AttributeError as error:  # an engine of another kind; one machine must not cost the others
        return f"rows of {bench.family.name} cannot be timed by this engine: {error}"


def _refused(bench: Bench, why: str) -> str:
    """That these rows are not counted, in words."""
    rows = bench.rows
    where = f"{bench.file}, {bench.family.name} {rows.kind} of {rows.machine}"
    return left_out(len(rows.seconds), where, why)


def _band(bench: Bench, seconds: np.ndarray, which: np.ndarray) -> tuple[float, float]:
    """Between which measured over modelled nine in ten fitted rows of this kind lie; of all, where none were fitted."""
    if not which.any():
        low, high = notes()["bands"][bench.family.name]
        return float(low), float(high)
    low, high = np.quantile(bench.rows.seconds[which] / seconds[which], BAND)
    return float(low), float(high)


def _row(bench: Bench, index: int, seconds: float, band: tuple[float, float]) -> Row:
    rows = bench.rows
    return Row(
        name=f"{rows.machine}: {rows.names[index]}",
        kind=f"{bench.family.name} {rows.kind}, {rows.machine}",
        quantity=f"{bench.family.name}_seconds",
        node_nm=None,
        measured=float(rows.seconds[index]),
        modelled=seconds,
        lower=seconds * band[0],
        upper=seconds * band[1],
        role=PREDICTED,
    )


def _summed(bench: Bench, seconds: np.ndarray, which: np.ndarray) -> dict[str, Any]:
    """Errors of all held-back rows of one kind."""
    found = {"family": bench.family.name, "machine": bench.rows.machine, "kind": bench.rows.kind}
    return found | errors_of(seconds[which] / bench.rows.seconds[which] - 1)


def _all(pairs: Sequence[tuple[Bench, np.ndarray]], held: Sequence[np.ndarray]) -> dict[str, Any]:
    """Errors of all held-back rows of each family."""
    found = {}
    for name in dict.fromkeys(bench.family.name for bench, _ in pairs):
        parts = [
            seconds[which] / bench.rows.seconds[which] - 1
            for (bench, seconds), which in zip(pairs, held, strict=True)
            if bench.family.name == name
        ]
        found[name] = errors_of(np.concatenate(parts))
    return {"all_held_back": found}
