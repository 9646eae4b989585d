"""`resume=FOLDER` typed alone: the command line that was begun with."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from dse.run.answers import BEGUN
from dse.run.flags import is_override, name_of
from dse.run.keys import SPOKEN

BESIDE = ("resume", "reference", "scale", "tracking", "details", *SPOKEN)  # what may be said of the same search
HIDDEN = ":***@"  # a password that was not written down


def gone_on_with(words: Sequence[str]) -> list[str]:
    """The whole command line of a search that is gone on with, where it is not typed again; any other line as it is.

    What is wrong with a folder is said where it is read.
    """
    typed = {name_of(word): word for place, word in enumerate(words) if is_override(words, place)}
    alone = len(typed) == len(words) and all(key.partition(".")[0] in BESIDE for key in typed)
    if "resume" not in typed or not alone:
        return list(words)
    folder = Path(typed["resume"].partition("=")[2].strip("'\""))
    try:
        begun = shlex.split(json.loads((folder / BEGUN).read_text(encoding="utf-8"))["command"])[1:]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return list(words)
    kept = [word for word in begun if name_of(word) not in {"resume", *typed}]
    return list(words) if any(HIDDEN in word for word in kept) else [*kept, *words]
