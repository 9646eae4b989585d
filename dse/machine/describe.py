"""task=describe: a machine as it is composed, its figures, its numbers with their sources, its drawing; and a model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dse.configuration.compose import Origin
from dse.configuration.provenance import assumptions
from dse.configuration.schema import build, rule_at
from dse.configuration.spreads import elasticities, first_order, largest
from dse.evaluation.figures import Figure, Pairs, accepted, figures, totals
from dse.machine import outline, outline_model
from dse.machine.describe_model import format_section, model_section
from dse.machine.drawing import drawing
from dse.problem.session import Session, about
from dse.problem.template import Template, parts, refuse_formats
from dse.run.answers import LEFT
from dse.run.bars import activity
from dse.run.outcome import ended
from dse.run.store import write_json, write_whole
from hw.units import spread

NUMBERS = "format/number"  # the group whose files are number formats
DESCRIBED = ("hw", "model")
WEAK = ("assumed", "unsourced")
MOST_ASSUMPTIONS = 5


def run(session: Session) -> None:
    """Describe, write describe.json and machine.svg, print what the command line names."""
    found = parts(session.overrides)
    with activity("figures and slopes of the machine, and of the model"):
        machine, model = machine_section(found, session.choices), model_section(found, session.choices)
        formats = format_section(found, session.choices)
    session.folder.mkdir(parents=True, exist_ok=True)
    written, drawn = session.folder / LEFT["describe"].answer, session.folder / LEFT["describe"].sometimes[0]
    content = {"hw": machine, "model": model, "format": formats} | about(session)
    write_json(written, content)
    shown = asked(session.overrides)
    if "hw" in shown:
        write_whole(drawn, drawing(machine["name"], machine["format"], machine["figures"]))
        outline.show(machine, found.config["hw"])
    if "model" in shown:
        outline_model.show(model, formats)
    ended("describe", content, [written, drawn] if "hw" in shown else [written])


def asked(overrides: Sequence[str]) -> list[str]:
    """Which of machine and model the command line names; both where it names neither."""
    named = {re.split(r"[=./@]", override.lstrip("+~"))[0] for override in overrides}
    return [section for section in DESCRIBED if section in named] or list(DESCRIBED)


def machine_section(found: Template, choices: Mapping[str, str]) -> dict[str, Any]:
    """The section `hw` of describe.json: plain data in SI units."""
    system, formats = found.candidate.hw, found.candidate.format
    chosen = choices.get("format", "format")
    pairs = number_pairs() | {chosen: (formats.weights, formats.activations)}
    rows = numbers(found)
    return {
        "name": choices.get("hw", "machine"),
        "format": chosen,
        "cautions": found.cautions + unsettled(found) + refused(found),
        "figures": plain(figures(system, formats, accepted(system, pairs))),
        "numbers": rows,
        "sources": {"total": len(rows), "counts": dict(Counter(row["confidence"] for row in rows).most_common())},
    } | sensitivity(found, chosen, rows)


def number_pairs() -> dict[str, Any]:
    """Each number format of the configuration, for both operands; none outside of a running application."""
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    if not GlobalHydra.instance().is_initialized():
        return {}
    loader: Any = GlobalHydra.instance().config_loader()
    found = {}
    for name in loader.get_group_options(NUMBERS):
        content = OmegaConf.to_container(loader.repository.load_config(f"{NUMBERS}/{name}").config)
        number = build(content, f"{NUMBERS}/{name}")  # type: ignore[arg-type]
        found[name] = (number, number)
    return found


def refused(found: Template) -> list[str]:
    """That the machine cannot compute in the numbers of the set, in words."""
    try:
        refuse_formats(found.candidate)
    except ValueError as error:
        return [f"what is told of this machine in these number formats means nothing: {error}"]
    return []


def unsettled(found: Template) -> list[str]:
    """That heat and power do not hold each other, in words."""
    chip = found.candidate.hw.chip
    left = float(chip.heat_headroom(chip.settle(found.candidate.format)))
    if left >= 0:
        return []
    return [f"hw.chip: at full load {-left:.0f} K beyond the first limit of temperature or heat flux"]


def plain(found: Any) -> Any:
    """Figures as plain data: value, unit, means."""
    if isinstance(found, Figure):
        return {"value": float(found.value), "unit": found.unit, "means": found.means}
    return {name: plain(inner) for name, inner in found.items()}


def numbers(found: Template) -> list[dict[str, Any]]:
    """A row for every number of the machine: path, as written, in the declared unit, and where it comes from."""
    rows = []
    for row in assumptions("", found.config, Origin(found.overrides)):
        rule = rule_at(found.config, row["path"].split("."))
        kept = {"path": row["path"], "written": row["value"]}
        kept |= {"value": rule.read(_typed(row["value"], rule.unit)), "unit": rule.unit} if rule else {}
        told = {"source": row["source"], "citation": row["cite"], "confidence": row["kind"], "file": row["file"]}
        rows.append(kept | {"spread": spread(row["value"])} | told)
    return rows


def _typed(text: str, unit: str) -> Any:
    return text if unit else text.partition(" ")[0]


def sensitivity(found: Template, chosen: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What stated spreads and weak numbers mean for the totals: `spreads` and `assumptions`."""
    system, formats = found.candidate.hw, found.candidate.format
    pairs: Pairs = {chosen: (formats.weights, formats.activations)}

    def answers(given: Any) -> dict[str, Any]:
        return {name: figure.value for name, figure in totals(figures(given, formats, pairs), chosen).items()}

    moved = elasticities(answers, system, "hw")
    widths = {row["path"]: row["spread"] for row in rows if row["spread"] > 0}
    weak = [row["path"] for row in rows if row["confidence"] in WEAK]
    known = totals(figures(system, formats, pairs), chosen)
    spreads = {name: plain(known[name]) | vars(first_order(moved[name], widths)) for name in moved}
    asked = ("cost", "power", f"tiers.{next(iter(system.chip.memory))}.bandwidth")
    return {
        "spreads": spreads,
        "assumptions": {name: largest(moved[name], weak, MOST_ASSUMPTIONS) for name in asked},
    }
