"""Documents are tried on the command line, by the same helper as the tests of the command line."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "dse"))
