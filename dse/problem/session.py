"""One run of a task: its configuration, its folder, and the command line it was started with."""

from __future__ import annotations

import datetime
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dse.configuration.compose import catalogue, conf_folder, plain
from dse.run.flags import left_to_hydra
from dse.run.keys import SWITCHES
from dse.run.near import nearest
from dse.run.passwords import without_passwords
from hw.units import Rule

if TYPE_CHECKING:
    from dse.evaluation.mapping import Wanted

LAYOUT = 3  # of the files of a run's folder; dse/problem/folders.py says what older ones lack
PLACES = ("weights", "cache")
PACKAGES = ("inferscape", "jax", "equinox", "numpy", "optuna", "hydra-core", "mlflow", "moocore", "pint", "plotly")


@dataclass(frozen=True)
class Session:
    """The composed configuration as plain data, the overrides given, the run's folder, folders of own YAMLs."""

    config: dict[str, Any]
    overrides: list[str]
    folder: Path
    folders: list[str]
    choices: dict[str, str]

    @classmethod
    def of(cls, config: Any) -> Session:
        """The session of a running Hydra job."""
        from hydra.core.hydra_config import HydraConfig

        runtime = HydraConfig.get().runtime
        shipped = str(conf_folder().resolve())
        sources = [str(s.path) for s in runtime.config_sources if s.schema == "file"]
        own = [path for path in sources if path and str(Path(path).resolve()) != shipped]
        given = left_to_hydra(str(override) for override in HydraConfig.get().overrides.task)
        folder = Path(runtime.output_dir)
        choices = {str(group): str(name) for group, name in runtime.choices.items() if not group.startswith("hydra")}
        found = cls(plain(config), given, folder, own, choices)
        found.refuse_words()
        return found

    def refuse_words(self) -> None:
        """Raise ValueError where a word of the configuration itself means nothing, before anything is imported."""
        _ = self.seed
        for name in SWITCHES:
            self.switch(name)

    @property
    def experiment(self) -> str:
        """The name of the experiment's file."""
        return self.choices.get("experiment", "")

    @property
    def out(self) -> Path:
        """The folder that receipts and validations are written into."""
        return self.folder if self.config["out"] is None else Path(str(self.config["out"]))

    @property
    def seed(self) -> int:
        """The seed of the run; raises ValueError where it is none."""
        try:
            return int(Rule(least=0, most=2**32 - 1, whole=True).read(self.config["seed"]))
        except ValueError as error:
            raise ValueError(f"seed: {error}") from None

    def switch(self, name: str) -> bool:
        """A key that is true or false; raises ValueError where it is neither."""
        given = self.config[name]
        if not isinstance(given, bool):
            raise ValueError(f"{name}: {given!r} is neither true nor false")
        return given

    @property
    def wanted(self) -> Wanted:
        return read_wanted(self.config["mapping"])


def read_wanted(given: dict[str, Any]) -> Wanted:
    """The mapping that a configuration asks for; raises ValueError in its words."""
    from dse.evaluation.mapping import DEGREES, Wanted
    from dse.evaluation.metrics import Metrics, units

    beside = given.get("prefill") or {}
    rest = {name: value for name, value in given.items() if name != "prefill"}
    _refuse_unknown("mapping", rest, ("objective", *DEGREES, "batch", "stages_inside", *PLACES))
    _refuse_unknown("mapping.prefill", beside, (*DEGREES, "stages_inside", *PLACES))
    objective = str(given["objective"])
    if objective not in units(Metrics):
        raise ValueError(f"mapping.objective: there is no {objective!r}; {nearest(objective, units(Metrics))}")
    prefill = Wanted("", **_asked("mapping.prefill", beside)) if beside else None
    return Wanted(
        objective, **_asked("mapping", rest), batch=_degree("mapping.batch", given.get("batch")), prefill=prefill
    )


def _refuse_unknown(where: str, given: Any, known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"{where}: there is no {name!r}; {nearest(str(name), known)}")


def _asked(where: str, given: Any) -> dict[str, Any]:
    """Degrees, order of stages and tiers that one machine's mapping must have."""
    from dse.evaluation.mapping import DEGREES

    degrees = {name: _degree(f"{where}.{name}", given.get(name)) for name in DEGREES}
    tiers = {name: _place(given.get(name)) for name in PLACES}
    return degrees | tiers | {"stages_inside": _order(f"{where}.stages_inside", given.get("stages_inside", False))}


def _order(place: str, given: Any) -> bool | None:
    if given in (None, "auto"):
        return None
    if given not in (True, False, 0, 1):
        raise ValueError(f"{place}: {given!r} is neither true, false nor auto")
    return bool(given)


def _degree(place: str, given: Any) -> int:
    if given in (None, "auto"):
        return 0
    if isinstance(given, bool) or not isinstance(given, (int, float)) or given < 1 or given != int(given):
        raise ValueError(f"{place}: {given!r} is no degree; write a whole number from 1, or auto")
    return int(given)


def _place(given: Any) -> str | None:
    return None if given in (None, "auto") else str(given)


def versions() -> dict[str, str]:
    """Versions of what the answers depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> str:
    """The commit of the checkout that runs, empty outside of one."""
    here = Path(__file__).resolve().parent
    try:
        words: Sequence[str] = ("git", "-C", str(here), "rev-parse", "--short", "HEAD")
        return subprocess.run(words, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def command_line(folders: Sequence[str], words: Sequence[str]) -> str:
    """A command to paste; folders of own YAMLs come first, so that words may be added at the end."""
    return shlex.join(without_passwords(["dse", *(f"--config-dir={folder}" for folder in folders), *words]))


def about(session: Session) -> dict[str, Any]:
    """What every answer is kept with, so that it can be had again."""
    return {
        "command": command_line(session.folders, session.overrides),
        "created": datetime.datetime.now().isoformat(timespec="seconds"),
        "seed": session.seed,
        "layout": LAYOUT,
        "versions": versions(),
        "commit": commit(),
        "choices": session.choices,
        "catalogue": catalogue(session.folders),
        "config": session.config,
    }
