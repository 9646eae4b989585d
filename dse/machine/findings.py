"""Sentences that say what a search found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dse.evaluation.goals import Goals
from dse.evaluation.metrics import section_of
from dse.problem.space import Space, Values

STEP = "time per output token"  # what `shares` are of


def finding(goals: Goals, points: list[dict[str, Any]], front: int, space: Space, config: Any) -> list[str]:
    """Sentences that say what the search found."""
    if not front:
        least = f"{points[0]['name']}, misses: {points[0]['violations']}" if points else "has not been evaluated"
        return [f"No design keeps every constraint; the nearest, {least}.", traffic(config)]
    bests = {name: best_point(points, name, sense) for name, sense in goals.objectives.items()}
    said = [best_words(name, goals.objectives[name], found) for name, found in bests.items()]
    said += shares_of_choices(points) + edges(list(bests.values()), space)
    return [*said, *noise_of(goals, points), traffic(config)]


def best_point(points: list[dict[str, Any]], name: str, sense: str) -> dict[str, Any]:
    pick = max if sense == "maximize" else min
    return pick(points, key=lambda p: p["metrics"][name])


def best_words(name: str, sense: str, found: Mapping[str, Any]) -> str:
    """Which point is the best by an objective, its size and price, what its time, energy, cost or carbon is made of."""
    section = section_of(name)
    what = section.removesuffix("_shares") if section != "shares" else STEP
    causes = sorted(found.get(section, {}).items(), key=lambda item: -item[1])[:2]
    limits = " and ".join(f"{share:.0%} {cause}" for cause, share in causes)
    chosen = ", ".join(v for v in labelled(found).values() if isinstance(v, str))
    words = f"{found['name']} ({chosen})" if chosen else found["name"]
    made = f"; its {what} is {limits}" if limits else ""
    return (
        f"The {'most' if sense == 'maximize' else 'least'} {name.replace('_', ' ')}: {words}{size_words(found)}{made}."
    )


def size_words(found: Mapping[str, Any]) -> str:
    """How many chips a point has and what it costs to buy, as far as they are known."""
    chips, price = found.get("chips"), found["metrics"].get("system_cost")
    said = [f"{chips:,.0f} {'chip' if chips == 1 else 'chips'}"] if chips else []
    said += [money(price)] if price else []
    return f": {', '.join(said)}" if said else ""


def money(price: float) -> str:
    """US dollars in two or three digits: `820 USD`, `35,600 USD`, `1.2 million USD`."""
    if price < 999_500:
        return f"{float(f'{price:.3g}'):,.0f} USD"
    factor, word = (1e6, "million") if price < 999.5e6 else (1e9, "billion")
    return f"{float(f'{price / factor:.2g}'):,g} {word} USD"


def labelled(point: Mapping[str, Any]) -> dict[str, Any]:
    """A point's parameters; a choice that makes no difference is named with its equals, `this or that`."""
    equal = point.get("equal", {})
    return {
        key: " or ".join([value, *equal[key]]) if isinstance(value, str) and equal.get(key) else value
        for key, value in point["parameters"].items()
    }


def shares_of_choices(points: list[dict[str, Any]]) -> list[str]:
    """How often each file choice is on the front."""
    said, labels = [], [labelled(p) for p in points]
    for key, value in points[0]["parameters"].items():
        if isinstance(value, str):
            chosen = [label[key] for label in labels]
            counts = ", ".join(f"{option} {chosen.count(option)}" for option in sorted(set(chosen)))
            said.append(f"Of {len(points)} points on the front, by {key}: {counts}.")
    return said


def edges(bests: list[dict[str, Any]], space: Space) -> list[str]:
    """Parameters of which every best point takes the first or the last value: beyond may be better still."""
    found = []
    for parameter in space.numeric:
        taken = {p["codes"][parameter.key] for p in bests if p["parameters"][parameter.key] is not None}
        ends = {0.0, parameter.size - 1.0} if isinstance(parameter, Values) else {parameter.low, parameter.high}
        if len(taken) == 1 and taken <= ends and parameter.size > 1:
            found.append(f"{parameter.key}={parameter.text(next(iter(taken)))}")
    return [f"The best points lie at the edge of the space in {', '.join(found)}."] if found else []


def noise_of(goals: Goals, points: list[dict[str, Any]]) -> list[str]:
    """What the number formats on the front cost in accuracy, where no objective counts it."""
    if "quantisation_noise" in goals.objectives:
        return []
    noises = [p["metrics"]["quantisation_noise"] for p in points]
    low, high = -max(noises), -min(noises)
    span = f"{low:.1f} dB" if high - low < 0.05 else f"{low:.1f} to {high:.1f} dB"
    return [
        f"Quantisation noise on the front: {span} below the signal of a product, which no objective here counts; "
        "fix format=… where answers must be more accurate."
    ]


def traffic(config: Mapping[str, Any]) -> str:
    """Whom the machines serve; of what the space varies, that it does."""
    many = {"users": "several numbers of", "prompt": "several numbers of", "output": "several lengths"}
    varied = {name: words for name, words in many.items() if f"serving.{name}" in (config.get("space") or {})}
    s = dict(config["serving"]) | varied
    pool = "filled here" if s["prefill_share"] else "filled elsewhere"
    pool = "filled by another pool" if config.get("prefill") else pool
    return (
        f"Traffic: {s['users']} users at once, prompts of {s['prompt']} tokens {pool}, answers of {s['output']}; "
        f"targets {s['time_to_first_token_target']} to the first token, {s['time_per_output_token_target']} a token."
    )
