"""Where the measurements of others lie; they are never part of this project."""

from __future__ import annotations

import os
from pathlib import Path

from dse.configuration.compose import conf_folder


def folder() -> Path:
    """The folder that INFERSCAPE_DATA names, or the one beside a checkout."""
    return Path(os.environ.get("INFERSCAPE_DATA", conf_folder().parents[1] / "shared" / "measured"))
