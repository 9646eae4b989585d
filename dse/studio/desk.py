"""What the studio's pages share: the session, its front, and one worker that takes the latest of each move in turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dse.configuration.messages import message
from dse.problem.commands import kept
from dse.problem.template import template
from dse.studio.front import Front
from dse.studio.save import rebuilding, save
from dse.studio.state import Studio, answered

Done = Callable[[], str | None]


class Desk:
    """A session with the pages that show it; work is done off the event loop, one piece at a time."""

    def __init__(self, studio: Studio, front: Front, folder: Path) -> None:
        self.studio, self.front, self.folder = studio, front, folder
        self.pages: list[Any] = []
        self.said, self.wrong = "", False
        self.saved = ""
        self._wishes: dict[str, tuple[Done, bool]] = {}
        self._worker: asyncio.Task[None] | None = None

    def wish(self, name: str, work: Done, rebuild: bool = False) -> None:
        """Do this when all before it is done; a later wish of the same name takes its place. `work` may say something;
        rebuild : whether what can be moved is another afterwards."""
        self._wishes.pop(name, None)
        self._wishes[name] = (work, rebuild)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._wishes:
            name = next(iter(self._wishes))
            work, rebuild = self._wishes.pop(name)
            task = asyncio.create_task(asyncio.to_thread(self._try, work))
            if not (await asyncio.wait([task], timeout=0.5))[0]:
                self._tell("working … what is new is compiled once, up to a minute")
            await task
            for page in list(self.pages):
                page.show(rebuild)

    def _try(self, work: Done) -> None:
        start, before = time.perf_counter(), self.studio.shown
        try:
            told = work()
        except Exception as error:  # whatever a move runs into, the page stays
            self.said, self.wrong = f"not done: {message(error)}", True
            return
        if told is None and self.studio.shown is before and not self.wrong:
            return  # a slider that comes to rest where it was
        self.said, self.wrong = told or f"worked out in {1e3 * (time.perf_counter() - start):.0f} ms", False

    def _tell(self, words: str) -> None:
        self.said, self.wrong = words, False
        for page in list(self.pages):
            page.status()

    # What can be wished for.

    def turn(self, key: str, position: Any) -> None:
        self.wish(key, lambda: self.studio.turn(key, float(str(position)[:32])))

    def type(self, key: str, given: Any) -> None:
        self.wish(key, lambda: self.studio.type(key, str(given)), rebuild=True)

    def ask(self, key: Any) -> None:
        self.wish(f"ask {key}", lambda: self.studio.ask(str(key).strip()), rebuild=True)

    def reset(self) -> None:
        self.wish("reset", self.studio.reset, rebuild=True)

    def undo(self) -> None:
        self.wish("undo", self.studio.undo, rebuild=True)

    def pick(self, group: str, name: Any) -> None:
        def picked() -> str | None:
            left = self.studio.pick(group, str(name))
            return f"left behind: {', '.join(left)}" if left else None

        self.wish(group, picked, rebuild=True)

    def keep(self, name: Any) -> None:
        def saved() -> str:
            save(self.studio, self.folder, str(name))
            self.saved = rebuilding(self.studio, self.folder, str(name))
            return f"kept as {self.folder}/hw/{name}.yaml and {self.folder}/experiment/{name}.yaml"

        self.wish("keep", saved)

    def compare(self) -> None:
        """Work out the baselines, each under the same model and traffic."""
        config = self.front.config
        shared = [w for w in self.studio.words() if not w.lstrip("+~").startswith(("hw", "mapping", "format"))]
        for name, overrides in (config.get("baselines") or {}).items():
            words = [*kept(shared), *map(str, overrides)]
            self.wish(f"baseline {name}", lambda name=str(name), words=words: self._baseline(name, words))

    def _baseline(self, name: str, words: list[str]) -> str:
        metrics = answered(template(words), self.studio.wanted)["metrics"]
        others = [one for one in self.front.baselines if one[0] != name]
        self.front = replace(self.front, baselines=[*others, (name, metrics)])
        return f"{name} is worked out"

    def explain(self) -> None:
        """What moves each objective, in words; the numbers named get sliders."""

        def told() -> str:
            from dse.machine.effects import sensitivity

            shown, goals = self.studio.shown, self.studio.goals
            found = sensitivity(
                shown.found.candidate, shown.found.config, shown.point, goals.objectives, goals.constraints
            )
            for key in dict.fromkeys(one["path"] for effects in found["effects"].values() for one in effects):
                if key in self.studio.rules:
                    self.studio.ask(key)
            return " ".join(found["words"]) or "no number moves an objective by a thousandth"

        self.wish("explain", told, rebuild=True)
