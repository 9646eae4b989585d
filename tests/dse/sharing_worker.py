"""One of several processes on one study: `python sharing_worker.py URL FOLDER TRIALS PAUSE PATIENCE`."""

from __future__ import annotations

import sys
from pathlib import Path

from plain_question import FEW, GOALS, Plain

from dse.run.store import Trials
from dse.search.optimise import OptunaSearch

BATCH = 4
KEYS = [parameter.key for parameter in FEW.parameters]


def searched(url: str, folder: Path, trials: int, pause: float, patience: float, study: str = "plain") -> Trials:
    """Join the study and stay until it has its trials; what is asked is in the log beside the folder."""
    sampler = {"_target_": "optuna.samplers.NSGAIISampler", "population_size": 8}
    search = OptunaSearch(trials, BATCH, sampler, storage=url, study=study, patience=patience)
    kept = Trials(folder, KEYS)
    search.run(Plain(folder.parent / "log", pause, FEW), GOALS, kept, seed=1)
    return kept


if __name__ == "__main__":
    url, folder, trials, pause, patience = sys.argv[1:]
    searched(url, Path(folder), int(trials), float(pause), float(patience))
