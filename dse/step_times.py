"""The step times of the composed machine under a mapping, as a simulation of serving asks for them."""

from __future__ import annotations

from typing import Any

from dse.rules import StepTimes
from dse.session import Session


def step_times(session: Session) -> tuple[StepTimes, dict[str, Any]]:
    """Step times of one replica, and what they are of: plain data, such as the mapping by name."""
    raise ValueError(f"task=serve: there are no step times of {session.choices.get('hw', 'this machine')} yet")
