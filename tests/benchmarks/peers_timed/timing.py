"""Seconds of a call that is made again and again; it imports nothing, so that every environment can run it."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def row(what: str, work: Callable[[Any], Any], given: Iterable[Any], each: int = 1) -> Row:
    """Median and least microseconds of an evaluation.

    given : what each call is made with; its order is that of the calls. each : evaluations in a call.
    """
    seconds = []
    for one in given:
        start = time.perf_counter()
        work(one)
        seconds.append((time.perf_counter() - start) / each)
    return {
        "what": what,
        "microseconds": statistics.median(seconds) * 1e6,
        "least_microseconds": min(seconds) * 1e6,
        "calls": len(seconds),
    }


def finish(rows: list[Row], packages: Iterable[str]) -> None:
    """Write the rows and the versions into the file that the command line names."""
    versions = {name: metadata.version(name) for name in packages}
    Path(sys.argv[1]).write_text(json.dumps({"rows": rows, "versions": versions}), encoding="utf-8")
