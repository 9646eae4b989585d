"""What each task leaves in its run's folder: a task that writes is one line here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

BEGUN = "search.json"  # of a search that may not have finished


class Left(NamedTuple):
    """The files of a task: its answer, which holds all that was found, those that lie beside it always, and those that
    do where there is something to draw.

    home : where it is logged, the MLflow experiment of a command line that names none of ours; empty: that of the
    study's own experiment; none where it is not logged. needed : keys without which the answer cannot be read.
    """

    answer: str
    beside: tuple[str, ...] = ()
    sometimes: tuple[str, ...] = ()
    home: str | None = None
    needed: tuple[str, ...] = ()

    def files(self, folder: Path) -> list[Path]:
        """The files that are there always, the answer first."""
        return [folder / name for name in (self.answer, *self.beside)]


SIGNED = ("choices", "config", "versions", "command")
LEFT = {
    "explore": Left(
        "study.json", ("front.csv", "trials.parquet", "report.html"), (), "",
        ("title", "question", "finding", "counts", "seconds", "objectives", "columns", "front", "baselines", *SIGNED),
    ),
    "evaluate": Left(
        "metrics.json", (), ("curve.svg", "roofline.svg"), "evaluations",
        ("title", "metrics", "headroom", "mapping", *SIGNED),
    ),
    "serve": Left("serve.json", ("requests.parquet", "serving.svg"), (), "serving", ("trace", "latencies")),
    "receipts": Left("receipts.json", ("receipts.html",), (), "receipts", ("receipts",)),
    "validate": Left("validation.json", ("validation.html",), (), "validation", ("suite", "rows", "overall")),
    "describe": Left("describe.json", (), ("machine.svg",)),
    "sensitivity": Left("sensitivity.json"),
    "calibrate": Left("calibration.json"),
    "benchmark": Left("benchmark.json"),
    "check": Left("check.json"),
    "catalogue": Left("catalogue.html"),
}  # fmt: skip
ANSWERS = tuple(left.answer for left in LEFT.values() if left.answer.endswith(".json"))
STUDY, SINGLE = LEFT["explore"].answer, LEFT["evaluate"].answer
NEEDED = {left.answer: left.needed for left in LEFT.values() if left.needed} | {BEGUN: ("overrides", "config")}
