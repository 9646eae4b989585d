"""Refinement by slopes, on a question whose answers and slopes are formulas, and on a small machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import jax
import moocore
import numpy as np
import pytest
from questions import GRID, SIZES, Bowl
from scipy.stats import mannwhitneyu
from small import GOALS, rows, same, small_problem
from small import SPACE as SMALL

from dse.configuration.compose import compose, plain
from dse.evaluation.goals import Columns, Goals
from dse.problem.coordinates import Coordinates
from dse.problem.neighbours import neighbours
from dse.problem.problem import Problem
from dse.problem.slopes import directions
from dse.problem.space import Files, Interval, Space, Values
from dse.report.study import make
from dse.run.store import Trials
from dse.search.refine import Refinement
from dse.search.refining import Refining
from dse.search.starts import crowding

LINE = Space((Files("part", ("a", "b")), *(Interval(f"x.{name}", 1.0, 64.0, True, "", False) for name in "pqr")))
CHOICES = Space((Files("part", ("a", "b")),))
SEARCH = {"batch": 6, "steps": 5, "tries": 4, "stride": 0.3}
BUDGET = 120


def trials_in(folder: Path, space: Space) -> Trials:
    return Trials(folder, [parameter.key for parameter in space.parameters])


class Forgotten:
    """Trials that are kept nowhere."""

    def load(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return np.zeros((0, 4)), {}

    def append(self, *_: Any) -> None: ...


def refined(seed: int, space: Space = GRID, budget: int = BUDGET) -> tuple[np.ndarray, Refining]:
    """Designs that a search met, and the search."""
    search = Refinement(evaluations=budget, **SEARCH)
    run = Refining(search, Bowl(space), GOALS, Forgotten(), seed)  # type: ignore[arg-type]
    run.run()
    return np.stack([np.frombuffer(key) for key in run.archive.met]), run


def share(goals: Goals, columns: Columns, everything: Columns) -> float:
    """The hypervolume of answers as a share of that of the exact front, in the front's own box and a tenth more."""
    front = goals.lower_is_better(everything)[goals.front(everything)]
    best, span = front.min(axis=0), np.ptp(front, axis=0)
    volumes = []
    for points in (goals.lower_is_better(columns)[goals.feasible(columns)], front):
        scaled = (points - best) / span
        inside = scaled[(scaled < 1.1).all(axis=1)]
        volumes.append(moocore.hypervolume(inside, ref=[1.1] * front.shape[1]) if len(inside) else 0.0)
    return float(volumes[0] / volumes[1])


def test_it_comes_nearer_to_the_front_than_chance_does_with_as_many_evaluations() -> None:
    """Over 20 seeds; slopes are counted as evaluations. Ranks, as shares of a hypervolume are bounded and skewed."""
    question = Bowl(GRID)
    every = GRID.designs(0, int(GRID.size))
    everything, ours, theirs = question.evaluate(every), [], []
    for seed in range(20):
        drawn = every[np.random.default_rng(seed).choice(len(every), BUDGET, replace=False)]
        ours.append(share(GOALS, question.evaluate(refined(seed)[0]), everything))
        theirs.append(share(GOALS, question.evaluate(drawn), everything))
    assert np.median(ours) > np.median(theirs)
    assert mannwhitneyu(ours, theirs, alternative="greater").pvalue < 0.01


@pytest.mark.parametrize("budget", [1, 5, 13, 120])
def test_the_budget_counts_designs_and_slopes_and_is_spent(budget: int) -> None:
    designs, run = refined(1, budget=budget)
    assert run.spent == len(designs) + len(run.taken) == budget
    assert len(set(rows(designs))) == len(designs) == run.problem.asked  # type: ignore[attr-defined]


def test_a_space_smaller_than_the_budget_ends_and_its_front_is_found() -> None:
    small = Space((Files("part", ("a", "b")), *(Values(f"x.{name}", SIZES[::4], "") for name in "pqr")))
    designs, run = refined(1, small, budget=10_000)
    question = Bowl(small)
    everything = question.evaluate(small.designs(0, int(small.size)))
    assert run.spent < 10_000
    assert share(GOALS, question.evaluate(designs), everything) == pytest.approx(1)


