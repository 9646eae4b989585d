"""Folders of earlier runs: which version wrote them, whether this one can read them, and what they lack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dse.problem.session import LAYOUT, commit, versions
from dse.run.answers import NEEDED

ADDED: dict[str, Any] = {  # since the first layout; what stands where an older file says nothing
    "commit": "", "seed": None, "hypervolume": None, "nearest": [], "opening": [], "mappings": [], "constraints": [],
    "layout": 1,
}  # fmt: skip

MOVED = {  # module of a class that a configuration names -> where it lies since the third layout
    "enumerate": "search", "evolve": "search", "optimise": "search", "refine": "search", "scale": "search",
    "scale_dask": "search", "pools": "evaluation", "rules": "evaluation", "scheduler": "evaluation",
    "speculation": "evaluation",
}  # fmt: skip


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
    found = found if found.get("layout", 1) >= 3 else moved(found)
    return ADDED | found


def moved(found: Any) -> Any:
    """The same with the classes that it names where they lie today."""
    if isinstance(found, list):
        return [moved(one) for one in found]
    if not isinstance(found, dict):
        return found
    named = found.get("_target_")
    if isinstance(named, str) and named.startswith("dse.") and (module := named.split(".")[1]) in MOVED:
        found = found | {"_target_": named.replace(f"dse.{module}.", f"dse.{MOVED[module]}.{module}.", 1)}
    return {name: moved(one) for name, one in found.items()}


def again(key: str) -> str:
    """What to do instead of reading a folder."""
    return "begin a search of its own" if key == "resume" else "run it again"


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


def other_hand(found: Mapping[str, Any], folder: Path) -> str:
    """That a search was begun by another version, in words; empty where it was not, or did not say."""
    if "versions" not in found or writer(found) == writer({"versions": versions(), "commit": commit()}):
        return ""
    return f"{signed(found, folder, 'begun')}: designs that are evaluated already keep the answers of that version"


def signed(found: Mapping[str, Any], folder: Path, done: str) -> str:
    """Which version wrote or began a folder, and which this is, in words."""
    return f"{folder} was {done} by {writer(found)}, this is {this()}"
