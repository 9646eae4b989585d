"""Where each number of a machine comes from."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dse.configuration.compose import conf_folder, written
from dse.configuration.schema import NOTES

KINDS = ("derived", "assumed")
UNSOURCED = ("unsourced", "set without a source")


@functools.cache
def citations() -> dict[str, dict[str, str]]:
    """Citation key -> document and confidence, of the shipped `sources.yaml`."""
    return read_citations(conf_folder() / "sources.yaml")


def read_citations(path: Path) -> dict[str, dict[str, str]]:
    return written(path)


def quantities(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any, str]]:
    """Every quantity below a component that states sources: its path, its value, its source, '' where none is named.

    A component without quantities of its own is passed through; `sources` is a map from field to source.
    """
    sources = node.get("sources", {})
    for name, value in node.items():
        if name in NOTES:
            continue
        if isinstance(value, Mapping):
            yield from quantities(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}", value, str(sources.get(name, ""))


def explained(source: str) -> tuple[str, str]:
    """Kind and words of a source: a citation's confidence and document, or `derived`/`assumed` and how."""
    for kind in KINDS:
        if source.startswith(kind + ":"):
            return kind, source.removeprefix(kind + ":").strip()
    found = citations().get(source)
    return (found["confidence"], found["cite"]) if found else ("unknown", source)


def stated(path: str, source: str, locate: Any) -> str:
    """The source, if it was stated for this value; '' where the value was set in another place than its source."""
    parent, _, name = path.rpartition(".")
    place, origin = locate(path), locate(f"{parent}.sources.{name}")
    unknown = place == path  # no file is known where nothing was composed
    return source if unknown or place.split(": ")[0] == origin.split(": ")[0] else ""


def assumptions(machine: str, config: Mapping[str, Any], locate: Any) -> list[dict[str, str]]:
    """A row for every number of a machine: path, value, source, citation, kind and file.

    A number that was set on the command line, or in a file that does not say where it is from, keeps no old source.
    """
    rows = []
    for path, value, source in quantities(config["hw"], "hw"):
        place = locate(path)
        given = place.startswith("command line")
        source = "" if given else stated(path, source, locate)
        kind, cite = ("given", place) if given else explained(source) if source else UNSOURCED
        rows.append(
            {"machine": machine, "path": path, "value": str(value), "source": source}
            | {"cite": cite, "kind": kind, "file": "" if given else place.split(": ")[0]}
        )
    return rows
