"""Several processes on one Optuna study: each asks, evaluates and tells, and no design is evaluated by two.

A trial is placed once its design is written beside it. Of the trials with one design, the one with the lowest number
owns it, and who looks waits until all lower numbers are placed, so that all who look see the same owner. The budget
is counted the same way: a design is evaluated if fewer than `trials` others were placed before it.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from dse.evaluation.goals import Columns, Goals
from dse.problem.archive import Archive, Question
from dse.problem.problem import composed
from dse.run.bars import bar
from dse.run.keys import SECTIONS, SOMETIMES
from dse.run.store import Trials
from dse.search.samplers import Seen, make_sampler, manner, refuse_objectives
from dse.search.storage import connected, reached
from dse.search.telling import Telling

ASKED_PER_NEW = 4  # a sampler that repeats itself more than this is given unseen designs
BEATS = 6  # signs of life of a worker within the patience of the others
PAUSE = 0.05  # seconds between looks at what others do


class Placed(NamedTuple):
    """A trial of this worker with its design."""

    design: np.ndarray
    trial: Any

    @property
    def key(self) -> bytes:
        return self.design.tobytes()


class Sharing:
    """One worker's part in a study. Worker and folder are one: resumed in its folder, it takes up what it left.

    url, name : of the study.
    patience : seconds without a sign of life after which the designs of another worker are free again.
    """

    def __init__(self, search: Any, problem: Question, goals: Goals, trials: Trials, seed: int) -> None:
        import optuna

        refuse_objectives(search.sampler, [*goals.objectives])
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        kind = manner(search.sampler)
        self.seen, self.telling = Seen(problem.space, kind.categories), Telling(goals, kind)
        self.search, self.problem, self.goals, self.url = search, problem, goals, str(search.storage)
        self.lock = alone_in(trials.folder)
        self.archive = Archive(problem, goals, trials)
        self.me = f"{socket.gethostname()}:{trials.folder.resolve()}"
        self.random = np.random.default_rng([seed, zlib.crc32(self.me.encode())])  # workers must not ask the same
        sampler = make_sampler(search.sampler, int(self.random.integers(2**31)))
        storage = connected(self.url)
        with reached(self.url):
            self.study = optuna.create_study(
                study_name=search.study, storage=storage, load_if_exists=True, sampler=sampler,
                directions=[*goals.directions],
            )  # fmt: skip
            self._refuse_another_question()
        self.goal = int(min(search.trials, problem.space.size))
        self.repeats: list[Placed] = []  # of designs that others are evaluating
        self.pulses: dict[str, tuple[Any, float]] = {}
        self.sampling = 0.0  # seconds

    def run(self) -> dict[str, float]:
        """Evaluate until the study has its trials; then take over what others answered. Returns seconds by part."""
        alive = Pulse(self.study, self.me, self.search.patience / BEATS)
        with reached(self.url), alive, bar("searching", self.goal) as advance:
            self._take_up()
            self._search(advance)
            self._take_over()
        return {"evaluate": self.archive.seconds, "sampler": self.sampling}

    def _search(self, advance: Any) -> None:
        """Until all designs of the budget are told, by whichever worker, or the sampler finds no more."""
        shown, fruitful = 0, True
        while True:
            owners = self._owners()
            advance(len(owners) - shown)
            shown, left = len(owners), self.goal - len(owners)
            asked = self._ask(min(self.search.batch, left), owners) if left > 0 and fruitful else []
            fruitful = bool(asked) or left <= 0
            mine = self._settle(asked)
            if mine:
                self._evaluate(mine)
            elif not asked:
                others = [trial for trial in self._owners().values() if not trial.state.is_finished()]
                if not others and not self.repeats:
                    return
                fruitful |= self._free_the_dead(others)
                time.sleep(PAUSE)

    def _refuse_another_question(self) -> None:
        asked = question_of(self.problem, self.goals)
        if "question" not in self.study.user_attrs:
            self.study.set_user_attr("question", asked)
        if self.study.user_attrs["question"] != asked:
            raise ValueError(
                f"search.study: {self.search.study!r} holds trials of another machine, model, space or objectives; "
                "give this search a study of its own name"
            )

    def _ask(self, wanted: int, owners: dict[bytes, Any]) -> list[Placed]:
        """Placed trials of designs that nobody has; where a design is had already, its trial waits for the answer."""
        start, fresh = time.perf_counter(), dict[bytes, Placed]()
        for asked in range(ASKED_PER_NEW * wanted * 2):
            if len(fresh) == wanted:
                break
            if asked >= ASKED_PER_NEW * wanted:
                self._enqueue_unseen({*fresh, *owners})
            placed = self._place()
            if placed is None:
                continue
            if placed.key in owners and owners[placed.key].state.is_finished():
                self._answer(placed.trial, answers_of(owners[placed.key]))
            elif placed.key in owners or placed.key in fresh:
                self.repeats.append(placed)
            else:
                fresh[placed.key] = placed
        self.sampling += time.perf_counter() - start
        return list(fresh.values())

    def _place(self) -> Placed | None:
        """Ask, and write the design beside the trial; None where others took this worker for dead meanwhile."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            trial = self.study.ask(self.seen.distributions)
            trial.set_user_attr("worker", self.me)
            design = self.problem.canonical(self.seen.design(trial.params)[None])[0]
            trial.set_user_attr("design", design.tolist())
        except UpdateFinishedTrialError:
            return None
        return Placed(design, trial)

    def _enqueue_unseen(self, seen: Iterable[bytes]) -> None:
        known = set(seen)
        for _ in range(1000):
            design = self.problem.canonical(self.problem.space.drawn(self.random, 1))[0]
            if design.tobytes() not in known:
                self.study.enqueue_trial(self.seen.params(design))
                return

    def _look(self) -> tuple[dict[bytes, Any], list[Any]]:
        """Of each design the trial that owns it, in the order of their numbers; and trials that are not placed yet."""
        from optuna.trial import TrialState

        owners, placing = dict[bytes, Any](), []
        found = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.COMPLETE))
        for trial in sorted(found, key=lambda trial: trial.number):
            if "design" in trial.user_attrs:
                owners.setdefault(np.array(trial.user_attrs["design"], dtype=float).tobytes(), trial)
            else:
                placing.append(trial)
        return owners, placing

    def _owners(self, before: int = -1) -> dict[bytes, Any]:
        """The owners, once all trials of a lower number than `before` are placed or given up."""
        while True:
            owners, placing = self._look()
            late = [trial for trial in placing if trial.number < before]
            if not late:
                return owners
            self._free_the_dead(late)
            time.sleep(PAUSE)

    def _settle(self, asked: list[Placed]) -> list[Placed]:
        """What this worker is to evaluate; what others have answered is told, what is beyond the budget given up."""
        waiting, self.repeats = self.repeats + asked, []
        if not waiting:
            return []
        owners, mine = self._owners(max(placed.trial.number for placed in waiting)), []
        rank = {key: number for number, key in enumerate(owners)}
        for placed in waiting:
            owner = owners.get(placed.key)
            if owner is None:  # others took this worker for dead, and gave its trial up
                continue
            if owner.number != placed.trial.number:
                if owner.state.is_finished():
                    self._answer(placed.trial, answers_of(owner))
                else:
                    self.repeats.append(placed)
            elif rank[placed.key] < self.goal:
                mine.append(placed)
            else:
                self._give_up(placed.trial)
        return mine

    def _evaluate(self, mine: list[Placed]) -> None:
        columns = self.archive.evaluate(np.stack([placed.design for placed in mine]))
        start = time.perf_counter()
        for i, placed in enumerate(mine):
            self._answer(placed.trial, {name: values[i : i + 1] for name, values in columns.items()}, whole=True)
        self.sampling += time.perf_counter() - start

    def _answer(self, trial: Any, columns: Columns, whole: bool = False) -> None:
        """Tell what is known of a trial's design, columns [1]; the whole answer where nobody has told it yet."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            if whole:
                trial.set_user_attr("answers", {name: float(column[0]) for name, column in columns.items()})
            self.telling.tell(self.study, [trial], columns)
        except UpdateFinishedTrialError:
            pass  # others took this worker for dead; the answer is on its disk

    def _give_up(self, trial: Any) -> bool:
        """Leave a trial's design to others; False where somebody else has ended it."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            self.study.tell(getattr(trial, "number", trial), state=TrialState.FAIL)
        except (UpdateFinishedTrialError, ValueError):
            return False
        return True

    def _free_the_dead(self, trials: Iterable[Any]) -> bool:
        """Give up trials of workers that have shown no sign of life for the patience; True where there was one."""
        now, beats, freed = time.monotonic(), self.study.user_attrs, False
        for trial in trials:
            worker = trial.user_attrs.get("worker", f"trial {trial.number}")
            beat = beats.get(f"pulse {worker}")
            if worker not in self.pulses or self.pulses[worker][0] != beat:
                self.pulses[worker] = (beat, now)
            elif worker != self.me and now - self.pulses[worker][1] > self.search.patience:
                freed |= self._give_up(trial)
        return freed

    def _take_up(self) -> None:
        """Tell what an earlier run in this folder had evaluated but not told; its other trials are given up."""
        import optuna

        known = {design.tobytes() for design in self.archive.trials.load()[0]}
        owners, placing = self._look()
        for trial in [*owners.values(), *placing]:
            if trial.state.is_finished() or trial.user_attrs.get("worker") != self.me:
                continue
            design = np.array(trial.user_attrs.get("design", []), dtype=float)
            if design.tobytes() in known:
                self._answer(optuna.trial.Trial(self.study, trial._trial_id), self.archive.evaluate(design[None]), True)
            else:
                self._give_up(trial)

    def _take_over(self) -> None:
        """Keep the answers of the other workers on this worker's disk, so that its report is of the whole study."""
        trials = self.archive.trials
        known = {design.tobytes() for design in trials.load()[0]}
        found = {key: trial for key, trial in self._owners().items() if key not in known}
        if not found:
            return
        designs = np.stack([np.frombuffer(key) for key in found])
        rows = [answers_of(trial) for trial in found.values()]
        columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        trials.append(designs, columns, (0, len(designs), int(self.goals.feasible(columns).sum())))


