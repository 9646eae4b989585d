"""A pass against its roofs as plain data, for files, tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from dse.evaluation.evaluate import Candidate
from dse.evaluation.fixed import mappings_of
from dse.machine.curve import stacked
from dse.machine.roofline import POOL, PROMPT, Dot, Seen, seen_of

SAME = 1e-9  # relative: peaks nearer than that are one roof


def rooflines(candidates: Sequence[Candidate], points: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """The passes of each candidate, all of one structure, each under the mappings of its point."""
    mappings = [mappings_of(point, one) for point, one in zip(points, candidates, strict=True)]
    laid = jax.tree.map(lambda *leaves: np.array(leaves, float), *mappings)
    found = jax.device_get(seen_of(stacked(candidates), laid))
    return [
        [
            passed(name, jax.tree.map(lambda leaf, row=row: float(leaf[row]), seen), tiers_of(one, name))
            for name, seen in found.items()
            if name != PROMPT or float(one.serving.prefill_share) > 0
        ]
        for row, one in enumerate(candidates)
    ]


def tiers_of(candidate: Candidate, name: str) -> list[str]:
    """The tiers of the machine that a pass runs on."""
    system = candidate.prefill.hw if name == POOL and candidate.prefill is not None else candidate.hw
    return list(system.chip.memory)


def passed(name: str, seen: Seen, tiers: Sequence[str]) -> dict[str, Any]:
    """One pass: its roofs, its operators, and the shares of its time that are no operator's."""
    operators = [operator(called, dot, seen, tiers) for called, dot in seen.dots.items()]
    worked = sum(dot.seconds for dot in seen.dots.values())
    rest = {"exchanges": seen.exchange, "software, starts of steps and layers": seen.seconds - worked - seen.exchange}
    return {
        "pass": name,
        "seconds": seen.seconds,
        "tiers": [
            {"name": tier, "sustained": slow, "peak": fast}
            for tier, slow, fast in zip(tiers, seen.sustained, seen.peak, strict=True)
        ],
        "peaks": peaks([dot for dot in seen.dots.values() if dot.operations > 0]),
        "operators": [one for one in operators if one["operations"] > 0],
        "rest": {words: max(0.0, seconds) / seen.seconds for words, seconds in rest.items()},
    }


def peaks(dots: Sequence[Dot]) -> list[float]:
    """The roofs of arithmetic, the highest first: one for each width of operands."""
    found: list[float] = []
    for peak in sorted((dot.peak for dot in dots), reverse=True):
        if not found or found[-1] - peak > SAME * peak:
            found.append(peak)
    return found


def operator(name: str, dot: Dot, seen: Seen, tiers: Sequence[str]) -> dict[str, Any]:
    """One dot; intensity is None of what reads nothing."""
    tier, rate = round(dot.tier), dot.operations / dot.seconds if dot.seconds > 0 else 0.0
    intensity = dot.operations / dot.moved if dot.moved > 0 else None
    roof = dot.peak if intensity is None else min(dot.peak, seen.sustained[tier] * intensity)
    bounds = dot.bounds._asdict()
    return {
        "name": name,
        "tier": tiers[tier],
        "operations": dot.operations,
        "bytes": dot.moved,
        "seconds": dot.seconds,
        "share": dot.seconds / seen.seconds,
        "energy_share": dot.joules / seen.joules if seen.joules > 0 else 0.0,
        "intensity": intensity,
        "rate": rate,
        "roof": roof,
        "bound": max(bounds, key=lambda cause: bounds[cause]),
    }
