"""Synthetic traces: kinds of requests with their quantiles of lengths, and a stream that is now busy, now quiet.

`python -m dse.traffic.synthetic FILE EDGE...` prints the kinds of a recorded trace, divided at some lengths of
the prompt.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dse.run.near import nearest
from dse.traffic.traces import Trace
from hw.units import Rule

REQUESTS = 10_000  # where nobody says how many
PROBABILITIES = (
    0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 1
)  # fmt: skip
FIELDS = (
    "about",
    "source",
    "attribution",
    "rate",
    "busy_share",
    "busy_rate",
    "busy_spread",
    "memory",
    "probabilities",
    "kinds",
)


@dataclass(frozen=True)
class Kind:
    """A kind of request: its share of all, and the quantiles [probability] of its two lengths, tokens."""

    share: float
    prompt: np.ndarray
    output: np.ndarray


@dataclass(frozen=True)
class Recipe:
    """What a synthetic trace is made from.

    rate : requests/s; busy_share : share of time that is busy; busy_rate : the mean rate then over the whole mean;
    busy_spread : standard deviation over mean of the rates of single busy times; memory : s after which busy or quiet
    is forgotten.
    """

    name: str
    rate: float
    busy_share: float
    busy_rate: float
    busy_spread: float
    memory: float
    probabilities: np.ndarray
    kinds: Mapping[str, Kind]
    source: str = ""


def read(path: Path) -> Recipe:
    """The recipe of a file; raises ValueError that names the place, the value and the rule."""
    import yaml

    node = yaml.safe_load(path.read_text()) or {}
    for name in node:
        if name not in FIELDS:
            raise ValueError(f"{path}: there is no {name!r} here; {nearest(str(name), FIELDS)}")
    if missing := [name for name in FIELDS[3:] if name not in node]:
        raise ValueError(f"{path}: {', '.join(missing)} missing; see conf/traces/chat_synthetic.yaml")
    share = _read(path, "busy_share", node["busy_share"], Rule(above=0, most=0.999))
    return Recipe(
        path.stem,
        _read(path, "rate", node["rate"], Rule(above=0)),
        share,
        _read(path, "busy_rate", node["busy_rate"], Rule(least=1, most=1 / share)),
        _read(path, "busy_spread", node["busy_spread"], Rule(least=0, most=3)),
        _read(path, "memory", node["memory"], Rule("s", above=0)),
        _rising(path, "probabilities", node["probabilities"], 0),
        _kinds(path, node),
        str(node.get("attribution", "")),
    )


def _read(path: Path, name: str, given: Any, rule: Rule) -> float:
    try:
        return rule.read(given)
    except ValueError as error:
        raise ValueError(f"{path}: {name}: {error}") from None


def _rising(path: Path, name: str, given: Any, least: float) -> np.ndarray:
    values = np.array(given if isinstance(given, list) else [], dtype=float)
    if len(values) < 2 or values[0] < least or np.any(np.diff(values) < 0):
        raise ValueError(f"{path}: {name}: {given!r} must be a list of numbers that rise from {least:g}")
    return values


def _kinds(path: Path, node: Mapping[str, Any]) -> dict[str, Kind]:
    kinds = {}
    for name, one in node["kinds"].items():
        lists = [_rising(path, f"kinds.{name}.{which}", one.get(which), 1) for which in ("prompt", "output")]
        if any(len(values) != len(node["probabilities"]) for values in lists):
            raise ValueError(f"{path}: kinds.{name}: as many lengths are needed as there are probabilities")
        kinds[name] = Kind(_read(path, f"kinds.{name}.share", one.get("share"), Rule(least=0, most=1)), *lists)
    if abs(sum(kind.share for kind in kinds.values()) - 1) > 1e-6:
        raise ValueError(f"{path}: kinds: the shares must sum to 1")
    return kinds


def generate(recipe: Recipe, requests: int, seed: int) -> Trace:
    """A trace of this recipe; the same seed gives the same trace, and its mean rate is the recipe's.

    Between two quantiles the logarithm of the length is linear: tails are long.
    """
    random = np.random.default_rng(seed)
    kinds = list(recipe.kinds.values())
    chosen = random.choice(len(kinds), requests, p=[kind.share for kind in kinds])
    columns = {}
    for name in ("prompt", "output"):
        drawn = random.random(requests)
        tables = [np.interp(drawn, recipe.probabilities, np.log(getattr(kind, name))) for kind in kinds]
        columns[name] = np.rint(np.exp(np.choose(chosen, tables))).astype(np.int64)
    trace = Trace(recipe.name, arrivals(recipe, requests, random), **columns, source=recipe.source)
    return trace.at(recipe.rate) if requests > 1 else trace


def arrivals(recipe: Recipe, requests: int, random: np.random.Generator) -> np.ndarray:
    """Arrivals [request], s: a Poisson stream whose rate changes between busy and quiet at random.

    Busy and quiet times are exponential with means memory / quiet share and memory / busy share; the rate of each busy
    time is drawn from a gamma distribution. The rate's variance over its squared mean, with h the busy rate, q the
    quiet one, s the busy share and c the spread, is

        v = s h^2 (1 + c^2) + (1 - s) q^2 - 1

    and for times much shorter than the memory, the arrivals' variance over mean is 1 + rate x time x v.
    """
    share, level = recipe.busy_share, recipe.busy_rate
    quiet = max(0.0, (1 - share * level) / (1 - share))
    state, start, works, times = int(random.random() >= share), 0.0, [0.0], [0.0]
    target = np.cumsum(random.exponential(1.0, requests))  # of the expected number of arrivals so far
    while works[-1] <= target[-1]:
        length = random.exponential(recipe.memory / (share if state else 1 - share))
        start += length
        times.append(start)
        works.append(works[-1] + (quiet if state else level * _uneven(recipe, random)) * recipe.rate * length)
        state = 1 - state
    return np.interp(target, works, times)


def _uneven(recipe: Recipe, random: np.random.Generator) -> float:
    """The rate of one busy time over their mean."""
    square = recipe.busy_spread**2
    return float(random.gamma(1 / square, square)) if square else 1.0


def fitted(trace: Trace, edges: list[float]) -> dict[str, Any]:
    """The kinds of a recorded trace: quantiles of both lengths of the prompts between some edges."""
    bounds, kinds = [0, *edges, np.inf], {}
    for low, high in itertools.pairwise(bounds):
        inside = (trace.prompt > low) & (trace.prompt <= high)
        name = f"up_to_{high:.0f}" if np.isfinite(high) else "longer"
        kinds[name] = {"share": round(float(np.mean(inside)), 4)} | {
            which: [round(float(one)) for one in np.quantile(getattr(trace, which)[inside], PROBABILITIES)]
            for which in ("prompt", "output")
        }
    return {"rate": round(trace.rate, 3), "probabilities": list(PROBABILITIES), "kinds": kinds}


def main(words: list[str]) -> None:
    import yaml

    from dse.traffic.traces import load

    print(yaml.safe_dump(fitted(load(words[0]), list(map(float, words[1:]))), sort_keys=False, default_flow_style=None,
                         width=120))  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