class Pulse(threading.Thread):
    """A worker's signs of life, as a number that grows, so that no two clocks need agree."""

    def __init__(self, study: Any, worker: str, period: float) -> None:
        super().__init__(daemon=True)
        self.study, self.worker, self.period, self.over = study, worker, period, threading.Event()

    def __enter__(self) -> Pulse:
        self._beat(0)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join(self.period + 5)

    def run(self) -> None:
        count = 0
        while not self.over.wait(self.period):
            count += 1
            try:
                self._beat(count)
            except Exception:  # the search itself will meet the storage, and say so
                return

    def _beat(self, count: int) -> None:
        self.study.set_user_attr(f"pulse {self.worker}", [time.time(), count])


def alone_in(folder: Path) -> IO[str]:
    """A lock on a folder of trials, for as long as it is held; raises ValueError where another process has it."""
    import fcntl

    held = (folder / "lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ValueError(
            f"search.storage: another process writes into {folder.parent}; give each a folder, hydra.run.dir=FOLDER"
        ) from None
    return held


def answers_of(trial: Any) -> dict[str, np.ndarray]:
    """The whole answer beside a trial, as columns [1]."""
    return {name: np.array([value]) for name, value in trial.user_attrs["answers"].items()}


def question_of(problem: Any, goals: Goals) -> str:
    """What is asked, in a few letters: space and goals, and of machines the composed configuration."""
    said: list[Any] = [repr(problem.space.parameters), repr(goals)]
    base = composed(problem)
    if base is not None:
        first = base.template((0,) * len(base.space.files))
        said += [repr(base.wanted), {name: first.config.get(name) for name in (*SECTIONS, *SOMETIMES)}]
    said += [getattr(problem, "identity", "")]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]
