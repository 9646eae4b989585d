"""task=studio: a page on this machine that moves numbers of a composed machine and shows what they do."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dse.configuration.compose import compose, plain
from dse.evaluation.goals import Goals
from dse.problem.commands import head, kept
from dse.problem.problem import read_parameters
from dse.problem.session import Session, read_wanted
from dse.problem.space import Space, is_file_key, read_space
from dse.problem.template import template
from dse.run.console import console
from dse.run.flags import name_of
from dse.studio.front import Front, read_front
from dse.studio.guard import bound
from dse.studio.state import Moved, Studio
from hw.units import Rule

MISSING = "task=studio needs a page's library that is not installed: pip install 'inferscape[studio]'"


def run(session: Session) -> None:
    """Open the page and answer it until it is stopped."""
    if importlib.util.find_spec("nicegui") is None:
        raise ValueError(MISSING)
    given = settings(session.config["studio"])
    front = read_front(Path(session.config["run"])) if session.config["run"] else Front()
    console.print("working out where to begin; what is not compiled yet takes up to a minute first")
    studio, front = begin(session, front)
    opened, port = bound(given["port"])
    if port != given["port"]:
        console.print(f"port {given['port']} is in use: took {port}", style="yellow")
    from dse.studio.page import serve

    console.print(f"studio at   http://127.0.0.1:{port}   (Ctrl-C stops it)")
    serve(studio, front, Path(given["folder"]), opened, port, given["open"])


def settings(given: dict[str, Any]) -> dict[str, Any]:
    """The keys of `studio`; ValueError in their words."""
    try:
        port = int(Rule(least=1024, most=65535, whole=True).read(given["port"]))
    except ValueError as error:
        raise ValueError(f"studio.port: {error}") from None
    if not isinstance(given["open"], bool):
        raise ValueError(f"studio.open: {given['open']!r} is neither true nor false")
    if not isinstance(given["folder"], str) or not given["folder"].strip():
        raise ValueError(f"studio.folder: {given['folder']!r} names no folder; write studio.folder=mine")
    return {"port": port, "open": given["open"], "folder": given["folder"]}


def begin(session: Session, front: Front) -> tuple[Studio, Front]:
    """The machine of the command line, or the best of a study with the words of the command line over it."""
    for folder in front.folders:
        if Path(folder).resolve() not in {Path(own).resolve() for own in session.folders}:
            raise ValueError(f"run: the study has YAMLs of its own; name them as well: --config-dir={folder}")
    own = kept(session.overrides)
    words = list({name_of(word): word for word in (*front.words, *own)}.values())
    found = template(words)
    config = plain(compose(words))
    wanted, goals = read_wanted(config["mapping"]), Goals.read((front.config or session.config)["objectives"])
    space = space_of(session, front, found)
    experiment = next((w.partition("=")[2] for w in words if w.startswith("experiment=")), session.experiment)
    studio = Studio(words, wanted, goals, space, experiment, session.folders, moved_by(front.design, own))
    return studio, replace(front, config=front.config or session.config)


def moved_by(design: Sequence[str], own: Sequence[str]) -> Moved:
    """What a design moves, but for what the command line names itself."""
    named = {name_of(word) for word in own}
    free = {name_of(word): word.partition("=")[2] for word in design if name_of(word) not in named}
    files = {key: text for key, text in free.items() if is_file_key(key)}
    return Moved(files, {key: text for key, text in free.items() if key not in files})


def space_of(session: Session, front: Front, found: Any) -> Space | None:
    """What may vary: of the study, or of the space or experiment that was named; none where neither was."""
    given = any(head(word) in ("space", "experiment") for word in session.overrides)
    entries = front.config.get("space") if front.config else session.config["space"] if given else None
    return read_parameters(read_space(entries), found) if entries else None
