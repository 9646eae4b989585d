"""task=evaluate: one machine under its best or a given mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from dse.evaluation.batches import best_of_one, flat
from dse.evaluation.explain import missing
from dse.evaluation.goals import Goals
from dse.evaluation.grids import grids, own_fanouts
from dse.evaluation.mapping import DEGREES, Grid, Wanted, no_mapping
from dse.evaluation.metrics import SOMETIMES, more_is_better
from dse.evaluation.results import display, point
from dse.evaluation.runners import Point, runners_up
from dse.evaluation.terms import all_built, largest_first
from dse.machine import curve
from dse.machine.curve import degrees_in_words
from dse.machine.curve_picture import picture
from dse.machine.effects import sensitivity
from dse.machine.findings import traffic
from dse.machine.roofline_picture import picture as roofline_picture
from dse.machine.roofline_rows import rooflines
from dse.problem.session import Session, about
from dse.problem.template import Template, template
from dse.run.answers import LEFT
from dse.run.bars import activity
from dse.run.console import console, table
from dse.run.numbers import digits
from dse.run.outcome import ended
from dse.run.precision import arrays
from dse.run.store import write_json, write_whole
from dse.uncertainty.beliefs import Beliefs
from dse.uncertainty.sureness import show_bounds
from dse.uncertainty.uncertainty import widened
from hw.chip import Chip

BESIDE = ("curve", "runners_up")  # what `answers` tells beside a point
SHARES = {
    "shares": "time of a token",
    "energy_shares": "energy of a token",
    "cost_shares": "cost of a token",
    "carbon_shares": "carbon of a token",
    "power_shares": "power of the site",
}


def answer(found: Template, wanted: Wanted) -> dict[str, Any]:
    """All answers about one template as a point; raises ValueError where no mapping can be tried."""
    candidate = found.candidate
    choices = grids([candidate], own_fanouts(candidate), wanted)
    one = arrays(candidate)
    found_best = jax.device_get(best_of_one(one, choices, wanted))
    return legal_point({name: np.atleast_1d(value) for name, value in flat(found_best).items()}, found, wanted)


def answers(found: Template, wanted: Wanted) -> dict[str, Any]:
    """The same, its curve over other loads, and the mappings that came next; a batch that was asked for is a load of
    its own, without a curve."""
    candidate = found.candidate
    choices = grids([candidate], own_fanouts(candidate), wanted)
    loads = [float(candidate.serving.users), *([] if wanted.batch else curve.LOADS)]

    def columns(own: Grid) -> dict[str, np.ndarray]:
        return curve.over_loads(candidate, choices._replace(own=own), wanted, loads)

    def named(own: Grid) -> dict[str, Any]:
        return point(columns(own), 0, found.tiers, found.tiers_beside)

    best = columns(choices.own)
    result = legal_point(best, found, wanted)
    others = {name: values[1:] for name, values in best.items()}
    _, losers = runners_up(named, choices.own, candidate, found.tiers, wanted.objective)
    return result | {"curve": curve.rows(others, found), "runners_up": losers}


def legal_point(columns: dict[str, np.ndarray], found: Template, wanted: Wanted) -> dict[str, Any]:
    """The first of some answers as a point; ValueError where the degrees that were asked for are not legal."""
    if not columns["legal"][0] and any(getattr(wanted, name) for name in DEGREES):
        raise ValueError(no_mapping(found.candidate, wanted))
    return point(columns, 0, found.tiers, found.tiers_beside)


def run(session: Session) -> None:
    """Evaluate, write metrics.json, print."""
    explaining = session.switch("elasticities")  # what is wrong is said before anything is evaluated
    found = template(session.overrides)
    title = " ".join(session.choices.get(group, "") for group in ("hw", "model", "format", "serving"))
    with activity(f"compiling and evaluating {title}"):
        result: dict[str, Any] = answers(found, session.wanted) | all_built(found.candidate)
        result["roofline"] = rooflines([found.candidate], [result])[0] if result["legal"] else []
    result["missing"] = [str(one) for one in missing(found.candidate, result)]
    if explaining:
        with activity("elasticities"):
            result["sensitivity"] = moving(session, found, result)
    beliefs = Beliefs.read(session.config["spreads"])
    if beliefs.evaluate and beliefs.draws:
        with activity(f"spreads: {beliefs.draws} draws"):
            result |= widened(found, result, beliefs, session.wanted, session.seed)
    session.folder.mkdir(parents=True, exist_ok=True)
    said = {"title": title, "cautions": found.cautions}
    content, files = result | said | about(session), LEFT["evaluate"].files(session.folder)
    write_json(files[0], content)
    console.print(title, style="bold")
    for words in found.cautions:
        console.print(words, style="yellow")
    console.print(traffic(session.config))
    if words := held_back(found.candidate.hw.chip, result["metrics"]["clock"]):
        console.print(words, style="yellow")
    show(result)
    if "bounds" in result:
        show_bounds(result)
    show_runners(result["runners_up"])
    for words in result.get("sensitivity", {}).get("words", ()):
        console.print(words)
    if len(result["curve"]) > 1:
        curve.show(result["curve"])
        slowest = 1 / float(found.candidate.serving.time_per_output_token_target)
        files.append(session.folder / "curve.svg")
        write_whole(files[-1], picture(title, result["curve"], slowest))
    if result["roofline"]:
        files.append(session.folder / "roofline.svg")
        write_whole(files[-1], roofline_picture(title, result["roofline"]))
    ended("evaluate", content, files)


def moving(session: Session, found: Template, result: Point) -> dict[str, Any]:
    """What moves the objectives, and what mappings are compared by."""
    goals, objective = Goals.read(session.config["objectives"]), session.wanted.objective
    own = {objective: "maximize" if more_is_better(objective) else "minimize"}
    return sensitivity(found.candidate, found.config, result, own | goals.objectives, goals.constraints)


def held_back(chip: Chip, clock: float) -> str:
    """That the clock fell to the power limit, in words; empty where it did not."""
    rated = float(chip.engine.frequency)
    if clock > 0.999 * rated:
        return ""
    limit = float(chip.cooling.power_limit)
    return (
        f"the clock is held at {clock / 1e9:.4g} of {rated / 1e9:.4g} GHz by hw.chip.cooling.power_limit, {limit:.4g} W"
    )


def show(result: dict[str, Any]) -> None:
    """What is broken, then the answers as tables."""
    shown = display([result])
    for words in result["missing"]:
        console.print(f"does not fit: {words}", style="bold red")
    for section in [name for name in result if name.endswith("mapping")]:
        mapping = "  ".join(f"{name} {value}" for name, value in result[section].items())
        console.print(f"{section.replace('_', ' ')}: {mapping}")
    for section in ("metrics", "headroom", *(name for name in SOMETIMES if name in result)):
        rows = [
            [name, digits(result[section][name] * column["factor"]), column["unit"], column["means"]]
            for name, column in shown[section].items()
        ]
        table(f"{section} (modelled)", [section, "value", "unit", "what it is"], rows)
    for section, unit in (("cost_terms", "USD"), ("carbon_terms", "kg")):
        lines = [[name, digits(size), f"{share:.1%}"] for name, size, share in largest_first(result[section])]
        table(f"to build, before markup: {section} (modelled)", ["term", unit, "share"], lines)
    for section, words in SHARES.items():
        parts = sorted(result[section].items(), key=lambda item: -item[1])
        console.print(f"{words}: " + ", ".join(f"{name} {share:.1%}" for name, share in parts if share >= 0.0005))


def show_runners(losers: Sequence[Mapping[str, Any]]) -> None:
    """The mappings that came next, and why they lose."""
    if losers:
        lines = [[str(i + 2), degrees_in_words(one), one["loses"]] for i, one in enumerate(losers)]
        table("the next best mappings (modelled)", ["", "mapping", "why it loses"], lines)
