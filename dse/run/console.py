"""What a person sees in the terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from dse.run.flags import Manner

LONGEST_WORD = 24  # longer words may be broken over lines
WIDE = 160  # columns of a table that is not shown in a terminal
HOW: dict[str, Any] = {"highlight": False, "soft_wrap": True, "markup": False}  # brackets are part of what users write


class Terminal(Console):
    """rich ends a program whose reader has gone with an exit code of its own; who runs it decides here."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


console = Terminal(**HOW)
_manner = Manner()


def speak(manner: Manner) -> None:
    """Speak as is asked for from now on: nothing at all where quiet, on the standard error beside an object of JSON.

    Colours are for terminals; NO_COLOR and FORCE_COLOR, which rich reads, say otherwise.
    """
    global _manner
    _manner = manner
    Console.__init__(console, **HOW, stderr=manner.json, quiet=manner.quiet)  # the one that modules have
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDE


def manner() -> Manner:
    """How this run speaks."""
    return _manner


def warn(words: str, style: str = "yellow") -> None:
    """What went wrong without ending the run: also said where it is quiet, but then on the standard error."""
    if _manner.quiet:
        Console(**HOW, stderr=True).print(words, style=style)
    else:
        console.print(words, style=style)


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; columns whose cells are all numbers are set to the right."""
    shown = Table(title=title, title_justify="left", header_style="bold")
    for i, head in enumerate(heads):
        numeric = all(_is_number(row[i]) for row in rows)
        words = [word for text in (head, *(row[i] for row in rows)) for word in text.split()]
        widest = min(max(map(len, words), default=1), LONGEST_WORD)
        shown.add_column(head, justify="right" if numeric else "left", overflow="fold", min_width=widest)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "") or "0")
    except ValueError:
        return False
    return True


speak(Manner())
