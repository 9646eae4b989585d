"""How a task ends: what it wrote, in words, as paths alone, or as one object of JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.run.console import console, manner
from dse.run.passwords import without_passwords
from dse.run.store import finite

# What a file holds but its summary does not: the composed configuration, and what fills pages.
LARGE = ("config", "others", "assumptions", "rows", "distributions", "timeline", "numbers", "folds", "correlation",
         "codes", "curve")  # fmt: skip
REFUSED = 1  # the exit code
DRAWN = (".svg", ".html")
log = logging.getLogger(__name__)


class AnsweredError(ValueError):
    """That an answer is a refusal: `ended` has said so in the object of JSON, and a second is not printed."""


def ended(task: str, content: Mapping[str, Any], files: Sequence[Path], said: bool = False, error: str = "") -> None:
    """Tell of what a task found, `content`, and wrote, the first of `files` holding all of it.

    said : whether the words have named the files already; error : why the run is refused for what it found.
    """
    for path in files:
        log.info("written: %s", path)
    how = manner()
    if how.json:
        print(json.dumps(summary(task, content, files) | (refusal(error) if error else {})), flush=True)
    elif how.quiet and files:
        print("\n".join(map(str, files)), flush=True)
    for path in files:
        if not said:
            console.print(f"{'drawn in  ' if path.suffix in DRAWN else 'written to'} {path}")
    if "seed" in content:
        console.print(f"seed        {content['seed']}")


def summary(task: str, content: Mapping[str, Any], files: Sequence[Path]) -> dict[str, Any]:
    """The object that `output=json` prints: the content without what is large, the folder and the files."""
    folder = {"task": task, "folder": str(files[0].parent), "files": [str(path) for path in files]} if files else {}
    return without_passwords(finite({"task": task} | folder | small(content)))


def small(content: Any) -> Any:
    """The content without what is large, however deep."""
    if isinstance(content, Mapping):
        return {name: small(value) for name, value in content.items() if name not in LARGE}
    return [small(value) for value in content] if isinstance(content, (list, tuple)) else content


def failed(error: Exception, words: str) -> None:
    """That a task was refused, where an object of JSON is asked for and none was printed."""
    if manner().json and not isinstance(error, AnsweredError):
        print(json.dumps(refusal(words)), flush=True)


def refusal(words: str) -> dict[str, Any]:
    """What the object of a refused run holds."""
    return {"error": without_passwords(words), "exit": REFUSED}
