"""Fenced blocks of a Markdown page, and whether an output has the lines that a page shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"^[-+]?[\d,]*\.?\d+(?:[eE][-+]?\d+)?%?$")
NEAR = 0.01  # relative: another machine's compiler may round a best mapping's numbers otherwise, not by more


class Block(NamedTuple):
    """What a block is, and what it says."""

    kind: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


def words(line: str) -> list[str]:
    """The words of a line, without the frames of tables."""
    return re.sub(r"[│┃|]", " ", line).split()


def alike(shown: str, found: str) -> bool:
    """Whether two words are equal, or numbers that are near."""
    if shown == found:
        return True
    if not (NUMBER.match(shown.rstrip(",")) and NUMBER.match(found.rstrip(","))):
        return False
    one, other = (float(word.rstrip(",%").replace(",", "")) for word in (shown, found))
    return abs(one - other) <= NEAR * abs(other)


def holds(shown: str, output: str) -> bool:
    """Whether some line of the output has all the words of a shown line, in their order."""
    return any(_within(words(shown), words(line)) for line in output.splitlines())


def _within(shown: list[str], found: list[str]) -> bool:
    rest = iter(found)
    return all(any(alike(word, other) for other in rest) for word in shown)
