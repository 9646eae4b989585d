"""The mappings that were not chosen, the nearest first, and why each loses."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from dse.evaluate import Candidate, evaluate, rules
from dse.mapping import Grid, Wanted, complete, first_by, keys
from dse.metrics import Answer, Metrics, Shares, more_is_better, units
from dse.results import bytes_in_words
from dse.results import point as point_of
from hw.units import readable

MOST_RUNNERS = 5
SAME = 1e-6  # relative: what is this near is as good


@functools.partial(jax.jit, static_argnames="wanted")
def under_every_mapping(candidate: Candidate, choices: Grid, wanted: Wanted) -> tuple[Answer, Any]:
    """The answers about one candidate under every mapping of the grid, [mappings], and the index of the best."""
    answers = jax.vmap(lambda choice: evaluate(candidate, complete(candidate, wanted, choice)))(choices)
    return answers, first_by(keys(answers, wanted))


def runners_up(
    candidate: Candidate, answers: Answer, columns: Mapping[str, np.ndarray], wanted: Wanted, tiers: Sequence[str]
) -> list[dict[str, Any]]:
    """The best of the mappings that were not chosen, each with its answers and why it loses to the chosen one."""
    ordered = np.lexsort([np.asarray(key) for key in reversed(keys(answers, wanted))])
    winner = point_of(columns, int(ordered[0]), tiers)
    found = []
    for row in ordered[1 : MOST_RUNNERS + 1]:
        loser = point_of(columns, int(row), tiers)
        mapping = jax.tree.map(lambda leaf, row=row: leaf[row], answers.mapping)
        broken = [words for words, kept in rules(candidate, mapping).items() if not bool(kept)]
        found.append(loser | {"loses": why(winner, loser, wanted.objective, broken)})
    return found


def why(winner: Mapping[str, Any], loser: Mapping[str, Any], objective: str, broken: Sequence[str]) -> str:
    """Why a mapping loses to another, in words: what it breaks, what it misses, or by how much it is worse and what
    takes the time."""
    if broken:
        return f"not legal: {'; '.join(broken)}"
    if loser["headroom"]["memory"] < min(0.0, winner["headroom"]["memory"]):
        return f"{bytes_in_words(-loser['headroom']['memory'])} are missing in the fullest tier of a chip"
    late = 1 - loser["headroom"]["latency"]
    if late > 1 and late > 1 - winner["headroom"]["latency"]:
        return f"takes {late:.3g} times as long as the tighter latency target allows"
    return worse(winner, loser, objective)


def worse(winner: Mapping[str, Any], loser: Mapping[str, Any], objective: str) -> str:
    """By how much the objective is worse, and the cause that takes more of a token's time."""
    best, value = winner["metrics"][objective], loser["metrics"][objective]
    name = objective.replace("_", " ")
    if abs(value - best) <= SAME * abs(best):
        return f"as good by {name}, and later in the grid"
    share = (value / best - 1) * (-1 if more_is_better(objective) else 1)
    factor, unit = readable(units(Metrics)[objective], value)
    said = f"{name} {value * factor:.4g} {unit}".strip() + f", {share:.1%} worse"
    grown = {cause: seconds(loser, cause) - seconds(winner, cause) for cause in units(Shares)}
    cause = max(grown, key=lambda name: grown[name])
    if grown[cause] > 0:
        factor, unit = readable("s", grown[cause])
        said += f"; {cause} takes {grown[cause] * factor:.3g} {unit} more of a token"
    return said


def seconds(point: Mapping[str, Any], cause: str) -> float:
    """Seconds of a token that a cause takes."""
    return point["shares"][cause] * point["metrics"]["time_per_output_token"]
