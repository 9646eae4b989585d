"""The mappings that were not chosen, the nearest first, and why each loses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from dse.evaluation.evaluate import Candidate, rules
from dse.evaluation.mapping import Grid
from dse.evaluation.metrics import Mapping as Laid
from dse.evaluation.metrics import Metrics, Shares, more_is_better, units
from dse.run.numbers import amount

MOST_RUNNERS = 5
SAME = 1e-6  # relative: what is this near is as good
Point = Mapping[str, Any]
Ask = Callable[[Grid], Point]


def runners_up(
    ask: Ask, choices: Grid, candidate: Candidate, tiers: Sequence[str], objective: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The chosen mapping, and the best of those that were not chosen, each with why it loses.

    ask : the answer under the best mapping of a grid of a certain size. It is asked again without the mappings that it
    named before, so that nothing is compiled for this.
    """
    winner, found, left = ask(choices), [], choices
    last = winner
    for _ in range(MOST_RUNNERS):
        left = without(left, last["mapping"], tiers)
        if left is None:
            break
        last = ask(left)
        found.append(dict(last["mapping"]) | {"loses": why(winner, last, objective, broken(candidate, last, tiers))})
    return dict(winner["mapping"]), found


def without(choices: Grid, taken: Mapping[str, Any], tiers: Sequence[str]) -> Grid | None:
    """The grid with one mapping's places taken by another that is left; none where no other is."""
    columns = np.stack([np.asarray(column) for column in choices])
    chosen = np.array([indexed(taken, tiers)[name] for name in Grid._fields], dtype=float)
    same = (columns == chosen[:, None]).all(axis=0)
    if same.all():
        return None
    columns[:, same] = columns[:, [int(np.argmin(same))]]
    return Grid(*(jnp.asarray(column) for column in columns))


def indexed(mapping: Mapping[str, Any], tiers: Sequence[str]) -> dict[str, float]:
    """A mapping in numbers, its tiers by their places."""
    places = {name: tiers.index(mapping[name]) for name in ("weights", "cache")}
    return {name: float(value) for name, value in (dict(mapping) | places).items()}


def broken(candidate: Candidate, point: Point, tiers: Sequence[str]) -> list[str]:
    """The rules that a mapping does not keep, in words; none of a legal one. `candidate` may have other numbers than
    the one that was asked about."""
    if point["legal"]:
        return []
    kept = rules(candidate, Laid(**indexed(point["mapping"], tiers)))
    return [words for words, holds in kept.items() if not bool(holds)] or ["its degrees do not tile the machine"]


def why(winner: Point, loser: Point, objective: str, broken: Sequence[str]) -> str:
    """Why a mapping loses to another, in words: what it breaks, what it misses, or by how much it is worse and what
    takes the time."""
    if broken:
        return f"not legal: {'; '.join(broken)}"
    if loser["headroom"]["memory"] < min(0.0, winner["headroom"]["memory"]):
        return f"{amount(-loser['headroom']['memory'], 'B')} are missing in the fullest tier of a chip"
    late = 1 - loser["headroom"]["latency"]
    if late > 1 and late > (1 - winner["headroom"]["latency"]) * (1 + SAME):
        return f"takes {late:.3g} times as long as the tighter latency target allows"
    return worse(winner, loser, objective)


def worse(winner: Point, loser: Point, objective: str) -> str:
    """By how much the objective is worse, and the cause that takes more of a token's time."""
    best, value = winner["metrics"][objective], loser["metrics"][objective]
    name = objective.replace("_", " ")
    if abs(value - best) <= SAME * abs(best):
        return f"as good by {name}, and later in the grid"
    share = (value / best - 1) * (-1 if more_is_better(objective) else 1)
    said = f"{name} {amount(value, units(Metrics)[objective], 4)}, {share:.1%} worse"
    grown = {cause: seconds(loser, cause) - seconds(winner, cause) for cause in units(Shares)}
    cause = max(grown, key=lambda name: grown[name])
    if grown[cause] > 0:
        said += f"; {cause} takes {amount(grown[cause], 's')} more of a token"
    return said


def seconds(point: Point, cause: str) -> float:
    """Seconds of a token that a cause takes."""
    return point["shares"][cause] * point["metrics"]["time_per_output_token"]
