"""Words of the command line that Hydra does not know: `--quiet`, `--json`, `--version`; and who is spoken to, and how.

Imports nothing that takes time: these words count before Hydra has read the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dse.run.keys import SPOKEN

FLAGS = {"--quiet": "quiet=true", "-q": "quiet=true", "--json": "output=json"}
OUTPUTS = ("text", "json")
WITH_VALUE = ("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd",
              "--experimental-rerun")  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """How a run speaks: `quiet`, only paths of results and errors; `json`, one object on the standard output."""

    quiet: bool = False
    json: bool = False

    @classmethod
    def of(cls, words: Sequence[str]) -> Manner:
        """What a command line asks for, as far as it can be told without composing it."""
        said = {key: value.lower() for key, _, value in (word.partition("=") for word in translated(words))}
        return cls(said.get("quiet") == "true", said.get("output") == "json")

    @classmethod
    def read(cls, config: Any) -> Manner:
        """What a composed configuration asks for; raises ValueError in words."""
        quiet, output = config["quiet"], config["output"]
        if not isinstance(quiet, bool):
            raise ValueError(f"quiet: {quiet!r} is neither true nor false")
        if output not in OUTPUTS:
            raise ValueError(f"output: {output!r} is none of {', '.join(OUTPUTS)}")
        return cls(quiet, output == "json")


def translated(words: Sequence[str]) -> list[str]:
    """The command line with our flags as overrides, beside those that are there: Hydra takes them in one stretch."""
    rest = [word for word in words if word not in FLAGS]
    said = list(dict.fromkeys(FLAGS[word] for word in words if word in FLAGS))
    place = next((i for i in range(len(rest)) if is_override(rest, i)), len(rest))
    return [*rest[:place], *said, *rest[place:]]


def is_override(words: Sequence[str], place: int) -> bool:
    """True where a word of the command line is no flag, and no value of one."""
    return not words[place].startswith("-") and (place == 0 or words[place - 1] not in WITH_VALUE)


def left_to_hydra(overrides: Iterable[str]) -> list[str]:
    """Overrides that say what a run is of, not how it speaks."""
    return [word for word in overrides if name_of(word) not in SPOKEN]


def name_of(word: str) -> str:
    """What an override sets."""
    return word.lstrip("+~").partition("=")[0]
