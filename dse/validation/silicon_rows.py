"""Published in-memory-compute macros, read from a CSV: what is missing gets its documented default or is left out."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

REQUIRED = ("name", "kind", "node_nm", "inputs_per_column", "columns", "input_bits", "weight_bits")
KINDS = ("digital", "analog")
# Smallest and largest number that a column may hold; outside of them it is a slip of the pen.
BOUNDS = {
    "node_nm": (1, 1000), "inputs_per_column": (1, 1e6), "columns": (1, 1e6), "input_bits": (1, 64),
    "weight_bits": (1, 64), "input_bits_per_cycle": (1, 64), "adc_bits": (1, 20), "supply_V": (0.1, 5),
    "frequency_MHz": (1e-3, 1e5), "TOPS_per_W": (1e-6, 1e9), "TOPS_per_mm2": (1e-9, 1e6),
    "macro_area_mm2": (1e-9, 1e5), "TOPS": (1e-9, 1e6),
}  # fmt: skip
NEEDED = ("node_nm", "inputs_per_column", "columns", "input_bits", "weight_bits")
STEP_BITS = 1.0  # input bits a cycle where none are given: bits are fed one by one
MOST_ADC_BITS = 8.0  # of a converter whose bits are not given; enough for a lossless sum otherwise
SUPPLY = ((40.0, 1.0), (20.0, 0.9), (10.0, 0.8), (0.0, 0.75))  # nodes from so many nm, and their usual volts
LEAST_SHARE = 0.5  # of the throughput that geometry and clock give; below, the published area is of something else


@dataclass(frozen=True)
class Chip:
    """A row: a macro at an operating point in SI units, its published answers, or why it cannot be used.

    `chip` is the name up to its year: rows of one chip share it. word_bits is the narrowest weight of that chip's rows
    with the same array: wider ones take several of its columns. frequency is the published one, or follows from the
    published throughput; 0 where neither is known.
    """

    name: str
    chip: str
    kind: str
    node: float = 0.0
    inputs: float = 0.0
    columns: float = 0.0
    input_bits: float = 0.0
    weight_bits: float = 0.0
    word_bits: float = 0.0
    step_bits: float = 0.0
    adc_bits: float = 0.0
    voltage: float = 0.0
    frequency: float = 0.0
    throughput: float = 0.0
    efficiency: float | None = None
    density: float | None = None
    node_nm: float | None = None
    excluded: str = ""
    density_excluded: str = ""
    note: str = ""


def read(path: Path) -> list[Chip]:
    """The rows of a CSV; raises in words where it is no such file."""
    if not path.is_file():
        raise FileNotFoundError(
            f"data: there is no file {str(path)!r}; give a CSV with the columns {', '.join(REQUIRED)}"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            heads = [head.strip() for head in reader.fieldnames or ()]
            reader.fieldnames = heads
            given = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"data: {path} is not a CSV in UTF-8 ({error})") from None
    if missing := [head for head in REQUIRED if head not in heads]:
        raise ValueError(
            f"data: {path} has no column {', '.join(missing)}; the first line must name {', '.join(REQUIRED)}"
        )
    if not given:
        raise ValueError(f"data: {path} has no rows below its head; give one line for each published macro")
    return native_words([chip(row, number) for number, row in enumerate(given, start=2)])


def chip(row: Mapping[str, str | None], line: int) -> Chip:
    """One row; `line` names it where it has no name."""
    name = _text(row, "name") or f"line {line}"
    found = Chip(name, chip_name(name), _text(row, "kind").lower() or "unknown")
    try:
        numbers = {column: _number(row, column) for column in BOUNDS}
    except ValueError as error:
        return replace(found, excluded=str(error))
    found = replace(
        found, node_nm=numbers["node_nm"], efficiency=numbers["TOPS_per_W"], density=numbers["TOPS_per_mm2"]
    )
    if found.kind not in KINDS:
        return replace(found, excluded=f"kind: {found.kind!r} is not modelled; known are {' and '.join(KINDS)}")
    if missing := [column for column in NEEDED if numbers[column] is None]:
        whole = "no geometry, a whole die: " if {"inputs_per_column", "columns"} & set(missing) else ""
        return replace(found, excluded=f"{whole}{', '.join(missing)} not given")
    return completed(filled(found, {k: v for k, v in numbers.items() if v is not None}), numbers)


def filled(found: Chip, numbers: Mapping[str, float]) -> Chip:
    """The numbers in SI units, with the defaults of those that are missing named in the note."""
    notes = []

    def default(column: str, value: float, words: str) -> float:
        if column not in numbers:
            notes.append(f"{words} assumed")
        return numbers.get(column, value)

    step = default("input_bits_per_cycle", STEP_BITS, f"{STEP_BITS:g} input bit a cycle")
    volts = next(volts for node, volts in SUPPLY if numbers["node_nm"] >= node)
    bits = 0.0
    if found.kind == "analog":
        lossless = min(MOST_ADC_BITS, math.ceil(step + math.log2(numbers["inputs_per_column"])))
        bits = default("adc_bits", lossless, f"converter of {lossless:g} bits")
    return replace(
        found, node=numbers["node_nm"] * 1e-9, inputs=numbers["inputs_per_column"], columns=numbers["columns"],
        input_bits=numbers["input_bits"], weight_bits=numbers["weight_bits"], word_bits=numbers["weight_bits"],
        step_bits=min(step, numbers["input_bits"]), adc_bits=bits,
        voltage=default("supply_V", volts, f"supply of {volts:g} V"),
        frequency=numbers.get("frequency_MHz", 0.0) * 1e6, note="; ".join(notes),
    )  # fmt: skip


def completed(found: Chip, numbers: Mapping[str, float | None]) -> Chip:
    """Density and throughput made complete from one another."""
    density, area, tops = found.density, numbers["macro_area_mm2"], numbers["TOPS"]
    if density is None and area and tops:
        density = tops / area
    if tops is None and area and density:
        tops = density * area
    return replace(found, density=density, throughput=(tops or 0.0) * 1e12)


def native_words(found: list[Chip]) -> list[Chip]:
    """Rows with the native word of their chip, and with the clock that their throughput tells."""
    narrowest: dict[tuple[str, float, float, float], float] = {}
    for row in found:
        key = (row.chip, row.node, row.inputs, row.columns)
        narrowest[key] = min(narrowest.get(key, row.weight_bits), row.weight_bits)
    words = [replace(r, word_bits=narrowest[(r.chip, r.node, r.inputs, r.columns)]) for r in found]
    return [clocked(row) if not row.excluded else row for row in words]


def clocked(row: Chip) -> Chip:
    """The clock from the published throughput where none is given; otherwise the density is dropped where the published
    throughput is far below what geometry and clock give: then its area is that of another array."""
    steps = math.ceil(row.input_bits / row.step_bits)
    operations = 2 * row.inputs * row.columns * row.word_bits / row.weight_bits / steps
    if row.throughput and not row.frequency:
        words = "clock derived from the published throughput"
        return replace(row, frequency=row.throughput / operations, note="; ".join(filter(None, (row.note, words))))
    if row.throughput and row.density and row.throughput < LEAST_SHARE * operations * row.frequency:
        share = row.throughput / (operations * row.frequency)
        words = f"the published throughput is {share:.2g} of inputs x columns x clock: the area is of another array"
        return replace(row, density_excluded=words)
    return row


def chip_name(name: str) -> str:
    """A row's chip: its name up to the year and the year's letter, `Author 2021b (8 b)` -> `Author 2021b`."""
    found = re.match(r"^.*?\b(?:19|20)\d\d[a-z]?\b", name)
    return (found[0] if found else name).strip().lower()


def _text(row: Mapping[str, str | None], column: str) -> str:
    value = row.get(column)
    return value.strip() if isinstance(value, str) else ""


def _number(row: Mapping[str, str | None], column: str) -> float | None:
    """The number in a cell, none where it is empty; raises ValueError where it cannot be."""
    text = _text(row, column)
    if not text:
        return None
    low, high = BOUNDS[column]
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column}: {text!r} is not a number") from None
    if not low <= value <= high:  # also where it is NaN
        raise ValueError(f"{column}: {text} must lie between {low:g} and {high:g}")
    return value
