"""Traces of requests: when each arrives, how long its prompt and its answer are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dse.configuration import measured
from dse.configuration.compose import conf_folder
from dse.configuration.schema import counted
from dse.run.near import nearest
from hw.units import Rule

GROUP = "traces"  # the folder of synthetic traces below conf/, and of recorded ones below the measurements
BLOCK = 512  # tokens of a block of prompt that requests may share
ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")


@dataclass(frozen=True)
class Trace:
    """Requests in the order of their arrival.

    arrival : [request], s from the first; prompt, output : [request], tokens;
    blocks : of each request, the names of the blocks of 512 tokens that its prompt is made of; none where unknown.
    """

    name: str
    arrival: np.ndarray
    prompt: np.ndarray
    output: np.ndarray
    blocks: tuple[tuple[int, ...], ...] | None = None
    source: str = ""

    def __len__(self) -> int:
        return len(self.prompt)

    @property
    def rate(self) -> float:
        """Requests a second: one over the mean gap; 0 where all arrive at once."""
        span = float(self.arrival[-1] - self.arrival[0])
        return (len(self) - 1) / span if span > 0 else 0.0

    def first(self, requests: int) -> Trace:
        """The first requests of the trace."""
        blocks = None if self.blocks is None else self.blocks[:requests]
        kept = {name: getattr(self, name)[:requests] for name in ("arrival", "prompt", "output")}
        return replace(self, **kept, blocks=blocks)

    def only(self, chosen: np.ndarray) -> Trace:
        """The requests of the trace that are chosen, [request]."""
        blocks = None if self.blocks is None else tuple(b for b, kept in zip(self.blocks, chosen, strict=True) if kept)
        kept = {name: getattr(self, name)[chosen] for name in ("arrival", "prompt", "output")}
        return replace(self, **kept, blocks=blocks)

    def at(self, rate: float) -> Trace:
        """The same requests at another rate: every gap is stretched alike, so that bursts stay bursts."""
        if self.rate == 0:
            raise ValueError(
                f"trace: {self.name}: all requests arrive at once, so there is no rate to change; leave out rate="
            )
        return replace(self, arrival=(self.arrival - self.arrival[0]) * (self.rate / rate))

    def digest(self) -> str:
        """What tells these requests from others."""
        found = hashlib.sha256()
        for values in (self.arrival, self.prompt, self.output):
            found.update(np.ascontiguousarray(values, dtype=float).tobytes())
        found.update(repr(self.blocks).encode())
        return found.hexdigest()[:32]

    def statistics(self) -> dict[str, Any]:
        """How many requests, how often, how long: plain data, tokens and seconds."""
        return {
            "name": self.name,
            "source": self.source,
            "digest": self.digest(),
            "requests": len(self),
            "rate": self.rate,
            "duration": float(self.arrival[-1] - self.arrival[0]),
            "dispersion": {f"{width} s": dispersion(self.arrival, width) for width in (1, 10, 60)},
            "prompt": lengths(self.prompt),
            "output": lengths(self.output),
        }


def lengths(tokens: np.ndarray) -> dict[str, float]:
    """Mean, quantiles and maximum of some lengths."""
    shown = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {"mean": float(np.mean(tokens))} | {name: float(np.quantile(tokens, q)) for name, q in shown.items()}


def dispersion(arrival: np.ndarray, width: float) -> float | None:
    """Variance over mean of the arrivals in windows of `width` seconds: 1 for a Poisson stream; none if too short."""
    windows = int((arrival[-1] - arrival[0]) / width)
    if windows < 10:
        return None
    counts = np.bincount(((arrival - arrival[0]) / width).astype(int), minlength=windows)[:windows]
    return float(np.var(counts) / np.mean(counts))


def load(given: Any, rate: Any = None, requests: Any = None, seed: int = 1, folders: Sequence[str] = ()) -> Trace:
    """The trace of a synthetic name or of a file; `rate` in requests/s rescales its times, `requests` cuts it.

    Raises ValueError or FileNotFoundError in words of a command line.
    """
    from dse.traffic import synthetic, trace_files

    wanted = None if rate is None else _positive(rate)
    most = None if requests is None else counted("requests", requests)
    if recipe := synthetic_files(folders).get(str(given)):
        found = synthetic.generate(synthetic.read(recipe), synthetic.REQUESTS if most is None else most, seed)
        return found if wanted is None or len(found) == 1 else found.at(wanted)
    found = trace_files.read(recorded(given, folders), wanted, seed)
    found = found if most is None else found.first(most)
    return found if wanted is None or len(found) == 1 else found.at(wanted)


def _positive(rate: Any) -> float:
    try:
        return Rule(above=0).read(rate)
    except ValueError as error:
        raise ValueError(f"rate: {error}; it counts requests a second; null takes the trace's own") from None


def synthetic_files(folders: Iterable[str] = ()) -> dict[str, Path]:
    """Every synthetic trace by its name; those of one's own folders win."""
    places = [conf_folder() / GROUP, *(Path(folder) / GROUP for folder in reversed(list(folders)))]
    return {path.stem: path for place in places for path in sorted(place.glob("*.yaml"))}


def recorded(given: Any, folders: Iterable[str] = ()) -> Path:
    """The file of a recorded trace: as named, or of that name among the measurements."""
    path, shelf = Path(str(given)), measured.folder() / GROUP
    for place in (path, shelf / path.name) if path.name == str(path) else (path,):
        if place.is_file():
            return place
    known = [*synthetic_files(folders), *(file.name for file in shelf.glob("*") if file.name.endswith(ENDINGS))]
    raise FileNotFoundError(
        f"trace: there is no synthetic trace and no file {str(given)!r}; {nearest(str(given), known)}; "
        "write trace=NAME or trace=FILE.csv"
    )


def checked(trace: Trace, row: Callable[[int], str]) -> Trace:
    """The trace itself, once its lengths and times are known to make sense; `row` names a request's place."""
    for name in ("prompt", "output"):
        tokens = getattr(trace, name)
        bad = np.flatnonzero((tokens < 1) | (tokens != np.round(tokens)) | ~np.isfinite(tokens))
        if len(bad):
            raise ValueError(
                f"{row(int(bad[0]))}: {name} is {tokens[bad[0]]:g} tokens; every length must be a whole number from 1; "
                f"drop such requests ({len(bad)} here)"
            )
    if not np.all(np.isfinite(trace.arrival)):
        raise ValueError(f"{row(int(np.argmin(np.isfinite(trace.arrival))))}: the arrival is no finite time")
    back = np.flatnonzero(np.diff(trace.arrival) < 0)
    if len(back):
        raise ValueError(
            f"{row(int(back[0]) + 1)}: arrives {trace.arrival[back[0]] - trace.arrival[back[0] + 1]:.6g} s before the "
            "request above it; times must not run backwards: sort the file by them"
        )
    whole = {name: getattr(trace, name).astype(np.int64) for name in ("prompt", "output")}
    return replace(trace, arrival=trace.arrival - trace.arrival[0], **whole)
