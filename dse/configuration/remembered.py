"""Files of configurations, read once: Hydra reads each again for every composition, which is most of what one costs.

Built on Hydra's own repository of files, of which it has no public one; a composition is the same with and without.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType

_read: dict[tuple[Any, ...], Any] = {}  # of this process, by file and when it was written


class Remembering(ConfigRepository):
    """The sources of another repository; a file is read again where it was written again."""

    def __init__(self, other: ConfigRepository) -> None:
        self.sources = other.sources

    def load_config(self, config_path: str) -> Any:
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is None or source.scheme() != "file":
            return super().load_config(config_path)
        written = (Path(source.path) / config_path).with_suffix(".yaml").stat()
        key = (source.provider, source.path, config_path, written.st_mtime_ns, written.st_size)
        if key not in _read:
            _read[key] = pickle.dumps(super().load_config(config_path))
        return pickle.loads(_read[key])  # what is merged into it must not stay


def remember(loader: Any) -> None:
    """Let a loader of Hydra remember the files that it reads."""
    if not isinstance(loader.repository, Remembering):
        loader.repository = Remembering(loader.repository)
