"""The named machines that a study is held against."""

from __future__ import annotations

from typing import Any

from dse.evaluation.goals import Goals
from dse.machine.single import BESIDE, answer, answers
from dse.problem.commands import kept, rebuild
from dse.problem.session import Session, read_wanted
from dse.problem.template import template
from dse.report.details import Kept, most
from dse.run.bars import along
from dse.run.console import warn


def baselines(session: Session, goals: Goals) -> tuple[list[dict[str, Any]], Kept]:
    """The named machines with the same model and traffic; of each its template and its answers, with its curve and the
    mappings that came next where details are wanted. Those that fail are said and left."""
    shared = [o for o in kept(session.overrides) if not o.lstrip("+~").startswith(("hw", "format")) and fits_all(o)]
    points, machines = [], {}
    for name, overrides in along("baselines", (session.config["baselines"] or {}).items()):
        words = [*shared, *(str(o) for o in overrides)]
        try:
            found = template(words)
            result = (answers if most(session) else answer)(found, read_wanted(found.config["mapping"]))
        except Exception as error:
            warn(f"baseline {name} is left out: {error}", style="")
            continue
        command = rebuild(session.experiment, words, session.folders, [])
        feasible = result["legal"] and all(result["headroom"][name] >= 0 for name in goals.constraints)
        shown = {key: value for key, value in result.items() if key not in BESIDE}
        points.append(shown | {"name": name, "parameters": {}, "command": command, "feasible": feasible})
        machines[name] = (found, result | {"chosen": result["mapping"]})
    return points, machines


def fits_all(override: str) -> bool:
    """False of what a mapping must be, which is the searched machine's; by what mappings are compared is everyone's."""
    return not override.lstrip("+~").startswith("mapping") or override.startswith("mapping.objective=")
