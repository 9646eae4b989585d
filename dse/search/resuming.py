"""What is written down when a search begins, and what a resumed one is held against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dse.problem import folders
from dse.problem.session import LAYOUT, Session, command_line, commit, versions
from dse.run.answers import BEGUN
from dse.run.console import warn
from dse.run.keys import COMPARED
from dse.run.passwords import without_passwords
from dse.run.store import Trials, write_json

MOST_CHANGES = 20  # of a configuration that a message names
ABSENT: Any = object()


def begin(session: Session) -> None:
    """Write down what is searched, so that a resumed run can be held against it."""
    session.folder.mkdir(parents=True, exist_ok=True)
    said = {"layout": LAYOUT, "versions": versions(), "commit": commit()}
    said |= {"command": command_line(session.folders, session.overrides)}
    write_json(session.folder / BEGUN, {"overrides": session.overrides, "config": compared(session)} | said)


def begun(session: Session) -> bool:
    """True where the folder holds a search that can be gone on with."""
    return (session.folder / BEGUN).is_file()


def compared(session: Session) -> dict[str, Any]:
    """The part of a configuration on which the answers depend."""
    return without_passwords(json.loads(json.dumps({name: session.config[name] for name in COMPARED})))


def refuse_changes(session: Session) -> None:
    """Raise where a resumed folder is not there or holds the search of another configuration."""
    if not session.config["resume"]:
        return
    if not begun(session):
        raise FileNotFoundError(
            f"resume: {str(session.folder)!r} holds no search; name the folder of an interrupted one"
        )
    before = folders.read(session.folder / BEGUN, "resume")
    changed = differences(before["config"], compared(session))
    hand = folders.other_hand(before, session.folder)
    if changed:
        raise ValueError(
            f"resume: {session.folder} was begun with another configuration ({listed(changed)}); {hand and f'{hand}; '}"
            f"repeat its command line: {resumption(session, before['overrides'])}"
        )
    if hand:
        warn(f"resume: {hand}")


def tell_what_is_kept(session: Session, trials: Trials | None) -> None:
    """How to go on with a search that was stopped, where there is something to go on with."""
    if trials is not None and trials.parts():
        warn(f"what is evaluated is kept; go on with: {resumption(session, session.overrides)}", style="")
    elif trials is not None:
        warn("nothing was evaluated yet, and nothing is kept; type the same command again", style="")


def resumption(session: Session, overrides: Sequence[str]) -> str:
    """The command line that goes on with a search that was begun with these overrides."""
    kept = [word for word in overrides if not word.startswith("resume=")]
    return command_line(session.folders, [*kept, f"resume={session.folder}"])


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two plain configurations differ, in words: a line for every value, however deep, that is another, is gone
    or is new."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = dict.fromkeys([*one, *other])
        found = [differences(one.get(k, ABSENT), other.get(k, ABSENT), f"{path}.{k}".lstrip(".")) for k in keys]
        return [words for part in found for words in part]
    if isinstance(one, Mapping) and one and other in (ABSENT, None):
        return [words for k, inner in one.items() for words in differences(inner, ABSENT, f"{path}.{k}")]
    if isinstance(other, Mapping) and other and one in (ABSENT, None):
        return [words for k, inner in other.items() for words in differences(ABSENT, inner, f"{path}.{k}")]
    return [] if one == other else [f"{path}: {_shown(one)} then, {_shown(other)} now"]


def _shown(value: Any) -> str:
    return "nothing" if value is ABSENT else repr(value)


def listed(changed: Sequence[str]) -> str:
    """All differences, or as many as a message can hold and how many more there are."""
    more = len(changed) - MOST_CHANGES
    return "; ".join([*changed[:MOST_CHANGES], *([f"and {more} more"] if more > 0 else [])])
