"""The constants of in-memory-compute macros, fitted on published silicon through the very components that use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import dse.run.precision  # noqa: F401
from dse.validation.bayes import Posterior, Prior, fit
from dse.validation.silicon_rows import Chip
from hw.analog_macro import AnalogMacro
from hw.digital_macro import DigitalMacro
from hw.gates import Gates, NodeLaw
from hw.macro import Macro
from models.numerics import NumberFormat

PADDED = 16  # rows are filled up to a multiple of this, so that few shapes are compiled
REFERENCE = 28e-9  # node at which the constants' priors are stated
GEOMETRY = ("node", "inputs", "columns", "input_bits", "weight_bits", "word_bits", "step_bits", "adc_bits", "voltage",
            "frequency")  # fmt: skip


# Constants and rows -> logarithms of the modelled answers [row], their slopes [row, constant].
Predictor = Callable[[np.ndarray, Sequence[Chip]], tuple[np.ndarray, np.ndarray]]


class Parts(NamedTuple):
    """Shipped components: what a row's macro is built from."""

    gates: Gates
    digital: DigitalMacro
    analog: AnalogMacro


class Law(NamedTuple):
    """A group of constants that is fitted by itself: the kind of macro and the answer that tell about it."""

    kind: str
    answer: str
    constants: tuple[str, ...]


LAWS = {
    "capacitance": Law("digital", "efficiency", ("unit_capacitance", "exponent")),
    "area": Law("digital", "density", ("unit_area", "exponent")),
    "delay": Law("digital", "frequency", ("unit_delay", "exponent")),
    "analog_energy": Law("analog", "efficiency", ("array_energy_factor", "converter_energy_factor")),
    "analog_area": Law("analog", "density", ("array_area_factor",)),
}
QUANTITIES = {"efficiency": "TOPS_per_W", "density": "TOPS_per_mm2"}


def integers(bits: Any) -> NumberFormat:
    """Plain integers of so many bits."""
    plain: dict[str, Any] = {"element_bits": bits, "exponent_bits": 0.0, "block": 1.0, "scale_bits": 0.0}
    return NumberFormat(**plain)


def gates_with(gates: Gates, node: Any, name: str, constants: Any) -> Gates:
    """The gates of `node` (metres), one law replaced by a level (logarithm, at REFERENCE) and an exponent."""
    level, exponent = constants
    law = getattr(gates, f"{name}_law")
    at = {"node": node, f"unit_{name}": jnp.exp(level)}
    # Only level, reference and exponent of a law matter to a prediction; its widths stay.
    at[f"{name}_law"] = with_fields(law, reference=REFERENCE, exponent=exponent)
    return with_fields(gates, **at)


def with_fields(component: Any, **changed: Any) -> Any:
    """The component with some fields replaced."""
    kept = {name: getattr(component, name) for name in component.__dataclass_fields__}
    return type(component)(**(kept | changed))


def digital(parts: Parts, row: Mapping[str, Any], gates: Gates) -> DigitalMacro:
    """The digital macro of a row."""
    return with_fields(
        parts.digital, gates=gates, rows=row["inputs"], columns=row["columns"], word_bits=row["word_bits"],
        input_bits_per_clock=row["step_bits"],
    )  # fmt: skip


def analog(parts: Parts, row: Mapping[str, Any], gates: Gates, factors: Mapping[str, Any]) -> AnalogMacro:
    """The analog macro of a row: cells scaled to its node, one converter for all bits of a word, none shared."""
    cell = with_fields(
        parts.analog.cell, area=gates.cell_area(), capacitance=parts.analog.cell.capacitance * row["node"] / REFERENCE
    )
    return with_fields(
        parts.analog, gates=gates, cell=cell, converter=with_fields(parts.analog.converter, bits=row["adc_bits"]),
        rows=row["inputs"], columns=row["columns"], word_bits=row["word_bits"], bits_per_converter=row["word_bits"],
        input_bits_per_clock=row["step_bits"], analog_voltage=row["voltage"], **factors,
    )  # fmt: skip


