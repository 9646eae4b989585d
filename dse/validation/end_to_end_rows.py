"""Rows of published runs: read, checked, and what each says about one run, or why it cannot be predicted."""

from __future__ import annotations

import csv
import functools
import gzip
import io
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.units import Rule

NEEDED = ("accelerator", "metric", "value", "unit")
MODEL = ("model", "model_key")
COLUMNS = (
    "row_id", "system", "accelerator", "n_accel", "model", "model_key", "precision", "input_len", "output_len",
    "batch_or_concurrency", "scenario", "metric", "value", "unit", "source", "date", "tp", "pp", "ep", "engine", "tier",
    "licence", "notes", "fully_specified",
)  # fmt: skip
GZIP = b"\x1f\x8b"
# Metric by its name, without how runs were gathered (SUFFIXES): the answer that it is held against, and its unit.
METRICS = {
    "tpot": ("token", "s"), "itl": ("token", "s"), "ttft": ("first", "s"), "prefill_time": ("first", "s"),
    "batch_latency": ("whole", "s"), "request_latency": ("whole", "s"), "e2e_latency": ("whole", "s"),
    "output_throughput_per_accel": ("rate_per_chip", "token/s"), "output_throughput": ("rate", "token/s"),
    "sample_throughput": ("requests", "1/s"), "energy_per_output_token": ("energy", "J/token"),
    "accelerator_power": ("chip_power", "W"), "system_wall_power": ("power", "W"),
}  # fmt: skip
SUFFIXES = ("", "_mean", "_avg", "_median", "_p50")  # of what answers are held against: the middle of many runs
ANSWERS = {  # what a row is held against, in words, by the spread that it has
    "token": "time_per_output_token", "first": "time_to_first_token", "whole": "batch_latency",
    "first_served": "time_to_first_token, in a queue", "rate": "tokens_per_second", "chip_power": "power of a chip",
    "engine_chosen": "tokens_per_second, batch chosen by the engine", "power": "power", "energy": "energy_per_token",
}  # fmt: skip
WIDER = ("other_machine", "unknown_engine")  # how much wider a spread is
TAIL = re.compile(r"_(p9\d|p99\.?\d*|max|min)$")
COUNTED = {  # what is counted in rates, as it is written, over how it is read
    r"\b(output )?(tokens?|toks?)\b": "token", r"\b(samples?|queries|query|requests?|req|prompts?)\b": "1",
    r"/\s*(GPU|accel\w*|chip|device|card)\b": "", r"/\s*(sec|second)s?\b": "/s",
}  # fmt: skip


class Refused(ValueError):  # noqa: N818  a row is refused, not wrong
    """Why a row is not predicted, in words."""


@dataclass(frozen=True)
class Run:
    """A row that says all that a prediction needs; names are as the row gives them.

    kind : `static`, `continuous` or `engine_chosen`; chips : of the whole run; groups : attention groups that share
    the experts.
    """

    row: Mapping[str, str]
    measured: float
    answer: str
    unit: str
    kind: str
    prompt: float
    output: float
    concurrency: float
    chips: float
    tensor: float
    pipeline: float
    expert: float
    groups: float


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV, packed or not, every known column there, empty where the file lacks it.

    Raises ValueError that names the columns which are needed and not there.
    """
    content = path.read_bytes()
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"data: {path} is no whole gzip file: {error}") from None
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""))
    given = [str(name).strip() for name in reader.fieldnames or ()]
    lacking = [name for name in NEEDED if name not in given]
    lacking += [] if set(MODEL) & set(given) else ["model or model_key"]
    if lacking:
        raise ValueError(
            f"data: {path} lacks the columns {', '.join(lacking)}; its first line must name at least "
            f"{', '.join(NEEDED)} and model or model_key"
        )
    reader.fieldnames = given
    rows = []
    for index, line in enumerate(reader):
        row = {name: str(line.get(name) or "").strip() for name in COLUMNS}
        rows.append(row | {"row_id": row["row_id"] or f"row {index + 1}"})
    if not rows:
        raise ValueError(f"data: {path} has no rows after its first line")
    return rows


def number(row: Mapping[str, str], name: str) -> float | None:
    """A number from 0, or none where the cell is empty."""
    given = row[name]
    if not given or given.lower() in ("nan", "none", "null", "-", "n/a", "na"):
        return None
    try:
        found = float(given.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", given) else given)
    except ValueError:
        raise Refused(f"{name}: {given!r} is no number") from None
    if not math.isfinite(found) or found < 0:
        raise Refused(f"{name}: {given!r} is no number from 0")
    return found


def needed(row: Mapping[str, str], name: str, least: float = 1.0) -> float:
    """A number from `least`, or a refusal that names the column."""
    found = number(row, name)
    if found is None:
        raise Refused(f"{name} is missing")
    if found < least:
        raise Refused(f"{name}: {row[name]!r} is less than {least:g}")
    return found


def measured(row: Mapping[str, str], unit: str) -> float:
    """The measured value in a unit of ours."""
    found = number(row, "value")
    if found is None or found <= 0:
        raise Refused(f"value: {row['value']!r} is no measurement; a number above 0 is")
    return found * factor(row["unit"], unit)


@functools.cache
def factor(given: str, unit: str) -> float:
    """How many of our unit one of a row's unit is."""
    text = given
    for pattern, word in COUNTED.items():
        text = re.sub(pattern, word, text, flags=re.IGNORECASE)
    try:
        found = Rule(unit).read(f"1 {text.strip()}") if text.strip() else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found) or found <= 0:
        raise Refused(f"unit: {given!r} is no unit of this metric; write it like {unit!r}")
    return found