def test_one_seed_is_one_search_and_another_is_another() -> None:
    first, again, other = (refined(seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("left", [1, 4])
def test_a_resumed_search_is_the_uninterrupted_one(tmp_path: Path, left: int) -> None:
    search = Refinement(evaluations=BUDGET, **SEARCH)
    whole = trials_in(tmp_path / "whole", GRID)
    search.run(Bowl(GRID), GOALS, whole, seed=3)
    begun, question = trials_in(tmp_path / "begun", GRID), Bowl(GRID)
    for part in whole.parts()[:left]:
        shutil.copy(part, begun.folder / part.name)
    kept = len(begun.load()[0])
    search.run(question, GOALS, begun, seed=3)
    assert question.asked == len(whole.load()[0]) - kept
    assert rows(begun.load()[0]) == rows(whole.load()[0])
    assert same(begun.load()[1], whole.load()[1])


def test_intervals_are_followed_within_their_ends() -> None:
    designs, _ = refined(1, LINE)
    assert len(designs) > BUDGET / 3
    assert ((designs[:, 1:] >= 1) & (designs[:, 1:] <= 64)).all()


def test_a_start_descends_to_the_least_of_what_it_aims_at() -> None:
    """With one objective all aim at one point: the cheapest machine with p q >= 8 has p = q = sqrt 8, r = 1."""
    goals = Goals({"cost_per_million_tokens": "minimize"}, ("memory",))
    search = Refinement(evaluations=600, batch=6, steps=30, tries=6, stride=0.1)
    run = Refining(search, Bowl(LINE), goals, Forgotten(), seed=1)  # type: ignore[arg-type]
    run.run()
    designs = np.stack([np.frombuffer(key) for key in run.archive.met])
    columns = run.problem.evaluate(designs)
    cheapest = columns["metrics.cost_per_million_tokens"][goals.front(columns)[0]]
    assert cheapest == pytest.approx(2 * 8**0.5 + 1, rel=0.03)


def test_a_space_without_numbers_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"search=refine: nothing in the space is a number.*search=enumerate"):
        Refinement(evaluations=8, **SEARCH).run(Bowl(CHOICES), GOALS, trials_in(tmp_path, CHOICES), seed=1)


def test_a_question_without_slopes_is_refused_in_words(tmp_path: Path) -> None:
    class Mute:
        space = GRID

    with pytest.raises(ValueError, match=r"search=refine: what is asked has answers but no slopes"):
        Refinement(evaluations=8, **SEARCH).run(Mute(), GOALS, trials_in(tmp_path, GRID), seed=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), [("evaluations", 0), ("batch", "many"), ("stride", 0), ("stride", 1.5)])
def test_numbers_out_of_bounds_are_refused(name: str, value: Any) -> None:
    given = plain(compose(["search=refine"]))["search"]
    assert make(given).evaluations > 0
    with pytest.raises(ValueError, match=rf"search\.{name}: "):
        make(given | {name: value})


@pytest.mark.parametrize("space", [GRID, LINE])
def test_points_of_designs_are_rounded_to_these_designs(space: Space) -> None:
    designs = space.drawn(np.random.default_rng(1), 50)
    found = Coordinates(space)
    points = found.points(designs)
    assert np.allclose(found.designs(points), designs)
    assert ((points >= 0) & (points <= 1)).all()
    assert np.allclose(found.nearest(points), points)


def test_a_step_that_left_the_space_is_brought_back_to_what_is_nearest() -> None:
    """Of a simplex: no other point of it is nearer, by brute force."""
    found, random = Coordinates(Space((Files("part", ("a", "b", "c")),))), np.random.default_rng(1)
    outside = random.normal(0.3, 1.0, (20, 3))
    inside, others = found.nearest(outside), random.dirichlet(np.ones(3), 5000)
    assert np.allclose(inside.sum(axis=1), 1)
    assert (inside >= 0).all()
    far = np.linalg.norm(outside[:, None] - others, axis=2).min(axis=1)
    assert (np.linalg.norm(outside - inside, axis=1) <= far + 1e-12).all()
    assert np.array_equal(Coordinates(GRID).nearest(np.array([[2.0, 0.0, -1.0, 0.5, 3.0]])), [[1, 0, 0, 0.5, 1]])


