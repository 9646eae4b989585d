"""Where log records go: to the run's own file, and in the terminal nothing that a person need not read.

Hydra reads conf/hydra/job_logging/folder.yaml; `hydra.verbose=true` shows what dse/ does in the terminal as well.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

OWN = "dse"


class ToFile(logging.FileHandler):
    """A run's log; the file, and no folder, begins with the first record."""

    def __init__(self, filename: str) -> None:
        super().__init__(filename, delay=True, encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        if Path(self.baseFilename).parent.is_dir():
            super().emit(record)


class ToTerminal(logging.StreamHandler[Any]):
    """Records of dse/ on the standard error where all of them are asked for, and of others that an error was met."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.setStream(sys.stderr)  # the one of now, which a bar may have put itself before
        super().emit(record)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.split(".")[0] == OWN:
            return logging.getLogger(OWN).isEnabledFor(logging.DEBUG)
        return record.levelno >= logging.ERROR


@contextlib.contextmanager
def warnings_logged() -> Iterator[None]:
    """Warnings of libraries in the run's log, not in the terminal."""

    def logged(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
        line: str | None = None,
    ) -> None:  # fmt: skip
        logging.getLogger("py.warnings").info(warnings.formatwarning(message, category, filename, lineno, line).strip())

    with warnings.catch_warnings():
        warnings.showwarning = logged
        yield
