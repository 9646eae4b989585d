"""Which machine, AI model, formats, software and mapping a row of a published run is about."""

from __future__ import annotations

import dataclasses
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from dse.configuration.aliases import Names, plain_name
from dse.configuration.compose import component, conf_folder, written
from dse.configuration.schema import build
from dse.evaluation.metrics import Mapping as Laid
from dse.run.near import nearest
from dse.validation.end_to_end_program import CHUNKED, STATIC, WHOLE, Question
from dse.validation.end_to_end_rows import Refused, Run, check_spreads, is_sixteen_bit, run
from hw.system import Runtime, System
from models.model import Model
from models.numerics import Formats
from models.serving import Serving

ORDERS = {"static": STATIC, "whole": WHOLE, "chunked": CHUNKED}
RULES = Path("validation") / "end_to_end.yaml"
OWN = "own"  # software of the machine itself


@dataclass(frozen=True)
class Planned:
    """A row as a question: which machine it is asked of, which software profile, whether the row's own, how many tiers
    may hold weights or cache."""

    run: Run
    question: Question
    machine: str
    software: str
    known: bool
    tiers: int


class Library:
    """Machines, models, formats and software by the names that rows give them, each built once."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        places = [conf_folder(), *folders]
        self.rules: Mapping[str, Any] = written(conf_folder() / RULES)
        check_spreads(self.rules, f"conf/{RULES}")
        self.machines = Names.read("hw", places, before=self.rules["accelerator_before"])
        self.models = Names.read("model", places, after=self.rules["model_after"])
        self.software = Names.read("hw/runtime", places)
        called = self.rules["precisions"].items()
        self.precisions = {plain_name(name): key for key, names in called for name in (key, *names)}
        self._built: dict[tuple[str, str], Any] = {}
        self._facts: dict[tuple[Any, ...], Any] = {}

    def part(self, group: str, name: str) -> Any:
        """A component of a group; a Refused with its words where it cannot be built."""
        if (group, name) not in self._built:
            try:
                self._built[group, name] = build(component(group, name), group)
            except Exception as error:  # the file's fault, said in the row
                self._built[group, name] = Refused(f"conf/{group}/{name}.yaml cannot be built: {error}")
        found = self._built[group, name]
        if isinstance(found, Refused):
            raise found
        return found

    def fact(self, of: Callable[..., Any], *parts: tuple[str, str]) -> Any:
        """What a function says of parts, asked once: answers of components are slow outside of a program."""
        key = (of.__name__, *parts)
        if key not in self._facts:
            self._facts[key] = of(*(self.part(*one) for one in parts))
        return self._facts[key]

    def engine(self, row: Mapping[str, str]) -> str | None:
        """The profile of a row's engine; those that stand for no product only where they are all that it says."""
        apart = self.rules["stand_ins"]
        whole = self.software.find(row["engine"])
        return whole if whole in apart else self.software.inside(dated(row), apart)

    def serving(self, software: str) -> Mapping[str, Any]:
        """How a software lets prompts share the machine."""
        rules = self.rules["serving"]
        return rules.get(software, rules["otherwise"])


def find_machine(library: Library, row: Mapping[str, str]) -> str:
    """The file of a row's accelerator."""
    if not row["accelerator"]:
        raise Refused("accelerator is missing")
    of_source = [names for start, names in library.rules["meant"].items() if row["source"].startswith(start)]
    meant = [names[row["accelerator"]] for names in of_source if row["accelerator"] in names]
    found = next((one for name in (*meant, row["accelerator"]) if (one := library.machines.find(name))), None)
    if found is None:
        raise Refused(library.machines.missing(row["accelerator"], "accelerator"))
    return found


def find_model(library: Library, row: Mapping[str, str]) -> str:
    """The file of a row's model."""
    given = [row[name] for name in ("model_key", "model") if row[name]]
    if not given:
        raise Refused("model is missing")
    found = next((one for name in given if (one := library.models.find(name))), None)
    if found is None:
        raise Refused(library.models.missing(given[-1], "model"))
    return found


def find_software(library: Library, row: Mapping[str, str], machine: str) -> tuple[str, bool]:
    """The profile of a row's engine and whether it is known; the machine's own where that is no stand-in."""
    found = library.engine(row)
    if found:
        return found, found != library.rules["unknown_engine"]
    stand_ins = [library.part("hw/runtime", name) for name in library.rules["own_software"]]
    if any(same(library.part("hw", machine).runtime, one) for one in stand_ins):
        return str(library.rules["unknown_engine"]), False
    return OWN, True


def dated(row: Mapping[str, str]) -> str:
    """A row's engine with its version; where none is given, with the last year of the row's date."""
    if not row["engine"] or any(mark.isdigit() for mark in row["engine"]):
        return row["engine"]
    years = re.findall(r"20[0-9]{2}", row["date"])
    return f"{row['engine']} {max(years)}" if years else row["engine"]


def same(one: Runtime, other: Runtime) -> bool:
    """Whether two profiles have the same numbers."""
    return jax.tree.leaves(one) == jax.tree.leaves(other)


