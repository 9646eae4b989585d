"""Evolution keeps its budget, its seed and its word, whatever the space and wherever it is stopped."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from arithmetic import FINITE, GOALS, LAYERS, MIXED, Arithmetic
from small import rows, same

from dse.problem.lines import Lines
from dse.problem.space import Space
from dse.run.store import Trials
from dse.search.evolve import Evolve

BUDGET, BATCH = 120, 16
HERE = Path(__file__).resolve().parent
RUN = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(HERE)!r})
from test_evolve import evolved
from arithmetic import MIXED, Arithmetic
evolved(Path(sys.argv[1]), Arithmetic(MIXED, pause=0.15))
"""


def evolved(folder: Path, question: Arithmetic, evaluations: int = BUDGET, seed: int = 3, **given: object) -> Trials:
    """The trials of an evolution."""
    trials = Trials(folder, [parameter.key for parameter in question.space.parameters])
    Evolve(**({"evaluations": evaluations, "population": 24, "batch": BATCH} | given)).run(
        question, GOALS, trials, seed
    )
    return trials


def test_the_budget_is_spent_on_different_designs_of_the_space(tmp_path: Path) -> None:
    question = Arithmetic(MIXED)
    designs, _ = evolved(tmp_path, question).load()
    assert len(set(rows(designs))) == len(designs) == BUDGET
    assert set(question.asked.values()) == {1}, "no design is evaluated twice"
    memory, cores, layers, frequency, users = designs.T
    assert set(memory) == {0, 1}
    assert set(cores) <= set(range(6))
    assert set(layers) <= set(range(len(LAYERS)))
    assert (layers[memory == 0] == 0).all(), "what a structure lacks is at rest"
    assert ((frequency >= 0.5e9) & (frequency <= 2e9)).all()
    assert ((users == users.round()) & (users >= 1) & (users <= 40)).all()


def test_a_small_space_is_had_to_the_last_design(tmp_path: Path) -> None:
    designs, columns = evolved(tmp_path, Arithmetic(FINITE), evaluations=1000).load()
    assert sorted(rows(designs)) == sorted(
        (float(memory), float(cores), float(layers))
        for memory, cores, layers in itertools.product(range(2), range(6), range(6))
        if memory or not layers
    )
    assert 0 < GOALS.feasible(columns).sum() < len(designs)


def test_a_seed_gives_the_same_designs_and_another_seed_others(tmp_path: Path) -> None:
    first, again, other = (
        rows(evolved(tmp_path / name, Arithmetic(MIXED), seed=seed).load()[0])
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert first == again
    assert first != other


def test_a_resumed_evolution_is_the_uninterrupted_one(tmp_path: Path) -> None:
    whole = evolved(tmp_path / "whole", Arithmetic(MIXED))
    begun = Trials(tmp_path / "begun", whole.keys)
    for part in whole.parts()[:3]:
        shutil.copy(part, begun.folder / part.name)
    kept, question = len(begun.load()[0]), Arithmetic(MIXED)
    again = evolved(tmp_path / "begun", question)
    assert sum(question.asked.values()) == BUDGET - kept
    assert rows(again.load()[0]) == rows(whole.load()[0])
    assert same(again.load()[1], whole.load()[1])


def test_a_killed_evolution_ends_as_the_uninterrupted(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent.parent), *sys.path])}
    process = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path / "killed")], env=environment)
    parts, deadline = tmp_path / "killed" / "trials", time.monotonic() + 120
    while len(list(parts.glob("*.parquet"))) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert len(list(parts.glob("*.parquet"))) < BUDGET // BATCH, "killed in the middle"
    ours, theirs = (evolved(tmp_path / name, Arithmetic(MIXED)).load() for name in ("killed", "whole"))
    assert rows(ours[0]) == rows(theirs[0])
    assert same(ours[1], theirs[1])


def test_given_designs_come_first(tmp_path: Path) -> None:
    start = [[1.0, 3.0, 2.0, 1e9, 7.0], [0.0, 1.0, 0.0, 2e9, 1.0]]
    named = [{p.key: p.text(code) for p, code in zip(MIXED.parameters, design, strict=True)} for design in start]
    designs, _ = evolved(tmp_path, Arithmetic(MIXED), start=named).load()
    np.testing.assert_allclose(designs[:2], start, rtol=1e-12)
    assert len(designs) == BUDGET


def test_neighbours_on_a_line_are_neighbours_in_size() -> None:
    """Codes follow the order in which numbers were written, places their size."""
    lines, random = Lines(MIXED), np.random.default_rng(1)
    cores = MIXED.parameters[1]
    steps = lines.designs(np.array([[0.0, place, 0.0, np.log(1e9), 1.0] for place in range(6)]))[:, 1]
    assert [cores.number(code) for code in steps] == sorted(cores.numbers)
    designs = MIXED.drawn(random, 200)
    np.testing.assert_allclose(lines.designs(lines.places(designs)), designs, rtol=1e-12)


def test_a_space_with_nothing_in_it_has_one_design(tmp_path: Path) -> None:
    class Nothing(Arithmetic):
        def canonical(self, designs: np.ndarray) -> np.ndarray:
            return designs.copy()

        def evaluate(self, designs: np.ndarray) -> dict[str, np.ndarray]:
            return super().evaluate(np.zeros((len(designs), 3)))

    assert len(evolved(tmp_path, Nothing(Space(()))).load()[1]["legal"]) == 1


@pytest.mark.parametrize("name", ["evaluations", "population", "batch"])
def test_counts_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"search.{name}: 0 "):
        Evolve(**({"evaluations": 8, "population": 8, "batch": 8} | {name: 0}))
