"""Optuna's samplers over the small question: no design twice, none left out, limits told, kills survived."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import BATCH, DIFFERENT, GOALS, SPACE, WRITTEN, rows, same, small_problem

from dse.optimise import Asking, OptunaSearch, make_sampler
from dse.problem import Problem
from dse.store import Trials

SAMPLERS: dict[str, dict[str, Any]] = {
    "nsga2": {"_target_": "optuna.samplers.NSGAIISampler", "population_size": 6},
    "tpe": {
        "_target_": "optuna.samplers.TPESampler",
        "multivariate": True,
        "group": True,
        "constant_liar": True,
        "n_startup_trials": 6,
    },
    "random": {"_target_": "optuna.samplers.RandomSampler"},
}
BUDGET = 20  # fewer than the 24 designs that there are, so that samplers repeat themselves


def search(name: str, trials: int = BUDGET) -> OptunaSearch:
    return OptunaSearch(trials=trials, batch=BATCH, sampler=SAMPLERS[name])


def trials_in(folder: Path, problem: Problem) -> Trials:
    return Trials(folder, [parameter.key for parameter in problem.space.parameters])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, ...]]:
    """Every design that is handed to `Problem.evaluate`."""
    evaluate, seen = Problem.evaluate, []

    def count(self: Problem, designs: np.ndarray) -> dict[str, np.ndarray]:
        seen.extend(rows(designs))
        return evaluate(self, designs)

    monkeypatch.setattr(Problem, "evaluate", count)
    return seen


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_budget_is_spent_on_different_designs(
    problem: Problem, tmp_path: Path, asked: list[tuple[float, ...]], name: str
) -> None:
    trials = trials_in(tmp_path, problem)
    search(name).run(problem, GOALS, trials, seed=1)
    designs, _ = trials.load()
    assert asked == rows(designs)
    assert len(set(asked)) == len(asked) == BUDGET
    assert np.array_equal(problem.canonical(designs), designs)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_space_smaller_than_the_budget_is_exhausted_and_the_study_knows_all(
    problem: Problem, tmp_path: Path, asked: list[tuple[float, ...]], name: str
) -> None:
    trials = trials_in(tmp_path, problem)
    asking = Asking(search(name, trials=1000), problem, GOALS, trials, seed=1)
    asking.run()
    designs, columns = trials.load()
    assert len(set(asked)) == len(asked) == len(designs) == DIFFERENT
    everything = problem.evaluate(problem.space.designs(0, WRITTEN))
    # By values: two rated clocks that the power limit lowers to one are two designs with equal answers.
    found, best = GOALS.values(columns)[GOALS.front(columns)], GOALS.values(everything)[GOALS.front(everything)]
    assert set(rows(found)) == set(rows(best))
    check_told(problem, asking, rows(designs), columns)


def check_told(
    problem: Problem, asking: Asking, designs: list[tuple[float, ...]], columns: dict[str, np.ndarray]
) -> None:
    """Each trial knows the answers of its design, with constraints above zero exactly where a limit is missed."""
    numbers = {design: i for i, design in enumerate(designs)}
    told = [(trial, numbers[design_of(problem, trial.params)]) for trial in asking.study.trials]
    for trial, row in told:
        assert trial.values == [columns[f"metrics.{goal}"][row] for goal in GOALS.objectives]
        missed = {goal for goal in GOALS.constraints if columns[f"headroom.{goal}"][row] < 0}
        assert {goal for goal, short in trial.constraints.items() if short > 0} == missed
        assert set(trial.constraints) == {*GOALS.constraints, "mapping"}
    assert {row for _, row in told} == set(range(DIFFERENT))
    assert 0 < GOALS.feasible(columns).sum() < DIFFERENT
    values, best = GOALS.values(columns), [trial.number for trial in asking.study.best_trials]
    assert {tuple(values[row]) for trial, row in told if trial.number in best} == {
        tuple(values[row]) for row in GOALS.front(columns)
    }


def design_of(problem: Problem, params: dict[str, Any]) -> tuple[float, ...]:
    """The design of a trial's parameters, as the study names them."""
    code = [
        parameter.options.index(params[parameter.key])
        if parameter in problem.space.files
        else params.get(parameter.key, 0)
        for parameter in problem.space.parameters
    ]
    return rows(problem.canonical(np.array([code], dtype=float)))[0]


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("left", [1, 2])
def test_a_resumed_search_is_the_uninterrupted_one(
    problem: Problem, tmp_path: Path, asked: list[tuple[float, ...]], name: str, left: int
) -> None:
    whole = trials_in(tmp_path / "whole", problem)
    search(name).run(problem, GOALS, whole, seed=3)
    begun = trials_in(tmp_path / "begun", problem)
    for part in whole.parts()[:left]:
        shutil.copy(part, begun.folder / part.name)
    asked.clear()
    search(name).run(small_problem(), GOALS, begun, seed=3)
    assert len(asked) == BUDGET - left * BATCH
    assert rows(begun.load()[0]) == rows(whole.load()[0])
    assert same(begun.load()[1], whole.load()[1])


def test_another_seed_asks_for_other_designs(problem: Problem, tmp_path: Path) -> None:
    orders = []
    for seed in (1, 2):
        trials = trials_in(tmp_path / str(seed), problem)
        search("random").run(problem, GOALS, trials, seed)
        orders.append(rows(trials.load()[0]))
    assert orders[0] != orders[1]


@pytest.mark.parametrize("name", SAMPLERS)
def test_intervals_are_sampled_within_their_ends(tmp_path: Path, name: str) -> None:
    space = SPACE | {
        "hw.chip.engine.cores": {"low": 100, "high": 512},
        "hw.chip.engine.frequency": {"low": "0.5 GHz", "high": "1.2 GHz", "log": True},
        "hw.chip.memory.stack.layers": {"low": 1, "high": 4},
    }
    problem = small_problem(space=space)
    trials = trials_in(tmp_path, problem)
    search(name, trials=3 * BATCH).run(problem, GOALS, trials, seed=1)
    designs, columns = trials.load()
    _, cores, frequency, layers = designs.T
    assert len(set(rows(designs))) == len(designs) == 3 * BATCH
    assert ((cores == cores.round()) & (cores >= 100) & (cores <= 512)).all()
    assert ((frequency >= 0.5e9) & (frequency <= 1.2e9)).all()
    assert ((layers == layers.round()) & (layers >= 1) & (layers <= 4)).all()
    assert (layers[designs[:, 0] == 0] == 1).all(), "SRAM has no layers: they rest at the low end"
    assert len(set(columns["metrics.power"])) > BATCH


def test_a_sampler_takes_the_seed_of_the_run() -> None:
    assert type(make_sampler(SAMPLERS["tpe"], 1)).__name__ == "TPESampler"
    with pytest.raises(ValueError, match=r"search\.sampler\._target_: 'os\.system' is not one of optuna\.samplers"):
        make_sampler({"_target_": "os.system"}, 1)
    with pytest.raises(ValueError, match=r"search\.sampler\._target_: .*optuna\.samplers\.Nothing"):
        make_sampler({"_target_": "optuna.samplers.Nothing"}, 1)


@pytest.mark.parametrize(("name", "value"), [("trials", 0), ("batch", 0), ("trials", -3), ("trials", "many")])
def test_counts_below_one_are_refused(name: str, value: Any) -> None:
    given = {"trials": 8, "batch": 8, "sampler": SAMPLERS["random"]} | {name: value}
    with pytest.raises(ValueError, match=f"search.{name}: '?{value}'? "):
        OptunaSearch(**given)
