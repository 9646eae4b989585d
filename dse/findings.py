"""Sentences that say what a search found."""

from __future__ import annotations

from typing import Any

from dse.goals import Goals


def finding(goals: Goals, points: list[dict[str, Any]], front: int) -> list[str]:
    """Sentences that say what the search found."""
    if not front:
        least = points[0]["violations"] if points else "nothing was evaluated"
        return [f"No design keeps every constraint; the nearest misses by: {least}."]
    said = []
    for name, sense in goals.objectives.items():
        pick = max if sense == "maximize" else min
        found = pick(points, key=lambda p: p["metrics"][name])
        chosen = ", ".join(str(v) for v in found["parameters"].values() if isinstance(v, str))
        causes = sorted(found["shares"].items(), key=lambda item: -item[1])[:2]
        limits = " and ".join(f"{share:.0%} {cause}" for cause, share in causes)
        words = f"{found['name']} ({chosen})" if chosen else found["name"]
        verb = "most" if sense == "maximize" else "least"
        said.append(f"The {verb} {name.replace('_', ' ')}: {words}; its time per output token is {limits}.")
    return said + shares_of_choices(points) + noise_of(points)


def shares_of_choices(points: list[dict[str, Any]]) -> list[str]:
    """How often each file choice is on the front."""
    said = []
    for key, value in points[0]["parameters"].items():
        if isinstance(value, str):
            chosen = [p["parameters"][key] for p in points]
            counts = ", ".join(f"{option} {chosen.count(option)}" for option in sorted(set(chosen)))
            said.append(f"Of {len(points)} points on the front, by {key}: {counts}.")
    return said


def noise_of(points: list[dict[str, Any]]) -> list[str]:
    """What the number formats on the front cost in accuracy."""
    noises = [p["metrics"]["quantisation_noise"] for p in points]
    low, high = -max(noises), -min(noises)
    span = f"{low:.1f} dB" if high - low < 0.05 else f"{low:.1f} to {high:.1f} dB"
    return [
        f"Quantisation noise on the front: {span} below the signal of a product, which no objective here counts; "
        "fix format=… where answers must be more accurate."
    ]
