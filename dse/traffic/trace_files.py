"""Files of recorded traces: tables with an arrival, a prompt and an output, and lines of JSON with blocks."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dse.traffic.traces import ENDINGS, Trace, checked

# What a column may be called, letters and digits only; a time that ends in ms counts milliseconds.
ARRIVAL = ("arrival", "arrivals", "arrivaltime", "arrivaltimestamp", "arrivedat", "timestamp", "timestamps", "time")
ALIASES = {
    "arrival": (*ARRIVAL, *(f"{name}ms" for name in ARRIVAL)),
    "prompt": ("prompt", "prompttokens", "promptlength", "promptlen", "contexttokens", "input", "inputlength",
               "inputlen", "inputtokens", "numprefilltokens", "prefilltokens"),
    "output": ("output", "outputtokens", "outputlength", "outputlen", "generatedtokens", "completiontokens",
               "numdecodetokens", "decodetokens", "answer", "answertokens"),
}  # fmt: skip
EXAMPLE = "name the columns arrival, prompt, output"
MILLI = 1e-3


def read(path: Path, rate: float | None = None, seed: int = 1) -> Trace:
    """The trace of a file; one without times gets a Poisson stream of `rate` requests/s."""
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise ValueError(f"trace: {path}: a trace is a file that ends in {', '.join(ENDINGS)}")
    return (_lines if ".jsonl" in name else _table)(path, rate, seed)


def _table(path: Path, rate: float | None, seed: int) -> Trace:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except pd.errors.EmptyDataError:
        raise ValueError(f"trace: {path}: the file is empty; {EXAMPLE} in a first line") from None
    except (pd.errors.ParserError, UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise ValueError(f"trace: {path}: this is no table of comma-separated values: {error}") from None
    columns = _columns(path, list(table.columns), rate)
    if not len(table):
        raise ValueError(f"trace: {path}: there are no requests below the heads; give a row for each")

    def row(i: int) -> str:
        return f"trace: {path}: line {i + 2}"

    lengths = {name: _numbers(table[columns[name]], columns[name], row) for name in ("prompt", "output")}
    arrival = _times(table[columns["arrival"]], columns["arrival"], row) if "arrival" in columns else None
    if arrival is None:
        arrival = poisson(len(table), float(rate or 1), seed)
    return checked(Trace(path.name, arrival, lengths["prompt"], lengths["output"], source=str(path)), row)


def _columns(path: Path, heads: list[str], rate: float | None) -> dict[str, str]:
    """Which column holds what; raises ValueError that names what is there and what is missing."""
    plain = {re.sub(r"[^a-z0-9]", "", str(head).lower()): head for head in heads}
    found = {name: plain[alias] for name, names in ALIASES.items() for alias in reversed(names) if alias in plain}
    missing = [name for name in ("prompt", "output") if name not in found]
    if missing:
        raise ValueError(
            f"trace: {path}: no column for {' and '.join(missing)}; found are {', '.join(map(str, heads))}; "
            f"{EXAMPLE}, or as one of {', '.join(ALIASES[missing[0]][:6])}, …"
        )
    if "arrival" not in found and rate is None:
        raise ValueError(
            f"trace: {path}: there are only lengths here ({', '.join(map(str, heads))}), no times; "
            "give rate=REQUESTS_PER_SECOND for a Poisson stream, or add a column arrival in seconds"
        )
    return found


def _numbers(cells: Any, head: str, row: Any) -> np.ndarray:
    import pandas as pd

    values = np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=float)
    if np.any(bad := np.isnan(values)):
        i = int(np.argmax(bad))
        raise ValueError(
            f"{row(i)}: {head} is {cells.iloc[i]!r}, which is no number; drop such requests or give theirs"
        )
    return values


def _times(cells: Any, head: str, row: Any) -> np.ndarray:
    """Seconds: numbers as they are (or milliseconds, if the head says so), dates from the first."""
    import pandas as pd

    values = np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=float)
    if not np.all(np.isnan(values)):
        scale = MILLI if re.search(r"(_|\b)ms\W*$", head.lower()) else 1.0
        return _numbers(cells, head, row) * scale
    dates: Any = pd.to_datetime(cells, errors="coerce", format="ISO8601", utc=True)
    if dates.isna().any():
        i = int(np.argmax(dates.isna().to_numpy()))
        raise ValueError(f"{row(i)}: {head} is {cells.iloc[i]!r}, neither seconds nor a date like 2023-11-16 18:17:03")
    return (dates - dates.iloc[0]).dt.total_seconds().to_numpy()


def poisson(requests: int, rate: float, seed: int) -> np.ndarray:
    """Arrivals [request], s, of a Poisson stream of `rate` requests/s."""
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, requests))


def _lines(path: Path, rate: float | None, seed: int) -> Trace:
    """Lines of JSON: timestamp in ms, input_length, output_length, and hash_ids, the blocks of the prompt."""
    rows = list(_objects(path))
    if not rows:
        raise ValueError(f"trace: {path}: there are no requests in this file")
    columns = _columns(path, list(rows[0][1]), rate)

    def row(i: int) -> str:
        return f"trace: {path}: line {rows[i][0]}"

    values = {
        name: np.array([_number(one, head, row(i)) for i, (_, one) in enumerate(rows)])
        for name, head in columns.items()
    }
    scale = MILLI if "arrival" in columns and columns["arrival"].lower().endswith(("timestamp", "ms")) else 1.0
    arrival = values.pop("arrival") * scale if "arrival" in values else poisson(len(rows), float(rate or 1), seed)
    blocks = tuple(tuple(one["hash_ids"]) for _, one in rows) if all("hash_ids" in one for _, one in rows) else None
    return checked(Trace(path.name, arrival, blocks=blocks, source=str(path), **values), row)


def _objects(path: Path) -> Iterable[tuple[int, Mapping[str, Any]]]:
    opened: Any = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        for i, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"trace: {path}: line {i} is no JSON: {error}") from None
            if not isinstance(found, dict):
                raise ValueError(f"trace: {path}: line {i} is no object with names; write one a line")
            yield i, found


def _number(one: Mapping[str, Any], head: str, place: str) -> float:
    value = one.get(head)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{place}: {head} is {value!r}, which is no number; drop such requests or give theirs")
    return float(value)
