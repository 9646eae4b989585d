"""Machines as claims need them: composed once, answered under their best mapping, widened, and without losses."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from dse.claims.verdict import UntestableError
from dse.configuration.compose import choices, conf_folder, written
from dse.configuration.provenance import explained, quantities
from dse.configuration.schema import rule_at
from dse.configuration.spreads import leaf_paths
from dse.evaluation.batches import best_of_one, flat
from dse.evaluation.evaluate import Candidate, evaluate
from dse.evaluation.grids import grids, own_fanouts
from dse.evaluation.mapping import DEGREES, Wanted
from dse.evaluation.metrics import Answer
from dse.evaluation.metrics import Mapping as Laid
from dse.evaluation.results import point
from dse.evaluation.step import in_loops
from dse.problem.session import command_line
from dse.problem.template import Template, template
from dse.run.console import console
from dse.run.precision import arrays
from dse.uncertainty.beliefs import read_classes
from hw.gates import NINETY_PER_CENT
from hw.units import Rule, spread

DEFAULTS = {"serving": "interactive", "scheduler": "whole_prompts", "prefill": "none", "draft": "none"}
KEPT = "kept"


@dataclass(frozen=True)
class Settings:
    """How inputs are widened and moved, and which fields of a machine are losses: ideal by name, ideal_of by class."""

    spreads: dict[str, float]
    held: tuple[str, ...]
    samples: int
    moved: float
    rests: float
    ideal: dict[str, float]
    ideal_of: dict[str, dict[str, Any]]


@functools.cache
def settings() -> Settings:
    """The shipped `validation/receipts.yaml`."""
    given = written(conf_folder() / "validation" / "receipts.yaml")
    widths = read_classes(written(conf_folder() / "spreads" / "default.yaml")["classes"])
    move, rests, by_class = Rule("").read(given["moved"]), float(given["rests"]), given["ideal_of"]
    return Settings(widths, tuple(given["held"]), int(given["samples"]), move, rests, given["ideal"], by_class)


@functools.partial(jax.jit, static_argnames="with_loops")
def _each(candidates: Candidate, mapping: Laid, with_loops: bool = True) -> Answer:
    """Answers about stacked candidates under one mapping."""
    with in_loops():
        return jax.vmap(lambda candidate: evaluate(candidate, mapping))(candidates)


class Bench:
    """What has been composed and answered, so that claims about one machine share it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._templates: dict[tuple[str, ...], Template] = {}
        self._answers: dict[Any, Answer] = {}

    def template(self, overrides: Sequence[str]) -> Template:
        """The composed machine; raises `UntestableError` where one of its files is missing, or its parts do not go
        together."""
        key = tuple(overrides)
        if key not in self._templates:
            refuse_missing(overrides)
            try:
                self._templates[key] = template(filled(overrides))
            except ValueError as error:
                raise UntestableError(str(error)) from None
        return self._templates[key]

    def answer(self, overrides: Sequence[str], users: int, wanted: Wanted, ideal: bool = False) -> Answer:
        """The answer under the best mapping, of the machine as it is or without losses."""
        key = (tuple(overrides), users, wanted, ideal)
        if key not in self._answers:
            candidate = loaded(self.template(overrides).candidate, users)
            candidate = without_losses(candidate) if ideal else candidate
            fixed = [f"{name} {given}" for name in DEGREES if (given := getattr(wanted, name))]
            told = ", ".join([" ".join(overrides), f"{users} users", *fixed, *["without losses"] * ideal])
            console.print(f"  {told}", style="dim")
            choice = grids([candidate], own_fanouts(candidate), wanted)
            self._answers[key] = jax.device_get(best_of_one(arrays(candidate), choice, wanted))
        return self._answers[key]

    def samples(self, overrides: Sequence[str], users: int, mapping: Laid) -> Answer:
        """Answers under one mapping for inputs drawn from their spreads, each [samples]."""
        found = self.template(overrides)
        candidate = loaded(found.candidate, users)
        return jax.device_get(_each(drawn(found, candidate, self.seed), mapping))


def refuse_missing(overrides: Sequence[str]) -> None:
    """Raise `UntestableError` where an override names a file that does not exist."""
    for override in overrides:
        group, _, name = override.lstrip("+").partition("=")
        if "." in group or "@" in group:
            continue
        known = choices(group)
        if not known:
            raise UntestableError(f"there is no group {group!r} of files")
        if name not in known:
            kind = {"hw": "machine"}.get(group, group)
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UntestableError(f"there is no {kind} {name!r}, conf/{group}/{name}.yaml{hint}")


