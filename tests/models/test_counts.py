"""Whole numbers: exact as ever, and with slopes where they are asked for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from machines import ROOT

from models.counts import ceil, floor, relaxed

NUMBERS = np.array([0.2, 0.9, 1.0, 1.5, 2.0, 7.3, 4096.0, 4096.0001])


def slope(function: object, number: float) -> float:
    return float(jax.grad(function)(number))  # type: ignore[arg-type]


@pytest.mark.parametrize(("ours", "theirs"), [(ceil, jnp.ceil), (floor, jnp.floor)])
def test_relaxing_changes_no_value(ours: object, theirs: object) -> None:
    with relaxed():
        assert np.array_equal(ours(NUMBERS), theirs(NUMBERS))  # type: ignore[operator]
    assert np.array_equal(ours(NUMBERS), theirs(NUMBERS))  # type: ignore[operator]


def test_slopes_are_there_only_where_they_are_asked_for() -> None:
    assert slope(ceil, 7.3) == slope(floor, 7.3) == 0
    with relaxed():
        assert slope(ceil, 7.3) == slope(floor, 7.3) == 1
        assert slope(ceil, 0.2) == 0, "less than one tile is one tile, and so is a little more"
    assert slope(ceil, 7.3) == 0


def test_tiles_of_a_matrix_shrink_as_the_array_grows() -> None:
    """ceil(n / rows) relaxed has the slope of n / rows: -n / rows^2."""
    with relaxed():
        assert slope(lambda rows: ceil(4096 / rows), 60.0) == pytest.approx(-4096 / 60**2)


def test_the_physics_rounds_in_one_place() -> None:
    files = sorted(path for package in ("models", "hw") for path in (ROOT / package).glob("*.py"))
    rounding = [path.name for path in files if any(f"jnp.{name}(" in path.read_text() for name in ("ceil", "floor"))]
    assert rounding == ["counts.py"]
