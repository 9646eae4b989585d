"""Transformers from the `config.json` of a model on the Hugging Face hub."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import huggingface_dense, huggingface_sparse, huggingface_state
from models.huggingface_fields import Fields, Reader
from models.source import Source
from models.transformer import Transformer

READERS: dict[str, Reader] = {**huggingface_dense.READERS, **huggingface_sparse.READERS, **huggingface_state.READERS}
"""By `architectures` or `model_type`, the former first: several architectures share a type."""


@dataclass(frozen=True)
class HuggingFace(Source):
    """A `config.json`, or the folder in which it lies."""

    path: str

    def read(self) -> Transformer:
        return read(self.path)


def read(path: str | Path) -> Transformer:
    """The transformer that a file describes."""
    file = Path(path)
    file = file / "config.json" if file.is_dir() else file
    if not file.is_file():
        raise FileNotFoundError(f"{file}: there is no such file; name the config.json of a model")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # not JSON, or no text at all
        raise ValueError(f"{file}: this is not JSON ({error}); name the config.json of a model") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{file}: a map of fields is expected, not {type(content).__name__}")
    return transformer(content, str(file))


def transformer(content: Mapping[str, Any], name: str = "config.json") -> Transformer:
    """The transformer of the fields of a file of that name."""
    found = _reader(content, name)
    try:
        return found(Fields(content, name))
    except ValueError as error:  # of a field, or of a component that fields do not make
        words = str(error)
        raise ValueError(words if words.startswith(name) else f"{name}: {words}") from None


def _reader(content: Mapping[str, Any], name: str) -> Reader:
    stated = [*(content.get("architectures") or ()), content.get("model_type")]
    for key in stated:
        if key in READERS:
            return READERS[key]
    kinds = [str(key) for key in stated if key]
    if not kinds:
        raise ValueError(f"{name}: neither model_type nor architectures says what it is; state model_type")
    close = difflib.get_close_matches(kinds[-1], READERS, n=1)
    nearest = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"{name}: {' / '.join(kinds)} is not supported; {nearest}known are: {', '.join(sorted(READERS))}")