def test_neighbours_differ_in_one_code_by_one_place() -> None:
    design = np.array([0.0, 0.0, 5.0, 12.0])
    found = {tuple(other - design) for other in neighbours(GRID, design)}
    assert found == {(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, -1, 0), (0, 0, 0, -1)}
    beside = neighbours(LINE, np.array([1.0, 1.0, 8.0, 64.0]))
    assert ((beside[:, 1:] >= 1) & (beside[:, 1:] <= 64)).all()
    assert len(beside) == 1 + 1 + 2 + 1


def test_the_ends_of_a_front_and_what_lies_apart_are_the_least_crowded() -> None:
    heights = np.array([[0.0, 1.0], [0.1, 0.9], [0.15, 0.8], [0.6, 0.3], [1.0, 0.0]])
    apart = crowding(heights)
    assert np.isinf(apart[[0, 4]]).all()
    assert apart[3] > apart[2] > apart[1]


def test_along_an_option_a_machine_mixes_with_the_other_and_along_a_size_its_logarithm_grows() -> None:
    """Of the leaves that vary: by first order they reach exactly those of the other file; 0 to another structure."""
    space = SMALL | {"format": ["mxint8", "mxint4_weights"]}
    problem = small_problem(space=space)
    found, design = Coordinates(problem.space), np.array([[1.0, 0.0, 1.0, 0.0, 2.0]])
    kind = problem.kind(jax.tree.structure(problem.template((1, 0)).candidate))
    moved = directions(problem, design, kind)[0]
    here, there = (np.array(jax.tree.leaves(problem.template(files).candidate), float) for files in ((1, 0), (1, 1)))
    sizes = [leaf for _, leaf in kind.places]
    varied = [leaf for leaf in np.flatnonzero(kind.varied) if leaf not in sizes]
    columns = np.searchsorted(np.flatnonzero(kind.varied), varied)
    memory, formats, cores = found.parts[0], found.parts[1], found.parts[2]
    assert np.array_equal(here[varied] + moved[formats][1, columns], there[varied])
    assert not moved[formats][0].any()
    assert not moved[memory].any()
    assert np.abs(moved[cores]).sum() == pytest.approx(256 * np.log(512 / 128))


@pytest.mark.slow
def test_slopes_of_a_machine_are_those_of_its_answers(problem: Problem, tmp_path: Path) -> None:
    """Against differences of exact answers along the clock, which nothing rounds, a tenth of a per cent to both sides:
    answers have seven digits, so the differences have four."""
    line = small_problem(space=SMALL | {"hw.chip.engine.frequency": {"low": "0.5 GHz", "high": "1.0 GHz", "log": True}})
    names = ["metrics.time_per_output_token", "metrics.energy_per_token", "metrics.cost_per_million_tokens"]
    column, step = 2, 1e-3
    design = np.array([[1.0, 1.0, 0.7e9, 1.0]])
    sides = np.repeat(design, 3, axis=0)
    sides[:, column] *= np.exp([-step, 0.0, step])
    columns = line.evaluate(sides)
    middle = {name: values[1:2] for name, values in columns.items()}
    along = Coordinates(line.space).parts[column].start
    for name, slope in line.slopes(design, middle, names).items():
        difference = (columns[name][2] - columns[name][0]) / (2 * step) * np.log(2)
        assert slope[0, along] == pytest.approx(difference, rel=1e-3, abs=1e-4 * columns[name][1]), name


@pytest.mark.slow
def test_a_small_machine_is_refined(problem: Problem, tmp_path: Path) -> None:
    trials = trials_in(tmp_path, problem.space)
    Refinement(evaluations=60, batch=8, steps=3, tries=4, stride=0.35).run(problem, GOALS, trials, seed=1)
    designs, columns = trials.load()
    everything = problem.evaluate(problem.space.designs(0, int(problem.space.size)))
    assert len(set(rows(designs))) == len(designs)
    assert share(GOALS, columns, everything) > 0.9
