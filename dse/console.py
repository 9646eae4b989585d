"""What a person sees in the terminal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

LONGEST_WORD = 24  # longer words may be broken over lines
WIDE = 160  # columns of a table that is not shown in a terminal
console = Console(highlight=False, soft_wrap=True, markup=False)  # brackets are part of what users write
if not console.is_terminal and "COLUMNS" not in os.environ:
    console.width = WIDE


class Rate(ProgressColumn):
    """Things done per second."""

    def render(self, task: Any) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")


class Advance:
    """Moves a bar on."""

    def __init__(self, progress: Progress, task: Any) -> None:
        self._progress, self._task = progress, task

    def __call__(self, done: int) -> None:
        self._progress.advance(self._task, done)


@contextlib.contextmanager
def bar(words: str, total: float) -> Iterator[Advance]:
    """A bar with count, rate and time left, on the standard error when it is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Advance(progress, progress.add_task(words, total=total))


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


def digits(value: float | None) -> str:
    """Four significant digits, without an exponent where that reads well."""
    if value is None or value != value:
        return "-"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
