"""Hydra's side: where configurations are found, composed, and which file a value came from."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.run.keys import SECTIONS

CONFIG_NAME = "config"
NOTHING = object()  # told from a value that is null


def conf_folder() -> Path:
    """The shipped configurations: inside the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def catalogue(folders: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Name, digest and number of the configurations: the shipped ones and those of one's own folders."""
    named = {"conf": conf_folder()} | {f"own {Path(folder).name}": Path(folder) for folder in folders}
    return [{"name": name, **digest_of(folder)} for name, folder in named.items()]


def digest_of(folder: Path) -> dict[str, Any]:
    """What tells a folder of YAMLs from another: their names and contents."""
    found, paths = hashlib.sha256(), sorted(folder.rglob("*.yaml"))
    for path in paths:
        content = path.read_bytes()
        found.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return {"digest": found.hexdigest()[:32], "files": len(paths)}


def written(path: Path) -> dict[str, Any]:
    """A file as it is written, its defaults not followed."""
    import yaml

    found = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found if isinstance(found, dict) else {}


def compose(overrides: Sequence[str]) -> Any:
    """The configuration of these overrides, on the search path of the running application."""
    import hydra

    with _running():
        return hydra.compose(CONFIG_NAME, overrides=list(overrides))


def picked(overrides: Sequence[str]) -> dict[str, str]:
    """Which file of each group these overrides pick, on the search path of the running application."""
    import hydra

    with _running():
        runtime = hydra.compose(CONFIG_NAME, overrides=list(overrides), return_hydra_config=True).hydra.runtime
    return {str(group): str(name) for group, name in runtime.choices.items()}


def choices(group: str) -> list[str]:
    """The names of a group's files, on the search path of the running application."""
    from hydra.core.global_hydra import GlobalHydra

    with _running():
        return list(GlobalHydra.instance().config_loader().get_group_options(group))


def component(group: str, name: str) -> dict[str, Any]:
    """One file of a group, composed by itself."""
    import hydra

    with _running(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a part need not say where it stands among its own defaults
        found: Any = plain(hydra.compose(f"{group}/{name}"))
    for package in group.split("/"):
        found = found[package]
    return found


def places(overrides: Sequence[str], paths: Iterable[str]) -> dict[str, str]:
    """Path -> the file or the override of these overrides that its value came from."""
    with _running():
        locate = Origin(overrides)
        return {path: locate(path) for path in paths}


def own_folders() -> list[Path]:
    """Folders of YAMLs beside the shipped ones, on the search path of the running application."""
    from hydra.core.global_hydra import GlobalHydra

    if not GlobalHydra.instance().is_initialized():
        return []
    sources = GlobalHydra.instance().config_loader().get_sources()
    paths = [Path(source.path) for source in sources if source.scheme() == "file" and source.path]
    return [path for path in paths if path.resolve() != conf_folder().resolve()]


@contextlib.contextmanager
def beside(folders: Sequence[Path]) -> Iterator[None]:
    """Folders of one's own on the search path, as `--config-dir` puts them, for commands that are no Hydra application.

    Hydra's public calls take one folder alone.
    """
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.global_hydra import GlobalHydra

    if not folders or GlobalHydra.instance().is_initialized():
        yield
        return
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"--config-dir: there is no folder {folder}")
    path = create_config_search_path(search_path_dir=str(conf_folder()))
    for folder in folders:
        path.prepend("command-line", f"file://{folder.resolve()}", anchor="schema")  # which stays last
    Hydra.create_main_hydra2(task_name="app", config_search_path=path)
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


@contextlib.contextmanager
def _running() -> Iterator[None]:
    """Inside the running application, or for as long as it is asked, where there is none."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    from dse.configuration.remembered import remember

    if GlobalHydra.instance().is_initialized():
        remember(GlobalHydra.instance().config_loader())
        yield
        return
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        remember(GlobalHydra.instance().config_loader())
        yield


def plain(config: Any) -> dict[str, Any]:
    """Interpolations resolved, as plain dictionaries in the order written; sections that name a file to read, read."""
    from omegaconf import OmegaConf

    from dse.configuration.reading import read_sections

    resolved = OmegaConf.to_container(config, resolve=True)
    assert isinstance(resolved, dict)
    return read_sections({str(key): value for key, value in resolved.items()}, SECTIONS)


def said_at(config: Any, path: str, otherwise: Any = None) -> Any:
    """What maps within maps say at a dotted path, and `otherwise` where they say nothing."""
    for name in path.split("."):
        if not isinstance(config, Mapping) or name not in config:
            return otherwise
        config = config[name]
    return config


class Origin:
    """Says which file or override a path of the composed configuration came from."""

    def __init__(self, overrides: Sequence[str]) -> None:
        self.overrides = list(overrides)

    def __call__(self, path: str) -> str:
        """The place in words: `conf/hw/chip/engine/NAME.yaml: frequency`, or the override that set it."""
        for override in self.overrides:
            if _sets(override, path):
                return f"command line, {override}: {path}"
        try:
            return self._in_files(path)
        except Exception:  # an unexpected layout must not hide the error that is being reported
            return path

    def _in_files(self, path: str) -> str:
        for prefix, shown, content in reversed(self._files):
            inside = path.removeprefix(prefix) if path.startswith(prefix) else ""
            if inside and said_at(content, inside, NOTHING) is not NOTHING:
                return f"{shown}: {inside}"
        return path

    @functools.cached_property
    def _files(self) -> list[tuple[str, str, Any]]:
        """Every file of the composition, in order: the prefix of its paths, its name, its content."""
        from hydra.core.global_hydra import GlobalHydra

        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        return _files_of(hydra.config_loader, tuple(self.overrides))


@functools.lru_cache(maxsize=64)
def _files_of(loader: Any, overrides: tuple[str, ...]) -> list[tuple[str, str, Any]]:
    """Read once for each composition: the points of a front ask again and again, half a second each."""
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    found = []
    for default in loader.compute_defaults_list(CONFIG_NAME, list(overrides), RunMode.RUN).defaults:
        file = loader.repository.load_config(default.config_path)
        if file is not None:
            prefix = f"{default.package}." if default.package else ""
            found.append((prefix, _shown(file.path, default.config_path), OmegaConf.to_container(file.config)))
    return found


def _sets(override: str, path: str) -> bool:
    """True where an override sets the value at `path`, by itself or in a map such as `hw.levels.card={fanout: 4}`."""
    key, _, value = override.lstrip("+").partition("=")
    if not path.startswith(f"{key}."):
        return key == path
    if not value.lstrip().startswith("{"):
        return False
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return (
        said_at(OverridesParser.create().parse_override(override).value(), path.removeprefix(f"{key}."), NOTHING)
        is not NOTHING
    )


def _shown(folder: str, config_path: str) -> str:
    """A file as a user would name it: from conf/ for the shipped ones, whole for his own."""
    folder = folder.removeprefix("file://")
    shipped = Path(folder).resolve() == conf_folder().resolve()
    return f"conf/{config_path}.yaml" if shipped else str(Path(folder) / f"{config_path}.yaml")