def find_formats(library: Library, row: Mapping[str, str], model: str, software: str) -> str:
    """The set of number formats of a row's precision."""
    given = row["precision"]
    if not given and not is_sixteen_bit(row):
        raise Refused("precision is missing")
    found = library.precisions.get(plain_name(given or "bf16"))
    own = library.rules["models"].get(model, {})
    named = own.get(given.lower()) or own.get(found)
    if named:
        return str(named)
    if found is None:
        raise Refused(f"precision: there is no {given!r}; {nearest(given, library.rules['precisions'])}")
    follows = library.serving(software)["cache_follows"]
    return found if follows else str(library.rules["cache_apart"].get(found, found))


def plan(library: Library, row: Mapping[str, str]) -> Planned:
    """The question of a row; raises Refused in words for its reader."""
    asked = run(row, library.rules)
    machine, model = find_machine(library, row), find_model(library, row)
    software, known = find_software(library, row, machine)
    system, built = library.part("hw", machine), library.part("model", model)
    formats = find_formats(library, row, model, software)
    if words := library.fact(refusal, ("model", model), ("hw", machine), ("format", formats)):
        raise Refused(words)
    of = ("hw", machine)
    mapping = laid(asked, library.fact(experts, ("model", model)), library.fact(dies, of))
    rules, chosen = library.serving(software), library.rules["engine_chosen"]
    order = "static" if asked.kind == "static" else rules["order"]
    question = Question(
        hw=large_enough(system, mapping, machine, library.fact(chips, of)),
        model=built,
        format=library.part("format", formats),
        runtime=system.runtime if software == OWN else library.part("hw/runtime", software),
        serving=Serving(asked.prompt, asked.output, float(mapping.users), 1.0, 1.0, 1.0),  # type: ignore[arg-type]
        mapping=mapping,
        order=float(ORDERS[order]),
        chunk=float(rules["chunk"]),
        fills=float(asked.kind == "engine_chosen"),
        kept=float(chosen["kept"]),
        accelerators=asked.chips,
    )
    return Planned(asked, question, machine, software, known, len(system.chip.memory))


def refusal(model: Model, system: System, formats: Formats) -> str:
    """That the model has no tokens, or that the engine cannot compute in the formats; nothing where both are well."""
    if float(model.cache_elements(1.0)) == 0:
        return "model: it keeps nothing between its steps, so it has no prompts and answers"
    engine = system.chip.engine
    for name, held in (("weights", formats.weights), ("experts", formats.experts), ("cache", formats.cache)):
        words = "" if held is None else engine.refusal(held, formats.activations)
        if words:
            return f"precision: {name}: {words}"
    return ""


def dies(system: System) -> float:
    """Chips of an accelerator: the dies of its package."""
    return float(system.dies_per_package())


def chips(system: System) -> float:
    """Chips of a machine."""
    return float(system.chips())


def experts(model: Model) -> float:
    """Experts of a layer."""
    return float(model.experts)


def laid(asked: Run, experts: float, dies: float) -> Laid:
    """The mapping of a row: its degrees, as many replicas as there are accelerators for, and its sequences spread
    evenly over them."""
    groups, expert = (asked.groups, asked.expert) if experts else (1.0, 1.0)
    tensor = asked.tensor
    if tensor * groups * asked.pipeline > asked.chips and tensor % groups == 0:
        tensor = tensor / groups  # the degree counts all groups
    devices = tensor * groups * asked.pipeline
    if devices > asked.chips:
        raise Refused(f"tp, pp: a replica of {devices:g} accelerators needs more than n_accel, {asked.chips:g}")
    if asked.chips % devices:
        raise Refused(f"tp, pp: replicas of {devices:g} accelerators do not divide n_accel, {asked.chips:g}")
    replicas = asked.chips / devices
    busy = replicas if asked.kind == "engine_chosen" else min(replicas, asked.concurrency)
    batch = asked.concurrency if asked.kind == "engine_chosen" else -(-asked.concurrency // busy)
    degrees = {"tensor": tensor * dies, "sequence": 1, "attention_data": groups, "expert": max(expert, 1.0)}
    rest = {"pipeline": asked.pipeline, "stages_inside": 0, "data": busy, "batch": batch, "users": batch * busy}
    return Laid(**{name: float(value) for name, value in (degrees | rest | {"weights": 0, "cache": 0}).items()})


def large_enough(system: System, mapping: Laid, name: str, chips: float) -> System:
    """The machine, its outermost level grown where that is drawn as one part; raises Refused where a replica does not
    fit one machine. Replicas beyond stand on further machines and exchange nothing."""
    devices = float(mapping.tensor * mapping.attention_data * mapping.pipeline)
    if devices <= chips:
        return system
    last = next(reversed(system.levels), None)
    if last is None or float(system.levels[last].fanout) > 1:
        raise Refused(f"n_accel: a replica of {devices:g} chips does not fit one {name} of {chips:g}")
    grown = dataclasses.replace(system.levels[last], fanout=devices / chips)
    levels = OrderedDict(system.levels) | {last: grown}
    return dataclasses.replace(system, levels=OrderedDict(levels))
