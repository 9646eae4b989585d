"""Errors that are published are those of today, and do not grow unseen."""

from __future__ import annotations

import pytest

from dse.configuration.measured import folder
from dse.validation.scoreboard import GROUPS, kept, measured, worse

ERRORS = {"count": 100, "median_absolute_error": 0.07, "p90_absolute_error": 0.2, "bias": 0.01, "inside_spread": 0.9}
CHANGES = {
    "median_absolute_error": 0.09, "p90_absolute_error": 0.24, "bias": -0.05, "inside_spread": 0.8, "count": 90,
}  # fmt: skip


def told(**change: float) -> list[str]:
    return list(worse({"runs": {"time": ERRORS | change}}, {"runs": {"time": ERRORS}}))


@pytest.mark.parametrize("name", CHANGES)
def test_what_becomes_worse_is_told(name: str) -> None:
    (words,) = told(**{name: CHANGES[name]})
    assert words.startswith("runs: time: ")


def test_noise_is_no_change() -> None:
    assert not told()
    assert not told(median_absolute_error=0.075, p90_absolute_error=0.21, bias=0.015, inside_spread=0.89, count=99)
    assert not told(median_absolute_error=0.01, p90_absolute_error=0.02, inside_spread=1.0, count=200)


def test_a_group_that_is_gone_is_told() -> None:
    assert list(worse({"runs": {}}, {"runs": {"time": ERRORS}})) == [
        "runs: time: no row is predicted any more; 100 were"
    ]


@pytest.mark.skipif(not folder().is_dir(), reason=f"no measurements at {folder()}; name them in INFERSCAPE_DATA")
@pytest.mark.parametrize("suite", GROUPS)
def test_no_error_has_grown(suite: str) -> None:
    """Against conf/validation/scoreboard.yaml."""
    then = kept()["errors"]
    assert not list(worse(measured([suite]), then)), "if it is meant, python -m dse.validation.scoreboard writes it"
    assert then[suite]
