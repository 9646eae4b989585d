"""What is declared once: the keys of the configuration, what each task leaves; and where else they must be named."""

from __future__ import annotations

import pytest
import yaml
from machines import CONF, ROOT

from dse import tasks
from dse.configuration.help import TEXT
from dse.run import keys
from dse.run.answers import LEFT
from dse.tracking.record import BUILDS

GIVEN = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))
TASKS = {path.stem for path in (CONF / "task").glob("*.yaml")}
WRITES_NOTHING = {"log", "studio"}


def test_every_key_is_of_one_kind() -> None:
    """A key that is added says in dse/run/keys.py whether a resumed search must have it, and a rebuilt design."""
    declared = [key for kind in keys.KINDS for key in kind]
    assert len(declared) == len(set(declared))
    groups = {group for one in GIVEN["defaults"] if isinstance(one, dict) for group in one}
    given = {key for key in {*GIVEN, *groups} - {"defaults"} if not key.startswith("override ")}
    assert given | {"studio"} == set(declared)


def test_switches_are_the_keys_that_are_true_or_false() -> None:
    assert {key for key, value in GIVEN.items() if isinstance(value, bool)} == set(keys.SWITCHES)


def test_every_task_says_what_it_leaves() -> None:
    """A task that is added has a line in dse/run/answers.py; one that is logged, one in dse/tracking/record.py."""
    assert set(LEFT) == TASKS - WRITES_NOTHING
    assert {task for task, left in LEFT.items() if left.home is not None} == set(BUILDS)
    answers = [left.answer for left in LEFT.values()]
    assert len(answers) == len(set(answers))


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_task_is_a_function(task: str) -> None:
    """conf/task/NAME.yaml names the function NAME of dse/tasks.py."""
    written = yaml.safe_load((CONF / "task" / f"{task}.yaml").read_text(encoding="utf-8"))
    named = written["_target_"] if "_target_" in written else written["task"]["_target_"]
    assert named == f"dse.tasks.{task}"
    assert callable(getattr(tasks, task))


@pytest.mark.parametrize("task", sorted(TASKS - {"explore"}))
def test_every_task_is_told_of(task: str) -> None:
    pages = TEXT, (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [f"task={task}" in page for page in pages] == [True, True]
    left = LEFT.get(task)
    files = (left.answer, *left.beside, *left.sometimes) if left else ()
    assert [name for name in files if name not in pages[1]] == []
