"""Folders of earlier runs: which version wrote them, whether this one can read them, and what they lack."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.console import warn
from dse.session import LAYOUT, commit, versions

STUDY, SINGLE, BEGUN = "study.json", "metrics.json", "search.json"
NEEDED = {  # keys without which a file cannot be read, and since which layout they are there
    STUDY: ("title", "question", "finding", "counts", "seconds", "objectives", "columns", "front", "baselines",
            "choices", "config", "versions", "command"),
    SINGLE: ("title", "metrics", "headroom", "mapping", "choices", "config", "versions", "command"),
    BEGUN: ("overrides", "config"),
}  # fmt: skip
ADDED: dict[str, Any] = {  # since the first layout; what stands where an older file says nothing
    "commit": "", "seed": None, "hypervolume": None, "nearest": [], "opening": [], "mappings": [], "constraints": [],
    "layout": 1,
}  # fmt: skip
BESIDE = ("front.csv", "trials.parquet", "report.html")  # what a finished search has beside study.json


def read(path: Path, key: str) -> dict[str, Any]:
    """What a file of a run holds, with what older versions did not write yet; `key`: the word that names the folder.

    Raises FileNotFoundError where it is not there, and ValueError where it is damaged, or of a layout that this version
    does not know.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{key}: there is no {path.name} in {path.parent}; name the folder of a finished run")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{key}: {path} is no longer what was written ({error}); {again(key)}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{key}: {path} is no file of this program; name the folder of a run")
    refuse_unknown(found, path, key)
    missing = [name for name in NEEDED.get(path.name, ()) if name not in found]
    if missing:
        raise ValueError(
            f"{key}: {path} was written by {writer(found)} and lacks {', '.join(missing)}, which this version "
            f"({this()}) needs; {again(key)}, or use the version that wrote it"
        )
    return ADDED | found


def again(key: str) -> str:
    """What to do instead of reading a folder."""
    return "begin a search of its own" if key == "resume" else "run it again"


def finished(folder: Path) -> dict[str, Any]:
    """What a finished search or evaluation found; says which of its files are gone, and which version wrote it."""
    names = [name for name in (STUDY, SINGLE) if (folder / name).is_file()]
    if not names:
        raise FileNotFoundError(f"run: {folder} holds neither study.json nor metrics.json: the run did not finish")
    found = read(folder / names[0], "run")
    if names[0] == STUDY and (gone := lacking(folder)):
        warn(f"run: {folder} has lost {', '.join(gone)}; the rest is logged")
    return found


def refuse_unknown(found: Mapping[str, Any], path: Path, key: str) -> None:
    """Raise ValueError where a file is of a later layout."""
    layout = found.get("layout", 1)
    if not isinstance(layout, int) or layout > LAYOUT:
        raise ValueError(
            f"{key}: {path} was written by {writer(found)} in layout {layout!r}; this version ({this()}) reads up to "
            f"{LAYOUT}: use the version that wrote it, or run it again"
        )


def writer(found: Mapping[str, Any]) -> str:
    """Which version wrote a file, in words."""
    known = found.get("versions")
    version = known.get("inferscape") if isinstance(known, Mapping) else None
    commit = f" (commit {found['commit']})" if found.get("commit") else ""
    return f"inferscape {version}{commit}" if version else "a version that did not sign it"


def this() -> str:
    """This version, in words."""
    return writer({"versions": versions(), "commit": commit()}).removeprefix("inferscape ")


def lacking(folder: Path, names: Sequence[str] = BESIDE) -> list[str]:
    """Files of a finished search that its folder has lost."""
    return [name for name in names if not (folder / name).is_file()]


def other_hand(found: Mapping[str, Any], folder: Path) -> str:
    """That a search was begun by another version, in words; empty where it was not, or did not say."""
    if "versions" not in found or writer(found) == writer({"versions": versions(), "commit": commit()}):
        return ""
    return (
        f"{folder} was begun by {writer(found)}, this is {this()}: designs that are evaluated already keep the "
        "answers of that version"
    )
