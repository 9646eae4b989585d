"""Optuna's samplers: no design twice, none left out, limits told, kills survived, starts taken."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from questions import GOALS, LISTED, ONE_GOAL, WITH_INTERVALS, Hills, everything
from small import BATCH, DIFFERENT, WRITTEN, rows, same
from small import GOALS as SMALL_GOALS

from dse.configuration.compose import conf_folder
from dse.evaluation.goals import Goals
from dse.problem.archive import Question
from dse.problem.problem import Problem
from dse.problem.space import Space
from dse.run.store import Trials
from dse.search.optimise import Asking, OptunaSearch
from dse.search.samplers import EXTRAS, make_sampler
from dse.search.telling import FAR, TINY

SHIPPED = {path.stem: yaml.safe_load(path.read_text()) for path in conf_folder().glob("search/sampler/*.yaml")}
QUICK: dict[str, dict[str, Any]] = {  # so that few designs make more than one generation
    "nsga2": {"population_size": 8},
    "nsga3": {"population_size": 8},
    "tpe": {"n_startup_trials": 8},
    "gp": {"n_startup_trials": 8},
    "cmaes": {"popsize": 8},
}
BUDGET = 32
SLOW_TO_ASK = {"gp": 16}  # designs, of a sampler that takes a second for each


def lacking(name: str) -> list[str]:
    packages = EXTRAS.get(SHIPPED[name]["_target_"].split(".")[-1], ())
    return [package for package in packages if importlib.util.find_spec(package) is None]


def marks(name: str) -> list[Any]:
    missing = pytest.mark.skipif(bool(lacking(name)), reason=f"{' '.join(lacking(name))} not installed")
    return [missing, pytest.mark.slow] if name in SLOW_TO_ASK else [missing]


SAMPLERS = [pytest.param(name, marks=marks(name)) for name in sorted(SHIPPED)]


def goals_of(name: str) -> Goals:
    return ONE_GOAL if name == "cmaes" else GOALS


def search(name: str, trials: int | None = None, **options: Any) -> OptunaSearch:
    budget = trials or SLOW_TO_ASK.get(name, BUDGET)
    return OptunaSearch(trials=budget, batch=BATCH, sampler=SHIPPED[name] | QUICK.get(name, {}), **options)


def trials_in(folder: Path, question: Question) -> Trials:
    return Trials(folder, [parameter.key for parameter in question.space.parameters])


def searched(folder: Path, name: str, question: Hills, seed: int = 1, **options: Any) -> Trials:
    trials = trials_in(folder, question)
    search(name, **options).run(question, goals_of(name), trials, seed)
    return trials


def test_every_sampler_that_is_named_in_the_documents_is_shipped() -> None:
    assert set(SHIPPED) == {"tpe", "nsga2", "nsga3", "gp", "qmc", "cmaes", "random"}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("space", [LISTED, WITH_INTERVALS], ids=["listed", "intervals"])
def test_the_budget_is_spent_on_different_designs(tmp_path: Path, name: str, space: Any) -> None:
    question = Hills(space)
    designs, _ = searched(tmp_path, name, question).load()
    assert [design.tobytes() for design in designs] == question.asked
    assert len(set(question.asked)) == len(question.asked) == search(name).trials
    assert np.array_equal(question.canonical(designs), designs)
    for column, parameter in enumerate(space.parameters):
        if hasattr(parameter, "low"):
            assert ((designs[:, column] >= parameter.low) & (designs[:, column] <= parameter.high)).all()
            assert not parameter.whole or (designs[:, column] == designs[:, column].round()).all()
            # A whole number of few choices may be down to two in the last of four small generations.
            assert len(set(designs[:, column])) > (1 if parameter.whole else 2)


@pytest.mark.parametrize("name", ["nsga2", "tpe", "random", "qmc"])
def test_a_space_smaller_than_the_budget_is_exhausted(tmp_path: Path, name: str) -> None:
    question = Hills(Space((*LISTED.parameters[:1], *(short(p) for p in LISTED.parameters[1:]))))
    trials = searched(tmp_path, name, question, trials=1000)
    assert len(question.asked) == len(set(question.asked)) == len(everything(question)) == 2**5 + 2**4
    assert sorted(rows(trials.load()[0])) == sorted(rows(everything(question)))


def short(parameter: Any) -> Any:
    """A parameter with its first two choices."""
    field = "options" if hasattr(parameter, "options") else "numbers"
    return type(parameter)(**vars(parameter) | {field: getattr(parameter, field)[:2]})


@pytest.mark.parametrize("name", ["nsga2", "tpe"])
def test_each_trial_knows_its_answers_and_misses_constraints_exactly_where_a_limit_is_missed(
    tmp_path: Path, name: str
) -> None:
    question = Hills()
    trials = trials_in(tmp_path, question)
    asking = Asking(search(name, trials=200), question, GOALS, trials, seed=1)
    asking.run()
    _, columns = trials.load()
    values, legal = GOALS.values(columns), columns["legal"] > 0
    assert 0 < GOALS.feasible(columns).sum() < legal.sum() < len(values)
    for trial, told, fits, room in zip(
        asking.study.trials, values, legal, columns["headroom.memory"] >= 0, strict=True
    ):
        assert np.isfinite(trial.values).all()
        shown = np.sinh(trial.values) * TINY if asking.manner.decades else trial.values
        assert np.allclose(shown, told, rtol=1e-9) == fits
        assert set(trial.constraints) == {"memory", "power", "mapping"}
        assert all(abs(short) <= FAR for short in trial.constraints.values())
        assert (trial.constraints["mapping"] > 0) == (not fits)
        assert not fits or (trial.constraints["memory"] > 0) == (not room)
    best = {trial.number for trial in asking.study.best_trials}
    front = {tuple(values[row]) for row in GOALS.front(columns)}
    assert {tuple(values[number]) for number in best} == front


def test_the_exhausted_small_question_has_its_exact_front(problem: Problem, tmp_path: Path) -> None:
    trials = trials_in(tmp_path, problem)
    search("nsga2", trials=1000).run(problem, SMALL_GOALS, trials, seed=1)
    designs, columns = trials.load()
    assert len(set(rows(designs))) == len(designs) == DIFFERENT
    every = problem.evaluate(problem.space.designs(0, WRITTEN))
    # By values: two rated clocks that the power limit lowers to one are two designs with equal answers.
    found, best = (SMALL_GOALS.values(c)[SMALL_GOALS.front(c)] for c in (columns, every))
    assert set(rows(found)) == set(rows(best))


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(("left", "remembered"), [(2, 2), (2, 1), (1, 0)], ids=["after", "between", "forgotten"])
def test_a_resumed_search_is_the_uninterrupted_one(tmp_path: Path, name: str, left: int, remembered: int) -> None:
    """Cut after a batch; between what is kept of its answers and of the sampler; and with no memory of the sampler."""
    budget = 3 * BATCH
    whole = searched(tmp_path / "whole", name, Hills(WITH_INTERVALS), seed=3, trials=budget)
    begun = trials_in(tmp_path / "begun", Hills(WITH_INTERVALS))
    for part in whole.parts()[:left]:
        shutil.copy(part, begun.folder / part.name)
    memory = tmp_path / "begun" / "sampler"
    memory.mkdir()
    for part in sorted((tmp_path / "whole" / "sampler").glob("*.json"))[:remembered]:
        shutil.copy(part, memory / part.name)
    question = Hills(WITH_INTERVALS)
    searched(tmp_path / "begun", name, question, seed=3, trials=budget)
    assert len(question.asked) == budget - left * BATCH
    assert rows(begun.load()[0]) == rows(whole.load()[0])
    assert same(begun.load()[1], whole.load()[1])


@pytest.mark.parametrize("name", ["nsga2", "nsga3", "tpe", "random", "qmc"])
def test_what_is_remembered_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import optuna

    searched(tmp_path, name, Hills(), trials=2 * BATCH)
    asked, ask = [], optuna.Study.ask
    monkeypatch.setattr(optuna.Study, "ask", lambda *given, **rest: asked.append(1) or ask(*given, **rest))
    searched(tmp_path, name, Hills(), trials=3 * BATCH)
    assert len(asked) == BATCH


def test_what_is_remembered_is_plain_json_and_a_broken_file_is_refused(tmp_path: Path) -> None:
    searched(tmp_path, "nsga2", Hills())
    first = tmp_path / "sampler" / "000000.json"
    assert set(json.loads(first.read_text())) == {"designs", "trials", "study", "random", "draws", "regressors"}
    first.write_text('{"designs": [')
    with pytest.raises(ValueError, match=r"resume: .*000000\.json is no JSON .*; remove "):
        searched(tmp_path, "nsga2", Hills())


def test_another_seed_asks_for_other_designs(tmp_path: Path) -> None:
    orders = [rows(searched(tmp_path / str(s), "random", Hills(), seed=s).load()[0]) for s in (1, 2)]
    assert orders[0] != orders[1]


@pytest.mark.parametrize("name", [*(p for p in SAMPLERS if p.values[0] in ("nsga2", "nsga3", "tpe", "cmaes"))])
def test_what_learns_beats_uniform_sampling_without_replacement(tmp_path: Path, name: str) -> None:
    """By the hypervolume of a tenth of all designs, the median of seven seeds against the median of sixty-four."""
    question, goals = Hills(), goals_of(name)
    designs = everything(question)
    columns = question.evaluate(designs)
    box, budget = goals.box(columns), 192

    def share(found: dict[str, np.ndarray]) -> float:
        return box.share(goals.lower_is_better(found)[goals.feasible(found)])

    draws = (np.random.default_rng(seed).choice(len(designs), budget, replace=False) for seed in range(64))
    uniform = [share({key: values[drawn] for key, values in columns.items()}) for drawn in draws]
    found = [share(searched(tmp_path / str(seed), name, Hills(), seed, trials=budget).load()[1]) for seed in range(7)]
    assert np.median(found) > np.median(uniform)
    assert np.median(found) > 0.9 * share(columns)


def test_a_sampler_that_cannot_is_refused() -> None:
    assert type(make_sampler(SHIPPED["tpe"], 1)).__name__ == "TPESampler"
    for target, told in (
        ("os.system", "'os.system' is not one of optuna.samplers"),
        ("optuna.samplers.Nothing", "optuna.samplers.Nothing"),
        ("optuna.samplers.GridSampler", "GridSampler' cannot be asked for designs under constraints"),
    ):
        with pytest.raises(ValueError, match=rf"search\.sampler\._target_: .*{told}"):
            make_sampler({"_target_": target}, 1)
    with pytest.raises(
        ValueError, match=r"search\.sampler: .* takes no 'populaton_size'; did you mean 'population_size'"
    ):
        make_sampler(SHIPPED["nsga2"] | {"populaton_size": 3}, 1)
    with pytest.raises(ValueError, match=r"search\.sampler: .*NSGAIISampler refuses .*population_size.*greater"):
        make_sampler(SHIPPED["nsga2"] | {"population_size": 1}, 1)


def test_one_objective_is_what_some_samplers_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    question = Hills()
    with pytest.raises(
        ValueError, match=r"search\.sampler: .*CmaEsSampler takes one objective, and 2 .*energy_per_token=null.*TPE"
    ):
        search("cmaes").run(question, GOALS, trials_in(tmp_path, question), 1)
    assert not question.asked


def test_a_package_that_is_not_there_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"search\.sampler: .*GPSampler needs torch.*pip install 'inferscape\[samplers\]'"
    ):
        search("gp")


@pytest.mark.parametrize(("name", "value"), [("trials", 0), ("batch", 0), ("trials", -3), ("trials", "many")])
def test_counts_below_one_are_refused(name: str, value: Any) -> None:
    given = {"trials": 8, "batch": 8, "sampler": SHIPPED["random"]} | {name: value}
    with pytest.raises(ValueError, match=f"search.{name}: '?{value}'? "):
        OptunaSearch(**given)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_search_begins_with_the_designs_it_is_given(tmp_path: Path, name: str) -> None:
    start = [{"hw/memory": "far", "x0": 8, "x3": 3}, {"format": "c"}, {"format": "c"}]
    designs, _ = searched(tmp_path, name, Hills(), start=start, trials=BATCH).load()
    assert rows(designs[:2]) == [(1, 0, STEP[8], 0, 0, STEP[3]), (0, 2, 0, 0, 0, 0)]
    assert len(set(rows(designs))) == BATCH


STEP = {number: LISTED.parameters[2].numbers.index(number) for number in range(1, 9)}
