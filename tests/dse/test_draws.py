"""What is drawn, and what is made of it, on functions whose answers are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from dse.configuration.compose import conf_folder, written
from dse.evaluation.goals import Goals
from dse.uncertainty.beliefs import Beliefs, read_classes
from dse.uncertainty.draws import drawn, even
from dse.uncertainty.indices import indices
from dse.uncertainty.robust import at_least_as_good, read_level
from dse.uncertainty.uncertainty import bound, chances, near
from hw.units import Rule

ENDS = np.array([0.05, 0.5, 0.95])
NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def shipped() -> dict[str, object]:
    return written(conf_folder() / "spreads" / "default.yaml")


def test_nine_in_ten_of_a_positive_number_lie_within_its_half_width() -> None:
    assert drawn(50e9, 0.25, Rule("B/s", least=0), ENDS) == pytest.approx([40e9, 50e9, 62.5e9], rel=1e-4)


def test_a_fraction_stays_one_and_a_far_bound_does_not_matter() -> None:
    shares = drawn(0.9, 0.3, Rule("", least=0, most=1), np.linspace(1e-6, 1 - 1e-6, 1001))
    assert shares.min() > 0
    assert shares.max() <= 1
    assert (np.diff(shares) > 0).all()
    assert drawn(0.4, 0.1, Rule("", least=0, most=1), ENDS) == pytest.approx([2 / 5.3, 0.4, 2.2 / 5.2], rel=1e-4)


def test_a_column_is_even_and_does_not_know_the_others() -> None:
    points = even(64, NAMES, 1)
    assert all(sorted((column * 64).astype(int)) == list(range(64)) for column in points.T)
    assert np.array_equal(points[:, 1], even(64, ["z", "b"], 1)[:, 1])
    assert not np.array_equal(points, even(64, NAMES, 2))
    assert even(8, [], 1).shape == (8, 0)


def test_a_sum_has_the_bounds_of_a_sum() -> None:
    """Of independent normal terms the deviations add in squares; tolerances are three stated errors. Halving the widest
    term narrows the sum by as much as its square was of the whole."""
    scores = stats.norm.ppf(even(4096, NAMES, 3))
    for widths in ([3.0, 1.0, 0.5], [1.5, 1.0, 0.5]):
        found, deviation = bound(100 + scores @ widths), float(np.linalg.norm(widths))
        for name, score in (("p5", -1.645), ("p50", 0.0), ("p95", 1.645)):
            assert found[name] == pytest.approx(100 + score * deviation, abs=3 * 100 * found["error"])
        assert 100 * found["error"] < 0.05 * deviation


def test_what_does_not_move_has_no_width() -> None:
    assert bound(np.full(64, 7.0)) == {"p5": 7, "p50": 7, "p95": 7, "error": 0}
    assert np.isnan(bound(np.full(8, np.nan))["p5"])
    assert bound(np.array([np.nan, 7.0]))["p95"] == 7


def test_the_stated_error_of_a_bound_is_about_what_seeds_make_of_it() -> None:
    """For independent draws they would be equal; stratified columns are somewhat better."""
    scores = [stats.norm.ppf(even(256, NAMES, seed)).sum(axis=1) for seed in range(40)]
    found = [bound(10 + one) for one in scores]
    seen = np.std([one["p95"] for one in found])
    told = np.mean([one["error"] * one["p50"] for one in found])
    assert 0.4 < seen / told < 1.3


def ishigami(points: np.ndarray) -> dict[str, np.ndarray]:
    x = (2 * points - 1) * np.pi
    wave = np.sin(x[:, 0]) * (1 + 0.1 * x[:, 2] ** 4) + 7 * np.sin(x[:, 1]) ** 2
    return {"wave": wave, "flat": np.full(len(x), 2.0), "broken": np.where(x[:, 0] > 0, np.nan, 1.0)}


def test_indices_of_a_known_function() -> None:
    """Ishigami and Homma, 1990, in closed form; 2^14 draws leave errors of about 1 %."""
    found = indices(ishigami, NAMES, [[0], [1], [2]], 2**14, 1)
    a, b = 7.0, 0.1
    parts = [0.5 * (1 + b * np.pi**4 / 5) ** 2, a**2 / 8, 0.0, b**2 * np.pi**8 * (1 / 18 - 1 / 50)]
    whole = sum(parts)
    together = [parts[0] + parts[3], parts[1], parts[3]]
    assert found["wave"].first == pytest.approx(np.array(parts[:3]) / whole, abs=0.04)
    assert found["wave"].total == pytest.approx(np.array(together) / whole, abs=0.03)
    assert (np.abs(found["wave"].total - np.array(together) / whole) < 4 * found["wave"].error).all()
    assert (found["flat"].first == 0).all()
    assert np.isnan(found["broken"].total).all()


def test_indices_of_a_sum_are_its_shares_also_of_groups() -> None:
    widths = np.array([3.0, 2.0, 1.0])
    found = indices(lambda points: {"sum": stats.norm.ppf(points) @ widths}, NAMES, [[0], [1, 2]], 2**13, 5)["sum"]
    assert found.first == pytest.approx([9 / 14, 5 / 14], abs=0.04)
    assert found.total == pytest.approx([9 / 14, 5 / 14], abs=0.04)


GOALS = Goals({"power": "minimize", "clock": "maximize"}, ("memory",))


def columns(power: list, clock: list, memory: list) -> dict[str, np.ndarray]:
    found = {"metrics.power": power, "metrics.clock": clock, "headroom.memory": memory}
    return {name: np.array(values, float) for name, values in found.items()} | {"legal": np.ones(np.shape(power), bool)}


def test_chances_of_being_on_the_front() -> None:
    """Designs a, b, c in four draws: b is beaten by a twice, c never fits but once, and then nothing beats it."""
    drawn_columns = columns(
        [[1, 1, 1, 1], [2, 2, 0, 1], [5, 5, 5, 0]], [[1, 1, 1, 1]] * 3, [[0, 0, 0, 0], [0, 0, 0, 0], [-1, -1, -1, 0]]
    )
    works, best = chances(drawn_columns, GOALS)
    assert works.tolist() == [1, 1, 0.25]
    assert best.tolist() == [0.5, 0.25, 0.25]


def test_the_nearest_to_the_front_come_first() -> None:
    found = columns([1, 4, 3, 1.2, 1.1], [1, 4, 2, 1, 1], [0, 0, 0, 0, -1])
    front = GOALS.front(found)
    assert sorted(front) == [0, 1, 2] or sorted(front) == [0, 1]
    assert near(found, GOALS, np.array([0, 1]), 1).tolist() == [3]
    assert near(found, GOALS, np.array([0, 1]), 9).tolist() == [3, 2]
    assert near(found, GOALS, np.array([], int), 9).tolist() == []


@pytest.mark.parametrize("level", [0.5, 0.75, 0.9, 0.99])
@pytest.mark.parametrize("draws", [1, 10, 32])
def test_a_robust_value_is_reached_by_its_share_of_draws(level: float, draws: int) -> None:
    values = np.random.default_rng(1).normal(size=(5, draws))
    low, high = at_least_as_good(values, level, False), at_least_as_good(values, level, True)
    assert ((values <= low[:, None]).mean(axis=1) >= level).all()
    assert ((values >= high[:, None]).mean(axis=1) >= level).all()
    assert np.array_equal(high, -at_least_as_good(-values, level, False))


def test_a_draw_that_is_no_number_is_worse_than_any() -> None:
    values = np.array([[1.0, 2.0, np.nan, 3.0]])
    assert at_least_as_good(values, 0.75, False) == 3
    assert at_least_as_good(values, 0.9, False) == np.inf
    assert at_least_as_good(values, 0.9, True) == -np.inf


@pytest.mark.parametrize("given", ["p120", "p20", "90", "worst", True, 0.9])
def test_a_share_that_is_none_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="write robust=p90"):
        read_level(given)


def test_shares_are_read() -> None:
    assert read_level(None) is None
    assert read_level("p90") == 0.9


def test_the_shipped_classes_widen_as_confidence_falls(shipped: dict) -> None:
    found = Beliefs.read(shipped).classes
    order = ["given", "published", "measured", "third-party", "assumed"]
    assert all(found[a] < found[b] for a, b in itertools.pairwise(order))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"draw": 3}, "did you mean 'draws'"),
        ({"draws": -1}, "spreads.draws"),
        ({"mapping": "worst"}, "neither chosen nor best"),
        ({"evaluate": "perhaps"}, "neither true nor false"),
        ({"near": "many"}, "spreads.near"),
    ],
)
def test_wrong_spreads_are_refused(shipped: dict, changed: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Beliefs.read(shipped | changed)


def test_wrong_classes_are_refused(shipped: dict) -> None:
    with pytest.raises(ValueError, match="did you mean 'assumed'"):
        read_classes(shipped["classes"] | {"asumed": "3 %"})
    with pytest.raises(ValueError, match=r"spreads\.classes\.assumed"):
        read_classes(shipped["classes"] | {"assumed": "much"})
    with pytest.raises(ValueError, match="measured is missing"):
        read_classes({"published": "2 %"})
