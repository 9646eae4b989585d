"""What a search has evaluated, kept on disk batch by batch, so that a kill loses at most the batch under way."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dse.run.passwords import without_passwords

CODE = "code."
log = logging.getLogger(__name__)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is either the old one or the whole new one."""
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(text)
    os.replace(draft, path)


def write_json(path: Path, content: Any) -> None:
    """JSON without passwords, and with NaN and infinities as null, which every reader accepts."""
    write_whole(path, json.dumps(without_passwords(finite(content)), indent=1))


def digest_of(paths: Iterable[Path]) -> str:
    """What tells the contents of files, in this order, from others; their names do not count."""
    found = hashlib.sha256()
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()[:32]


def finite(content: Any) -> Any:
    """Plain data for JSON, NaN and infinities as None."""
    if isinstance(content, Mapping):
        return {str(key): finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple, np.ndarray)):
        return [finite(value) for value in content]
    if isinstance(content, (float, np.floating)):
        return float(content) if np.isfinite(content) else None
    return content.item() if isinstance(content, np.generic) else content


@dataclass(frozen=True)
class Batch:
    """How far a search was after a batch: designs evaluated, seconds taken, rows kept, all since it began."""

    evaluated: int
    seconds: float
    rows: int


class Trials:
    """Designs and their answers in `folder`/trials/*.parquet, one file a batch."""

    def __init__(self, folder: Path, keys: Sequence[str]) -> None:
        self.folder, self.keys = folder / "trials", list(keys)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._begun = time.perf_counter() - max((counts[3] / 1000 for counts in self._counts()), default=0.0)

    def parts(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))

    def append(self, designs: np.ndarray, columns: Mapping[str, np.ndarray], counts: Sequence[int]) -> None:
        """Add a batch; `counts`: how many designs an enumeration has been through after it, how many of the batch were
        evaluated, how many were feasible. They are part of the file's name, so that they are kept or lost with it, and
        so are the milliseconds that the search has taken, those before it was interrupted too."""
        import pandas as pd

        coded = {f"{CODE}{key}": designs[:, i] for i, key in enumerate(self.keys)}
        frame = pd.DataFrame(coded | dict(columns))
        numbers = [*counts, round((time.perf_counter() - self._begun) * 1000)]
        path = self.folder / f"{len(self.parts()):06d}-{'-'.join(map(str, numbers))}.parquet"
        frame.to_parquet(path.with_suffix(".tmp"))
        os.replace(path.with_suffix(".tmp"), path)
        log.debug("kept: %d designs in %s", len(frame), path)

    def covered(self) -> int:
        """How many designs an enumeration has been through."""
        return max((counts[0] for counts in self._counts()), default=0)

    def totals(self) -> tuple[int, int]:
        """How many designs were evaluated, and how many of them are feasible."""
        counts = self._counts()
        return sum(count[1] for count in counts), sum(count[2] for count in counts)

    def batches(self) -> list[Batch]:
        """How far the search was after each batch."""
        from pyarrow.parquet import read_metadata

        rows = np.cumsum([read_metadata(path).num_rows for path in self.parts()], dtype=int)
        counts = np.array(self._counts(), dtype=int).reshape(-1, 4)
        evaluated, seconds = np.cumsum(counts[:, 1]), counts[:, 3] / 1000
        return [Batch(*each) for each in zip(evaluated.tolist(), seconds.tolist(), rows.tolist(), strict=True)]

    def _counts(self) -> list[list[int]]:
        """Covered, evaluated, feasible, milliseconds; zero where runs before kept none."""
        return [[*map(int, path.stem.split("-")[1:]), 0][:4] for path in self.parts()]

    def load(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """All designs and their answers, in the order they were evaluated."""
        import pandas as pd

        frames = [frame for frame in map(pd.read_parquet, self.parts()) if len(frame)]
        if not frames:
            return np.zeros((0, len(self.keys))), {}
        frame = pd.concat(frames, ignore_index=True)
        designs = frame[[f"{CODE}{key}" for key in self.keys]].to_numpy(dtype=float).reshape(len(frame), len(self.keys))
        return designs, {str(c): frame[c].to_numpy() for c in frame.columns if not str(c).startswith(CODE)}
