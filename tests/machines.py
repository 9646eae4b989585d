"""Shipped machines, built once, and the mappings that tile them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from jax.tree_util import DictKey, GetAttrKey, SequenceKey

import dse.run.precision  # noqa: F401
from dse.configuration.compose import compose, conf_folder, plain
from dse.configuration.schema import NOTES, build
from dse.evaluation.evaluate import Candidate, is_legal
from dse.evaluation.mapping import Wanted, grid, shape_of
from dse.evaluation.metrics import Mapping
from dse.run.keys import SECTIONS
from hw.units import Rule

ROOT = Path(__file__).resolve().parent.parent
CONF = conf_folder()


def files(group: str) -> list[str]:
    """The names of a configuration group, such as `hw`, that need no word on the command line beside theirs."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml") if "???" not in path.read_text())


SYSTEMS = files("hw")


@functools.cache
def composed(*overrides: str) -> dict[str, Any]:
    """The plain configuration of these overrides; not to be changed."""
    return plain(compose(list(overrides)))


def targets(node: Any) -> frozenset[str]:
    """The classes of all components inside a composed node."""
    inner = [targets(value) for name, value in node.items() if isinstance(value, dict) and name not in NOTES]
    return frozenset({node["_target_"]} if "_target_" in node else set()).union(*inner)


@functools.cache
def unlike() -> list[str]:
    """One shipped system of each kind, by its classes and its levels: for theory, which numbers do not change."""
    first: dict[tuple[frozenset[str], int], str] = {}
    for system in SYSTEMS:
        hw = composed(f"hw={system}")["hw"]
        first.setdefault((targets(hw), len(hw["levels"])), system)
    return list(first.values())


def telling() -> list[Any]:
    """The systems of `unlike` as parameters of tests: by day so many that every class and every number of levels is in
    one of them, the others at night."""
    kinds = {name: targets(hw) | {str(len(hw["levels"]))} for name in unlike() for hw in [composed(f"hw={name}")["hw"]]}
    left, day = frozenset().union(*kinds.values()), set()
    while left:
        day.add(max(kinds, key=lambda name: len(kinds[name] & left)))
        left -= frozenset().union(*(kinds[name] for name in day))
    return [pytest.param(name, marks=[] if name in day else pytest.mark.slow) for name in kinds]


@functools.cache
def candidate(*overrides: str) -> Candidate:
    """The candidate of these overrides, its leaves floats."""
    config = composed(*overrides)
    return Candidate(*(build(config[section], section) for section in SECTIONS))


@functools.cache
def links() -> dict[str, Any]:
    """Every shipped link and fabric, whether a shipped machine has it or not; its leaves floats."""
    paths = sorted(path for group in ("link", "fabric") for path in (CONF / "hw" / group).glob("*.yaml"))
    return {path.stem: build(yaml.safe_load(path.read_text()), path.stem) for path in paths}


def arrays(tree: Any) -> Any:
    """The same with its leaves as arrays, as jitted functions take them."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=float), tree)


def mapping(tensor: float = 1, pipeline: float = 1, **given: float) -> Mapping:
    """One replica of 4 users with everything in the fastest tier, unless told otherwise; no cache is held twice by
    models of eight key-value heads."""
    chosen = {"tensor": tensor, "sequence": max(1, tensor / 8), "attention_data": 1, "expert": 1, "pipeline": pipeline}
    chosen |= {"stages_inside": 0, "data": 1, "batch": 4, "weights": 0, "cache": 0} | given
    chosen.setdefault("users", chosen["batch"] * chosen["data"])
    return Mapping(**{name: float(value) for name, value in chosen.items()})


def degrees(given: Candidate) -> list[tuple[int, int]]:
    """Tensor and pipeline degrees that tile the machine and the model."""
    (heads,) = shape_of([given]).cache_heads
    found = grid([[int(f) for f in given.hw.fanouts]], shape_of([given]), ["any"], Wanted("power"))
    pairs = {(int(t), int(p)) for t, p in zip(np.asarray(found.tensor), np.asarray(found.pipeline), strict=True)}
    cut = sorted((t, p) for t, p in pairs if t % min(t, heads) == 0 and heads % min(t, heads) == 0)
    return [(t, p) for t, p in cut if bool(is_legal(given, mapping(t, p)))]  # 3 does not divide levels of 4


def modules(tree: Any, path: str = "") -> Iterator[tuple[str, eqx.Module]]:
    """Every component inside a component, itself first, with its path."""
    if isinstance(tree, eqx.Module):
        yield path, tree
        for name in tree.__dataclass_fields__:
            yield from modules(getattr(tree, name), f"{path}.{name}" if path else name)
    elif isinstance(tree, dict):
        for name, inner in tree.items():
            yield from modules(inner, f"{path}.{name}")


def units_of(tree: Any) -> list[str]:
    """The declared unit of every leaf of a component, in the order of its leaves."""
    return [_unit(tree, path) for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]


def _unit(node: Any, path: tuple[Any, ...]) -> str:
    unit = None
    for step in path:
        if isinstance(step, GetAttrKey):
            unit = node.__dataclass_fields__[step.name].metadata.get("unit")
            node = getattr(node, step.name)
        elif isinstance(step, (DictKey, SequenceKey)):
            node = node[step.key if isinstance(step, DictKey) else step.idx]
    assert unit is not None, f"{jax.tree_util.keystr(path)} declares no unit"
    return unit


def names(found: Any) -> list[str]:
    """The dotted key of every leaf of a candidate."""
    paths = jax.tree_util.tree_flatten_with_path(found)[0]
    return [".".join(str(getattr(step, "name", getattr(step, "key", ""))) for step in path) for path, _ in paths]


def rules_of(tree: Any) -> list[Rule]:
    """What the field of every leaf accepts, in the order of the leaves."""
    return [rule for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0] if (rule := _rule(tree, path))]


def _rule(node: Any, path: tuple[Any, ...]) -> Rule | None:
    rule = None
    for step in path:
        if isinstance(step, GetAttrKey):
            rule = Rule.of(node.__dataclass_fields__[step.name].metadata)
            node = getattr(node, step.name)
        elif isinstance(step, (DictKey, SequenceKey)):
            node = node[step.key if isinstance(step, DictKey) else step.idx]
    return rule
