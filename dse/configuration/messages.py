"""Errors in one clear message."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from dse.run.near import nearest

EXPECTED = (ValueError, FileNotFoundError, ConnectionError)
BUG = "this is not your input's fault: {kind}: {words} (HYDRA_FULL_ERROR=1 shows where)"


def message(error: BaseException, words: Sequence[str] = ()) -> str:
    """What went wrong, in the words of the one who typed the command line `words`."""
    module = type(error).__module__
    if module.startswith(("hydra", "omegaconf", "antlr")):
        return hydra_message(error, words)
    if module.startswith("yaml"):
        return f"a file is not valid YAML: {_lines(str(error))}"
    if isinstance(error, EXPECTED):
        return str(error)
    return BUG.format(kind=type(error).__name__, words=str(error).strip())


def is_bug(error: BaseException) -> bool:
    """True where an error is no fault of the input."""
    return not isinstance(error, EXPECTED) and not type(error).__module__.startswith(
        ("hydra", "omegaconf", "antlr", "yaml")
    )


def hydra_message(error: BaseException, words: Sequence[str] = ()) -> str:
    """Hydra's message, with the nearest choice or key where one does not exist."""
    text = str(error).strip()
    cause = error.__cause__
    if cause is not None and str(cause) not in text:
        text = f"{text}\n{str(cause).strip()}"
    missing = re.search(r"Could not find '([^']*)'", text)
    options = re.search(r"Available options in '[^']*':\n((?:\s+\S+\n?)+)", text)
    if missing and options:
        return _choice(missing[1], options[1].split())
    if part := lacking(error):
        return f"{part}: the composed configuration has no such part, so that no file can be picked for it"
    inside = re.search(r"raised while resolving interpolation: (.*)", text)
    if inside:
        return inside[1]
    unknown = re.search(r"Could not override '([^']+)'", text)
    key = re.search(r"Key '([^']+)' is not in struct", text)
    if unknown and key:
        return _key(_first_unknown(unknown[1], key[1]), words)
    if "mismatch type argument" in text and ("interval(" in text or "range(" in text):
        return f"{_lines(text)}; ends are plain numbers, in the unit that a tag may name: tag(GHz, interval(1, 2))"
    if "Lexer" in text or "mismatched input" in text or "extraneous input" in text:
        return f"an override cannot be read: {_lines(text)}; quote it as a whole, such as 'hw.x.frequency=1.2 GHz'"
    return _lines(text)


def lacking(error: BaseException) -> str:
    """The group of files that an override picks one of and the composition has none of; empty for any other error."""
    found = re.search(r"Could not override '([^'@]+)[^']*'\.\s*No match in the defaults list", str(error))
    return found[1] if found else ""


def _choice(missing: str, options: list[str]) -> str:
    group, _, name = missing.rpartition("/")
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.3)
    remedy = f"did you mean {group}={close[0]}? " if close else ""
    return f"{group}={name}: there is no such choice; {remedy}known are: {', '.join(options)}"


def _first_unknown(path: str, name: str) -> str:
    """The part of a path that ends with the key that is not there: `a.b` of `a.b.c` and `b`."""
    steps = path.split(".")
    return ".".join(steps[: steps.index(name) + 1]) if name in steps else f"{path}.{name}"


def _key(path: str, words: Sequence[str]) -> str:
    """A key that the composed configuration does not have, with the nearest that it has."""
    parent, _, name = path.rpartition(".")
    return (
        f"command line: {path}: there is no {name!r} in {parent or 'the configuration'}; {_known(parent, name, words)}"
    )


def _known(parent: str, name: str, words: Sequence[str]) -> str:
    """The nearest key under `parent`, in the composition of the choices of files on the command line."""
    from dse.configuration.compose import compose, plain

    choices = [word for word in words if "=" in word and "." not in word.split("=")[0] and word[0] not in "-+~"]
    try:
        node: Any = compose([word for word in choices if "," not in word])
    except Exception:  # own YAMLs are out of reach here; the shipped default has most keys
        node = compose([])
    for step in filter(None, parent.split(".")):
        node = node.get(step) if hasattr(node, "get") else None
    return nearest(name, plain(node) if node is not None else ())


def _lines(text: str) -> str:
    """The telling lines of a message as one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("full_key:", "object_type=", "Set the environment", "See "))]
    return "; ".join(dict.fromkeys(kept))
