"""The small question, composed once, and a folder that asks it from outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import small_problem, write_own

from dse.problem.problem import Problem


@pytest.fixture(scope="session")
def problem() -> Problem:
    """The small question."""
    return small_problem()


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of own configurations."""
    return write_own(tmp_path_factory.mktemp("own") / "conf")
