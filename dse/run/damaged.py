"""Batches on disk that cannot be read any more: set aside, so that a search goes on from the last good one."""

from __future__ import annotations

import re
from pathlib import Path

NAMED = re.compile(r"\d{6}(-\d+){3,4}")


def set_aside(folder: Path) -> list[str]:
    """Rename the first batch of `folder`/trials that cannot be read, and all after it; what was done, in words.

    Batches are written beside their place and moved there whole, so that a killed search leaves none half written; a
    full disk, a copy that was cut short or a crashed machine may. Those after it go as well, as an enumeration goes on
    from the last one: what they hold is evaluated again. Drafts of batches are removed.
    """
    trials = folder / "trials"
    for draft in trials.glob("*.tmp"):
        draft.unlink()
    parts = sorted(trials.glob("*.parquet"))
    wrong = next(((i, words) for i, part in enumerate(parts) if (words := damage(part))), None)
    if wrong is None:
        return []
    first, words = wrong
    for part in parts[first:]:
        part.rename(part.with_suffix(".damaged"))
    after = len(parts) - first - 1
    others = f" and the {after} after it are" if after else " is"
    return [
        f"resume: {parts[first]} cannot be read ({words}); it{others} set aside as *.damaged and evaluated again; "
        f"{first} batches are kept"
    ]


def damage(path: Path) -> str:
    """Why a batch cannot be read, in a few words; empty where it can. Only its ends are looked at."""
    import pyarrow.lib
    from pyarrow import parquet

    if not NAMED.fullmatch(path.stem):
        return "its name is not that of a batch"
    try:
        parquet.read_metadata(path)
    except (pyarrow.lib.ArrowException, OSError) as error:
        return str(error).splitlines()[0].rstrip(".")
    return ""
