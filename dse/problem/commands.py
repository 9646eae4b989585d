"""Command lines that rebuild what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dse.evaluation.mapping import DEGREES
from dse.problem.problem import Problem
from dse.problem.session import command_line
from dse.problem.space import Files
from dse.run.keys import LEFT_OUT


def kept(overrides: Sequence[str]) -> list[str]:
    """The overrides that say which machine, model and traffic it is; not how it is searched or recorded."""
    return [o for o in overrides if head(o) not in LEFT_OUT]


def head(override: str) -> str:
    """The section of the configuration that an override belongs to."""
    return override.lstrip("+~").split("=")[0].split(".")[0].split("/")[0].split("@")[0]


def design_overrides(problem: Problem, design: Sequence[float]) -> list[str]:
    """The overrides that set a design's parameters; those that its structure lacks are left out."""
    space, words = problem.space, []
    found = problem.template([int(code) for code in design[: len(space.files)]])
    for parameter, code in zip(space.parameters, design, strict=True):
        if isinstance(parameter, Files) or problem.active(found, parameter.key):
            words.append(f"{parameter.key}={parameter.text(code)}")
    return words


def mapping_overrides(mapping: Mapping[str, Any], wanted_batch: bool) -> list[str]:
    """The overrides that fix a mapping; the batch follows from the users unless it was given."""
    names = (*DEGREES, "stages_inside", "weights", "cache") + (("batch",) if wanted_batch else ())
    return [f"mapping.{name}={_plain(mapping[name])}" for name in names]


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def rebuild(experiment: str, overrides: Sequence[str], folders: Sequence[str], extra: Sequence[str]) -> str:
    """The command line that evaluates one design afresh; later words win over earlier ones of the same key."""
    words = (f"experiment={experiment}", *kept(overrides), *extra)
    keyed = {word.lstrip("+").split("=")[0]: word for word in words}
    return command_line(folders, ["task=evaluate", *keyed.values()])
