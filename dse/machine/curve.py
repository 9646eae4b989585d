"""The curve of a machine's throughput against what each user gets, over loads of 1, 2, 4, ... users."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dse.evaluation.batches import QUICK, flat
from dse.evaluation.evaluate import Candidate
from dse.evaluation.grids import Grids
from dse.evaluation.mapping import Wanted
from dse.evaluation.metrics import Answer
from dse.evaluation.ready import best_of, picked_of
from dse.evaluation.results import point
from dse.evaluation.step import in_loops
from dse.problem.template import Template
from dse.run.console import table
from dse.run.numbers import digits

LOADS = 2.0 ** np.arange(21)  # users
SHOWN = ("tokens_per_second_per_user", "tokens_per_second", "time_to_first_token", "time_per_output_token")
USER, ALL = SHOWN[:2]
BESIDE = ("power", "system_cost", "cost_per_million_tokens")  # what throughput is held against
WORTH = 1.01  # a late load that gives not even so much more ends the curve
LIMITS = ("power", "heat", "clock")


def over_loads(candidate: Candidate, choices: Grids, wanted: Wanted, loads: Sequence[float]) -> dict[str, np.ndarray]:
    """Flat columns of the candidate under so many users, [loads], each with its own best mapping."""
    found = best_under(stacked([candidate]), jnp.asarray(loads, float), choices, wanted)
    return {name: values[0] for name, values in flat(jax.device_get(found)).items()}


def stacked(alike: Sequence[Candidate]) -> Candidate:
    """Candidates of one structure as one, its leaves [candidates]."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf, float) for leaf in leaves]), *alike)


@functools.partial(jax.jit, static_argnames=("wanted", "goodput"), compiler_options=QUICK)
def best_under(candidates: Candidate, loads: Any, choices: Grids, wanted: Wanted, goodput: bool = True) -> Answer:
    """The answers about candidates under so many users, [candidates, loads].

    One after the other: a loop is traced and compiled in half the time of a batch, and there are few of either.
    goodput : whether it is asked for where mappings need not be compared by it.
    """
    answer = best_of if goodput else picked_of

    def under(one: Candidate) -> Answer:
        return jax.lax.map(
            lambda users: answer(replace(one, serving=replace(one.serving, users=users)), choices, wanted), loads
        )

    with in_loops():
        return jax.lax.map(under, candidates)


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
        kept = {"users": answer["mapping"]["users"]} | {name: answer["metrics"][name] for name in (*SHOWN, *BESIDE)}
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
