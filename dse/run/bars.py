"""What is under way: bars with count, rate and time left, and what takes a while with its seconds.

They are for a person at a terminal, on the standard error. Elsewhere a bar is one line at its end, if it took a while.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
from rich.table import Column
from rich.text import Text

from dse.run.console import manner

LONG = 2.0  # seconds from which something is told of elsewhere than in a terminal
log = logging.getLogger(__name__)
Item = TypeVar("Item")
_live: list[Progress] = []  # what is drawn now; all bars stand in one


class Drawn(BarColumn):
    """The bar of what has a number; of what has none nothing, so that its words have room."""

    def render(self, task: Any) -> Any:
        return Text("") if task.total is None else super().render(task)


class Told(ProgressColumn):
    """Things done of all, how many a second, and the time that is left; of what has no number the seconds so far."""

    def render(self, task: Any) -> Text:
        if task.total is None:
            return Text(f"{task.elapsed or 0:.0f} s")
        speed = task.finished_speed or task.speed or 0.0
        left = "" if task.finished or task.time_remaining is None else f"  {clock(task.time_remaining)} left"
        return Text(f"{task.completed:,.0f}/{task.total:,.0f}  {rate(speed)}{left}")


def rate(speed: float) -> str:
    """Things a second, or a minute where they take longer than a second each."""
    if not speed:
        return ""
    return f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s" if speed >= 1 else f"{speed * 60:.1f}/min"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: `1:02:03`, `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Advance:
    """Moves a bar on, and says what it is at."""

    def __init__(self, words: str, total: float | None, drawn: Progress | None) -> None:
        self.words, self.done, self._drawn = words, 0.0, drawn
        self._task: Any = drawn.add_task(words, total=total) if drawn else None

    def __call__(self, done: float) -> None:
        self.done += done
        if self._drawn:
            self._drawn.advance(self._task, done)

    def at(self, words: str) -> None:
        """What it is at, beside what the bar is of."""
        if self._drawn:
            self._drawn.update(self._task, description=f"{self.words}: {words}")

    def end(self, keep: bool) -> None:
        if self._drawn and not keep:
            self._drawn.remove_task(self._task)
        elif self._drawn:
            self._drawn.update(self._task, description=self.words)


@contextlib.contextmanager
def bar(words: str, total: float) -> Iterator[Advance]:
    """A bar of so many things; nothing is drawn of none."""
    log.debug("%s: %s", words, f"{total:,.0f}")
    start = time.perf_counter()
    with _drawing() if total else contextlib.nullcontext() as drawn:
        advance = Advance(words, total, drawn)
        try:
            yield advance
        finally:
            advance.end(keep=True)
    seconds = time.perf_counter() - start
    if not total:
        return
    line = f"{words}: {advance.done:,.0f} of {total:,.0f} in {seconds:,.1f} s, {rate(advance.done / seconds)}"
    log.info(line)
    if drawn is None and seconds > LONG and not manner().quiet:
        print(line, file=sys.stderr)


@contextlib.contextmanager
def activity(words: str) -> Iterator[Advance]:
    """Something whose length nobody knows, as a compilation: what it is, and its seconds, while it lasts."""
    log.debug("%s", words)
    start = time.perf_counter()
    with _drawing(transient=True) as drawn:
        advance = Advance(words, None, drawn)
        try:
            yield advance
        finally:
            advance.end(keep=False)
    log.info("%s: %.1f s", words, time.perf_counter() - start)


def along(words: str, items: Iterable[Item], total: int | None = None) -> Iterator[Item]:
    """The items, with a bar that moves on with each."""
    count = total if total is not None else len(items) if isinstance(items, Sized) else 0
    with bar(words, count) as advance:
        for item in items:
            yield item
            advance(1)


@contextlib.contextmanager
def _drawing(transient: bool = False) -> Iterator[Progress | None]:
    """What bars are drawn in: the one that is, or a new one; none where nobody looks."""
    if _live:
        yield _live[0]
        return
    if manner().quiet or not sys.stderr.isatty() or Console(stderr=True).is_dumb_terminal:
        yield None
        return
    words, told = TextColumn("{task.description}", markup=False), Told(Column(no_wrap=True))
    columns = (SpinnerColumn(finished_text=" "), words, Drawn(24), told)
    shown = Progress(*columns, console=Console(stderr=True), transient=transient, redirect_stdout=sys.stdout.isatty())
    with shown:
        _live.append(shown)
        try:
            yield shown
        finally:
            _live.clear()
