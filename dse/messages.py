"""Errors in one clear message."""

from __future__ import annotations

import difflib
import re

EXPECTED = (ValueError, FileNotFoundError, ConnectionError)
BUG = "this is not your input's fault: {kind}: {words} (HYDRA_FULL_ERROR=1 shows where)"


def message(error: BaseException) -> str:
    """What went wrong, in the words of the one who typed it."""
    module = type(error).__module__
    if module.startswith(("hydra", "omegaconf", "antlr")):
        return hydra_message(error)
    if isinstance(error, EXPECTED):
        return str(error)
    return BUG.format(kind=type(error).__name__, words=str(error).strip())


def hydra_message(error: BaseException) -> str:
    """Hydra's message, with the nearest choice where a choice does not exist."""
    words = str(error).strip()
    cause = error.__cause__
    if cause is not None and str(cause) not in words:
        words = f"{words}\n{str(cause).strip()}"
    missing = re.search(r"(?:Could not find|In '[^']*': Could not find) '([^']*)'", words)
    options = re.search(r"Available options in '[^']*':\n((?:\s+\S+\n?)+)", words)
    if missing and options:
        return _choice(missing[1], options[1].split())
    return _key(words)


def _choice(missing: str, options: list[str]) -> str:
    group, _, name = missing.rpartition("/")
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.3)
    remedy = f"did you mean {group}={close[0]}? " if close else ""
    return f"{group}={name}: there is no such choice; {remedy}known are: {', '.join(options)}"


def _key(words: str) -> str:
    """A key that the configuration does not have, or a group that cannot be overridden."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("full_key:", "object_type=", "Set the environment"))]
    return "; ".join(dict.fromkeys(kept))
