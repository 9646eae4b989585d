"""What `dse -m` says: a head for each job, and a table of all of them at the end. A callback of Hydra's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback

from dse.run.answers import ANSWERS, BEGUN
from dse.run.console import console, speak, table
from dse.run.flags import Manner
from dse.run.numbers import digits

ONE_BY_ONE = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"  # of which all jobs are known beforehand
SHOWN = ("tokens_per_second_per_user", "time_to_first_token", "energy_per_token", "cost_per_million_tokens")


class Sweep(Callback):
    """The jobs of a sweep: their overrides [job], in their order, and the keys that differ."""

    def __init__(self) -> None:
        self.jobs: list[list[str]] = []
        self.folders: dict[int, Path] = {}

    def on_multirun_start(self, config: Any, **kwargs: Any) -> None:
        if str(config.hydra.sweeper._target_) == ONE_BY_ONE:
            self.jobs = jobs_of(config)

    def on_job_start(self, config: Any, **kwargs: Any) -> None:
        if len(self.jobs) > 1:
            speak(Manner.read(config))  # a launcher's process has not yet been told
            number = int(config.hydra.job.num)
            console.print(f"[{number + 1}/{len(self.jobs)}] {self.label(number)}", style="bold")

    def on_job_end(self, config: Any, job_return: Any, **kwargs: Any) -> None:
        if len(self.jobs) > 1:
            self.folders[int(config.hydra.job.num)] = Path(str(config.hydra.runtime.output_dir))

    def on_multirun_end(self, config: Any, **kwargs: Any) -> None:
        if len(self.jobs) > 1:
            self.show(Path(str(config.hydra.sweep.dir)))

    def label(self, number: int) -> str:
        """What a job has of its own."""
        words = [word for word, *others in zip(self.jobs[number], *self.jobs, strict=True) if len({*others}) > 1]
        return " ".join(words) or "the same as the others"

    def show(self, folder: Path) -> None:
        """The table of all jobs, those without an answer too."""
        found = [answer_of(self.folders.get(number, folder / str(number))) for number in range(len(self.jobs))]
        columns = columns_of(found)
        rows = [
            [str(number + 1), self.label(number), said(one), *(cell(one, head) for head in columns)]
            for number, one in enumerate(found)
        ]
        heads = [name.replace("_", " ") + (f" {unit}" if unit else "") for name, unit, _ in columns]
        table(f"{len(found)} jobs in {folder} (modelled)", ["", "job", "", *heads], rows)


def jobs_of(config: Any) -> list[list[str]]:
    """The overrides of each job of a sweep one by one, without those of Hydra itself."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    given = [str(word) for word in config.hydra.overrides.task]
    params = {str(key): value for key, value in (config.hydra.sweeper.params or {}).items()}
    loader = GlobalHydra.instance().config_loader() if GlobalHydra.instance().is_initialized() else None
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(
        [*(f"{key}={value}" for key, value in params.items()), *given]
    )
    batches = BasicSweeper.split_arguments(parsed, None)
    return [[word for word in job if not word.startswith("hydra")] for batch in batches for job in batch]


def answer_of(folder: Path) -> dict[str, Any] | None:
    """What a job wrote, and none where it wrote nothing."""
    known = [folder / name for name in ANSWERS if (folder / name).is_file()]
    for path in known or sorted(set(folder.glob("*.json")) - {folder / BEGUN}):
        try:
            found = json.loads(path.read_text())
        except ValueError:
            continue
        return found if isinstance(found, dict) else None
    return None


def columns_of(found: Sequence[Mapping[str, Any] | None]) -> list[tuple[str, str, float]]:
    """Metrics that any job has, each with the unit that reads well for all, and its factor."""
    if not any(one and "metrics" in one for one in found):
        return []
    from dse.evaluation.results import display

    shown = display([one for one in found if one and "metrics" in one and "headroom" in one and "mapping" in one])
    return [(name, shown["metrics"][name]["unit"], shown["metrics"][name]["factor"]) for name in SHOWN]


def cell(one: Mapping[str, Any] | None, column: tuple[str, str, float]) -> str:
    name, _, factor = column
    value = (one or {}).get("metrics", {}).get(name)
    return "" if value is None else digits(value * factor)


def said(one: Mapping[str, Any] | None) -> str:
    """How a job ended, in a few words."""
    if one is None:
        return "failed"
    if "counts" in one and "front" in one["counts"]:
        return f"{one['counts']['front']} points of {one['counts']['evaluated']:,} designs"
    return "does not fit" if one.get("missing") and "metrics" in one else "done"
