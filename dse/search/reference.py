"""`reference=FOLDER`: the run whose front the progress of a search is held against."""

from __future__ import annotations

from pathlib import Path

from dse.evaluation.goals import Goals
from dse.problem import folders
from dse.problem.session import Session
from dse.run.answers import BEGUN, STUDY
from dse.run.store import Trials
from dse.search.progress import EXACT, Reference
from dse.search.resuming import compared, differences

FREE = ("search", "seed")  # in which the two runs may differ


def read_reference(session: Session, goals: Goals) -> Reference | None:
    """The front of the folder that `reference` names, none where it names none; raises where that run is of another
    question, or found nothing."""
    given = session.config["reference"]
    if given is None:
        return None
    folder = Path(str(given))
    if not (folder / BEGUN).is_file() or not (folder / "trials").is_dir():
        raise FileNotFoundError(f"reference: {str(given)!r} holds no search; name the folder of an enumerated one")
    _refuse_another(session, folder)
    _, columns = Trials(folder, []).load()
    found = Reference.of(goals, columns, f"the {front_of(folder)} of {folder}") if columns else None
    if found is None:
        raise ValueError(f"reference: {folder} holds no feasible design; name another folder, or leave it out")
    return found


def front_of(folder: Path) -> str:
    """What the front of a run's folder is: exact where all designs were enumerated to the end."""
    search = folders.read(folder / BEGUN, "reference")["config"]["search"]
    exact = search["_target_"] == EXACT and (folder / STUDY).is_file()
    return "exact front" if exact else "front"


def _refuse_another(session: Session, folder: Path) -> None:
    before = folders.read(folder / BEGUN, "reference")["config"]
    then, now = ({k: v for k, v in one.items() if k not in FREE} for one in (before, compared(session)))
    changed = differences(then, now)
    if changed:
        raise ValueError(
            f"reference: {folder} is of another question ({'; '.join(changed[:3])}); name a run that differs in "
            "nothing but its search and seed, or leave it out"
        )
