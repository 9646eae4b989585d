"""Fixtures that all tests share; double precision is on before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import machines
import pytest
from hypothesis import settings

import dse.run.precision  # noqa: F401
from dse.evaluation.evaluate import Candidate

# Examples are the same in every run, so that a failure is one for everybody; `--hypothesis-profile wide` looks further.
# No deadline: the first example of a test may wait for a compilation.
settings.register_profile("same", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("wide", deadline=None, max_examples=2000)
settings.load_profile("same")


@pytest.fixture(scope="session")
def candidate() -> Callable[..., Candidate]:
    """Builds the candidate of some overrides, each composition once."""
    return machines.candidate


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the checkout."""
    return machines.ROOT


@pytest.fixture(scope="module", autouse=True)
def forget_compiled() -> Iterator[None]:
    """What a module has compiled goes with it: all of it together is some gigabytes."""
    yield
    jax.clear_caches()