def macro(parts: Parts, name: str, row: Mapping[str, Any], constants: Any) -> Macro:
    """A row's macro with the constants of one law, everything else as shipped."""
    law = LAWS[name]
    if law.kind == "digital":
        return digital(parts, row, gates_with(parts.gates, row["node"], name, constants))
    factors = {field: jnp.exp(value) for field, value in zip(law.constants, constants, strict=True)}
    return analog(parts, row, with_fields(parts.gates, node=row["node"]), factors)


def answer(name: str, built: Macro, row: Mapping[str, Any]) -> Any:
    """TOPS/W, TOPS/mm2 or Hz of a macro under a row's formats, voltage and clock."""
    held, fed = integers(row["weight_bits"]), integers(row["input_bits"])
    if LAWS[name].answer == "efficiency":
        return 1e-12 / built.operation_energy(row["voltage"], held, fed)
    limit = built.clock_limit(row["voltage"])
    if LAWS[name].answer == "frequency":
        return limit
    clock = jnp.where(row["frequency"] > 0, row["frequency"], limit)
    return built.operations(held, fed) * clock / built.area() * 1e-12 * 1e-6  # per mm2


def predictor(parts: Parts, name: str) -> Predictor:
    """What predicts the answers of a law's rows, compiled."""

    def logarithm(constants: Any, row: Mapping[str, Any]) -> Any:
        return jnp.log(answer(name, macro(parts, name, row, constants), row))

    def both(constants: Any, row: Mapping[str, Any]) -> Any:
        return logarithm(constants, row), jax.jacfwd(logarithm)(constants, row)

    compiled = jax.jit(jax.vmap(both, in_axes=(None, 0)))

    def predict(constants: np.ndarray, rows: Sequence[Chip]) -> tuple[np.ndarray, np.ndarray]:
        filled = [*rows, *[rows[0]] * (-len(rows) % PADDED)]
        stacked = {field: np.array([getattr(row, field) for row in filled]) for field in GEOMETRY}
        logs, slopes = compiled(np.asarray(constants, float), stacked)
        return np.asarray(logs)[: len(rows)], np.asarray(slopes)[: len(rows)]

    return predict


def usable(rows: Sequence[Chip], name: str) -> list[Chip]:
    """The rows that tell about a law."""
    law = LAWS[name]
    found = [row for row in rows if not row.excluded and row.kind == law.kind and getattr(row, law.answer)]
    return [row for row in found if not (law.answer == "density" and row.density_excluded)]


def fit_law(predict: Any, name: str, rows: Sequence[Chip], prior: Prior) -> Posterior:
    """The posterior of one law from the rows that tell about it."""
    chosen = usable(rows, name)
    observed = np.array([getattr(row, LAWS[name].answer) for row in chosen], float)
    return fit(lambda constants: predict(constants, chosen), observed, [row.chip for row in chosen], prior)


def node_law(found: Posterior, nodes: Sequence[float]) -> tuple[float, NodeLaw]:
    """The level of a fitted law and the law around the node at which level and exponent are uncorrelated.

    With x = ln(node / REFERENCE), cov(level + x exponent, exponent) = 0 at x = -cov_01 / cov_11.
    """
    cov = found.covariance
    shift = -cov[0, 1] / cov[1, 1]
    widths: dict[str, Any] = {
        "scatter": found.scatter,
        "level_deviation": float(np.sqrt(cov[0, 0] - cov[0, 1] ** 2 / cov[1, 1])),
        "exponent_deviation": float(np.sqrt(cov[1, 1])),
    }
    around: dict[str, Any] = {"reference": REFERENCE * float(np.exp(shift)), "exponent": float(found.mean[1])}
    fitted: dict[str, Any] = {"fitted_from": min(nodes), "fitted_to": max(nodes)}
    law = NodeLaw(**around, **widths, **fitted)
    return float(np.exp(found.mean[0] + shift * found.mean[1])), law
