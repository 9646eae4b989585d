"""The curve of a machine's throughput against what each user gets, over loads of 1, 2, 4, ... users."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dse.batches import flat
from dse.console import digits, table
from dse.evaluate import Candidate
from dse.grids import Grids
from dse.mapping import Wanted
from dse.metrics import Answer
from dse.precision import arrays
from dse.ready import best_of
from dse.results import point
from dse.step import in_loops
from dse.template import Template

LOADS = 2.0 ** np.arange(21)  # users
SHOWN = ("tokens_per_second_per_user", "tokens_per_second", "time_to_first_token", "time_per_output_token")
USER, ALL = SHOWN[:2]
WORTH = 1.01  # a late load that gives not even so much more ends the curve
LIMITS = ("power", "heat", "clock")


def over_loads(candidate: Candidate, choices: Grids, wanted: Wanted, loads: Sequence[float]) -> dict[str, np.ndarray]:
    """Flat columns of the candidate under so many users, [loads], each with its own best mapping."""
    users = np.asarray(loads, float)
    one = arrays(candidate)
    found = replace(one, serving=replace(one.serving, users=jnp.asarray(users)))
    return flat(jax.device_get(best_under(found, choices, wanted)))


@functools.partial(jax.jit, static_argnames="wanted")
def best_under(candidate: Candidate, choices: Grids, wanted: Wanted) -> Answer:
    """The answers about a candidate whose users are an array, [loads]."""
    alone = jax.tree.map(lambda leaf: None, candidate)
    axes = replace(alone, serving=replace(alone.serving, users=0))
    with in_loops():
        return jax.vmap(lambda one: best_of(one, choices, wanted), in_axes=(axes,))(candidate)


def rows(columns: Mapping[str, np.ndarray], found: Template) -> list[dict[str, Any]]:
    """The loads up to the last that fits the memory, or to one that is late and gives nothing more, the Pareto-optimal
    ones marked.

    works : within memory, power, heat and the clock; feasible : in time for both targets too; best : works, and no
    smaller load that works is as fast, no other faster, for each user and for all together.
    """
    seen: list[dict[str, Any]] = []
    for row in range(len(columns["legal"])):
        answer = point(columns, row, found.tiers, found.tiers_beside)
        if not answer["legal"] or answer["headroom"]["memory"] < 0:
            break
        works = all(answer["headroom"][name] >= 0 for name in LIMITS)
        kept = {"users": answer["mapping"]["users"]} | {name: answer["metrics"][name] for name in SHOWN}
        late = answer["headroom"]["latency"] < 0
        kept |= {"works": works, "late": late, "feasible": works and not late}
        seen.append(kept | {name: value for name, value in answer.items() if name.endswith("mapping")})
        if len(seen) > 1 and kept["late"] and kept[ALL] < WORTH * max(one[ALL] for one in seen[:-1]):
            break
    working = [one for one in seen if one["works"]]
    for one in seen:
        one["best"] = one["works"] and not any(beats(other, one) for other in working)
    return seen


def beats(other: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    """True where the other is no slower by either measure, and faster by one or of fewer users."""
    pairs = [(float(f"{other[name]:.7g}"), float(f"{one[name]:.7g}")) for name in (USER, ALL)]
    return all(a >= b for a, b in pairs) and (any(a > b for a, b in pairs) or other["users"] < one["users"])


def show(curve: Sequence[Mapping[str, Any]]) -> None:
    """The curve as a table."""
    heads = ["users", "token/s a user", "token/s", "first token ms", "token ms", "in time", "on the front", "mapping"]
    lines = []
    for one in curve:
        numbers = [digits(one[name]) for name in SHOWN[:2]] + [digits(one[name] * 1e3) for name in SHOWN[2:]]
        marks = ["yes" if one[name] else "" for name in ("feasible", "best")]
        lines.append([str(one["users"]), *numbers, *marks, degrees_in_words(one["mapping"])])
    table("throughput over users at once (modelled)", heads, lines)


def degrees_in_words(mapping: Mapping[str, Any]) -> str:
    """The degrees above 1, and the tiers."""
    names = ("tensor", "sequence", "attention_data", "expert", "pipeline", "data")
    taken = [f"{name} {mapping[name]}" for name in names if mapping[name] > 1]
    return ", ".join([*taken, f"{mapping['weights']}/{mapping['cache']}"])
