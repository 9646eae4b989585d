"""Sections that name a file in a layout of somebody else's: read, and put in the place of that name."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from models.source import Source

PLACE = "path"  # the field that every such section has
MISSING = "???"  # what a file of Hydra's has where the command line must say something


def read_sections(config: dict[str, Any], sections: tuple[str, ...]) -> dict[str, Any]:
    """The configuration with the component in the place of each section that says where to read one.

    Whatever else the section has is laid over what was read. Raises ValueError in words that begin with the section.
    """
    return {name: _read(node, name) if name in sections else node for name, node in config.items()}


def _read(node: Any, section: str) -> Any:
    source = _source(node)
    if source is None:
        return node
    if node[PLACE] in (None, MISSING):
        raise ValueError(f"{section}.{PLACE}: name the file, as in {section}.{PLACE}=config.json")
    try:
        found = node_of(source(str(node[PLACE])).read())
    except (OSError, ValueError) as error:
        raise ValueError(f"{section}.{PLACE}: {error}") from None
    over = {name: value for name, value in node.items() if name not in ("_target_", PLACE)}
    return laid_over({"about": f"read from {node[PLACE]}"} | found, over)


def _source(node: Any) -> type | None:
    """The class of source that a section names; none where it is a component itself."""
    if not isinstance(node, Mapping) or PLACE not in node:
        return None
    module, _, name = str(node.get("_target_", "")).rpartition(".")
    if not module.startswith("models"):
        return None
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None  # what builds components says so
    return found if inspect.isclass(found) and issubclass(found, Source) else None


def laid_over(node: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The node with the values of another in it, map by map."""
    merged = dict(node)
    for name, value in over.items():
        below = merged.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[name] = laid_over(below, value) if both else value  # type: ignore[arg-type]
    return merged


def node_of(component: Any) -> dict[str, Any]:
    """The node that a component would be built from: its class, and every field that differs from its default."""
    cls = type(component)
    node: dict[str, Any] = {"_target_": f"{cls.__module__}.{cls.__name__}"}
    for field in dataclasses.fields(component):
        value = getattr(component, field.name)
        if value is not field.default and not (_number(value) and value == field.default):
            node[field.name] = _plain(value)
    return node


def _number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _plain(value: Any) -> Any:
    """Numbers as they would be written, maps and components as nodes."""
    if _number(value):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return node_of(value)
