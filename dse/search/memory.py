"""What a sampler remembers, kept beside the trials as plain JSON, so that a resumed search need not ask again.

One file a batch: the trials told since the last one as the study holds them, the study's own notes, and the state of
every source of random numbers. Nothing in it is run when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dse.run.store import write_whole

REGRESSORS = ("_gprs_cache_list", "_constraints_gprs_cache_list")  # where the next fit of a Gaussian process begins
FITTED = ("inverse_squared_lengthscales", "kernel_scale", "noise_var")


class Memory:
    """A study's memory in `folder`/sampler/*.json."""

    def __init__(self, folder: Path, study: Any, distributions: dict[str, Any], random: np.random.Generator) -> None:
        self.folder, self.study, self.distributions, self.random = folder / "sampler", study, distributions, random
        self._kept, self._noted = 0, {}  # trials, and the study's notes, that are on disk
        self.folder.mkdir(parents=True, exist_ok=True)

    def parts(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))

    def keep(self, asked: np.ndarray) -> None:
        """Add the trials told since the last call; `asked`: their designs."""
        trials = self.study.get_trials(deepcopy=False)[self._kept :]
        notes = self.study._storage.get_study_system_attrs(self.study._study_id)
        content = {
            "designs": asked.tolist(),
            "trials": [{"params": t.params, "values": t.values, "notes": _lasting(t.system_attrs)} for t in trials],
            "study": {name: value for name, value in notes.items() if self._noted.get(name) != value},
            "random": {name: _plain(state.rng.get_state()) for name, state in _states(self.study.sampler)},
            "draws": self.random.bit_generator.state,
            "regressors": _regressors(self.study.sampler),
        }
        write_whole(self.folder / f"{len(self.parts()):06d}.json", json.dumps(content))
        self._kept, self._noted = self._kept + len(trials), dict(notes)

    def restore(self) -> np.ndarray:
        """Fill an empty study with what is on disk; the designs told, in their order [designs, parameters]."""
        parts = [_read(path) for path in self.parts()]
        for part in parts:
            self.study.add_trials([self._trial(kept) for kept in part["trials"]])
            for name, value in part["study"].items():
                self.study._storage.set_study_system_attr(self.study._study_id, name, value)
                self._noted[name] = value
        if parts:
            self._wake(parts[-1])
        self._kept = sum(len(part["trials"]) for part in parts)
        designs = [design for part in parts for design in part["designs"]]
        return np.array(designs, dtype=float).reshape(len(designs), len(self.distributions))

    def _trial(self, kept: dict[str, Any]) -> Any:
        import optuna

        return optuna.trial.create_trial(
            values=kept["values"],
            params=kept["params"],
            distributions=self.distributions,
            system_attrs=kept["notes"],
        )

    def _wake(self, last: dict[str, Any]) -> None:
        for name, state in _states(self.study.sampler):
            kind, keys, *rest = last["random"][name]
            state.rng.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
        self.random.bit_generator.state = last["draws"]
        _set_regressors(self.study.sampler, last["regressors"])


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"resume: {path} is no JSON ({error}); remove {path.parent}, and the search asks its sampler from the "
            "beginning and finds its answers on disk"
        ) from None


def _lasting(notes: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's notes without those that matter only while it is under way."""
    return {name: value for name, value in notes.items() if ":relative_params" not in name}


def _states(sampler: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A sampler's sources of random numbers, and those of the samplers inside it, by name."""
    from optuna.samplers import BaseSampler
    from optuna.samplers._lazy_random_state import LazyRandomState

    for name, value in sorted(vars(sampler).items()):
        if isinstance(value, LazyRandomState):
            yield prefix + name, value
        elif isinstance(value, BaseSampler):
            yield from _states(value, f"{prefix}{name}.")


def _plain(state: Any) -> list[Any]:
    kind, keys, *rest = state
    return [kind, keys.tolist(), *rest]


def _regressors(sampler: Any) -> dict[str, Any]:
    """The fitted constants of a sampler's Gaussian processes."""
    return {
        name: [{part: getattr(one, part).tolist() for part in FITTED} for one in vars(sampler)[name]]
        for name in REGRESSORS
        if vars(sampler).get(name)
    }


def _set_regressors(sampler: Any, kept: dict[str, Any]) -> None:
    """A sampler that begins its next fit where the last one ended."""
    for name, fitted in kept.items():
        import torch  # pyright: ignore[reportMissingImports]  # an extra
        from optuna._gp.gp import GPRegressor

        empty = torch.zeros((1, len(fitted[0][FITTED[0]])), dtype=torch.float64)
        common = {"is_categorical": torch.zeros(empty.shape[1], dtype=torch.bool), "X_train": empty}
        tensors = [{part: torch.tensor(one[part], dtype=torch.float64) for part in FITTED} for one in fitted]
        setattr(sampler, name, [GPRegressor(**common, y_train=empty[:, 0], **one) for one in tensors])