def metric(row: Mapping[str, str]) -> tuple[str, str]:
    """The answer that a row's metric is held against, and its unit."""
    name = row["metric"].lower()
    if TAIL.search(name):
        raise Refused(f"metric: {name} is a tail; steady answers are means (task=serve gives tails)")
    found = next((METRICS[start] for start in METRICS for end in SUFFIXES if name == start + end), None)
    if found is None:
        raise Refused(
            f"metric: there is no answer to {row['metric']!r}; known are {', '.join(METRICS)}, "
            f"by themselves or with {', '.join(filter(None, SUFFIXES))}"
        )
    return found


def kind(row: Mapping[str, str], rules: Mapping[str, Any]) -> str:
    """Whether a batch begins and ends together, requests join and leave, or the engine takes what fits."""
    scenario, notes = row["scenario"].lower(), row["notes"].lower()
    for word, why in rules["scenarios"]["refused"].items():
        if word.lower() in scenario:
            raise Refused(f"scenario: {row['scenario']}: {why}")
    for word, why in rules["refused_notes"].items():
        if word in notes:
            raise Refused(f"notes: {why}")
    for name in ("engine_chosen", "static", "continuous"):
        if any(word in scenario for word in rules["scenarios"][name]):
            return "continuous" if name == "engine_chosen" and row["batch_or_concurrency"] else name
    if scenario:
        raise Refused(f"scenario: {row['scenario']!r} is not known")
    if row["metric"].lower().startswith(("batch_latency", "prefill_time")):
        return "static"
    raise Refused("scenario is missing")


def degrees(row: Mapping[str, str], chips: float) -> tuple[float, float, float, float]:
    """Tensor, pipeline and expert degrees and attention groups; `ep` may say DEP8: all eight share experts alone."""
    stages = max(number(row, "pp") or 1.0, 1.0)
    together = re.fullmatch(r"DEP(\d+)", row["ep"].upper())
    if together:
        spread = float(together[1])
        return 1.0, stages, spread, spread
    tensor = number(row, "tp")
    if tensor is None and chips > 1:
        raise Refused("tp is missing")
    groups = re.search(r"attention dp\s+(\d+)", row["notes"])
    expert = number(row, "ep") or 1.0
    return max(tensor or 1.0, 1.0), stages, expert, float(groups[1]) if groups else 1.0


def run(row: Mapping[str, str], rules: Mapping[str, Any]) -> Run:
    """What a row says; raises Refused where something that matters is missing or wrong."""
    answer, unit = metric(row)
    value = measured(row, unit)
    how = kind(row, rules)
    chips = needed(row, "n_accel")
    prompt = needed(row, "input_len")
    # the first token does not depend on how many follow, where all begin together
    alone = answer == "first" and how == "static" and number(row, "output_len") is None
    output = 1.0 if alone else needed(row, "output_len")
    batch = rules["engine_chosen"]["most"] if how == "engine_chosen" else needed(row, "batch_or_concurrency")
    tensor, stages, expert, groups = degrees(row, chips)
    if answer == "token" and output <= 1:
        raise Refused("output_len: a single token has no time between tokens")
    return Run(row, value, answer, unit, how, prompt, output, batch, chips, tensor, stages, expert, groups)


def check_spreads(rules: Mapping[str, Any], place: str) -> None:
    """Raises ValueError where a spread that rows need is not there, or is none."""
    given = rules.get("spread") or {}
    for name in ANSWERS:
        pair = given.get(name)
        if not (isinstance(pair, list) and len(pair) == 2 and 0 < pair[0] < pair[1]):
            raise ValueError(
                f"{place}: spread: {name}: {pair} is no spread; write [low, high] of measured over modelled"
            )
    for name in WIDER:
        times = given.get(name)
        if not isinstance(times, int | float) or times < 1:
            raise ValueError(f"{place}: spread: {name}: {times} must be a number from 1; by how much spreads are wider")


def is_sixteen_bit(row: Mapping[str, str]) -> bool:
    """Whether a row's empty precision means 16 bit: servers' rows name only what is narrower."""
    return not row["precision"] and "serving" in row["scenario"].lower()


def hashed(row: Mapping[str, str]) -> int:
    """A number that stays with a row."""
    return zlib.crc32(row["row_id"].encode())