def filled(overrides: Sequence[str]) -> list[str]:
    """The overrides with the traffic and the schedule that claims mean where they say nothing."""
    named = {override.partition("=")[0] for override in overrides}
    return [f"{group}={name}" for group, name in DEFAULTS.items() if group not in named] + list(overrides)


def loaded(candidate: Candidate, users: int) -> Candidate:
    """The candidate with so many users."""
    return replace(candidate, serving=replace(candidate.serving, users=float(users)))


def without_losses(candidate: Candidate) -> Candidate:
    """The candidate with every loss of its machine gone: peak rates sustained, nothing waited for, each byte read once,
    exchange hidden. A field that its class keeps, or that is no loss, stays."""

    def changed(path: Any, leaf: Any) -> Any:
        name, owner = step_name(path[-1]), type(owner_of(candidate.hw, path)).__name__
        ideal = settings().ideal_of.get(owner, {}).get(name, settings().ideal.get(name, KEPT))
        return leaf if ideal == KEPT else leaf * 0.0 + float(ideal)

    return replace(candidate, hw=jax.tree_util.tree_map_with_path(changed, candidate.hw))


def step_name(step: Any) -> str:
    """The name of a step of a path through a tree."""
    return str(getattr(step, "name", getattr(step, "key", "")))


def owner_of(node: Any, path: Any) -> Any:
    """What the leaf at that path is a field of."""
    for step in path[:-1]:
        node = node[step.key] if hasattr(step, "key") else getattr(node, step.name)
    return node


def widths(found: Template) -> dict[str, float]:
    """Path -> relative half-width of nine in ten, of each number of the machine: its own, or that of its source."""
    wide = {}
    for path, value, source in quantities(found.config["hw"], "hw"):
        rule = rule_at(found.config, path.split("."))
        if rule is None or rule.whole or rule.unit in settings().held:
            continue
        kind = explained(source)[0] if source else "assumed"
        wide[path] = spread(value) or settings().spreads.get(kind, settings().spreads["assumed"])
    return wide


def drawn(found: Template, candidate: Candidate, seed: int) -> Candidate:
    """The candidate stacked, the numbers of its machine drawn: normal in their logarithm, the median as written."""
    count, wide = settings().samples, widths(found)
    generator = np.random.default_rng(seed)
    leaves, shape = jax.tree.flatten(candidate.hw)
    columns = []
    for path, leaf in zip(leaf_paths(candidate.hw, "hw"), leaves, strict=True):
        noise = generator.standard_normal(count)  # drawn for every leaf, so that one number's draws are its own
        rule = rule_at(found.config, path.split("."))
        values = float(leaf) * np.exp(noise * np.log1p(wide.get(path, 0.0)) / NINETY_PER_CENT)
        columns.append(np.clip(values, None, rule.most if rule and rule.most is not None else np.inf))
    system = jax.tree.unflatten(shape, [jnp.asarray(column) for column in columns])
    rest = jax.tree.map(lambda leaf: jnp.full(count, float(leaf)), replace(candidate, hw=None))
    return eqx.tree_at(lambda it: it.hw, rest, system, is_leaf=lambda leaf: leaf is None)


def ends(values: Any) -> tuple[float, float]:
    """The interval that holds nine of ten."""
    low, high = np.quantile(np.asarray(values, float), [0.05, 0.95])
    return float(low), float(high)


def as_point(answer: Answer, found: Template) -> dict[str, Any]:
    """An answer in plain words and numbers."""
    return point(
        {name: np.atleast_1d(value) for name, value in flat(answer).items()}, 0, found.tiers, found.tiers_beside
    )


def in_degrees(mapping: Mapping[str, Any]) -> str:
    """A mapping in words: the degrees that are not 1, batch, and where things lie."""
    told = ("tensor", "sequence", "attention_data", "expert", "pipeline", "data")
    cut = [f"{name} {mapping[name]}" for name in told if mapping[name] != 1] or ["one device"]
    places = f"weights in {mapping['weights']}, cache in {mapping['cache']}"
    return f"{', '.join(cut)}, batch {mapping['batch']}, {places}"


def digest(overrides: Sequence[str], users: int, objective: str) -> str:
    """The command line that shows a machine's answer."""
    words = [*filled(overrides), f"serving.users={users}", f"mapping.objective={objective}"]
    return command_line([], ["task=evaluate", *words])
