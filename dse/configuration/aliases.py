"""What others call the machines, models and software of the configuration: `aliases:` of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dse.configuration.compose import written
from dse.run.near import nearest

MISSING = "???"  # of files that need a word on the command line, which name no component by themselves


def plain_name(name: str) -> str:
    """A name without case, blanks and punctuation; between digits one mark stays, as 1.3 and 13 are not the same."""
    apart = re.sub(r"(?<=[0-9])[^a-z0-9]+(?=[0-9])", ".", str(name).lower())
    return re.sub(r"[^a-z0-9.]|(?<![0-9])\.|\.(?![0-9])", "", apart)


@dataclass(frozen=True)
class Names:
    """The files of a group, by every name they go by.

    before : words that a given name may begin with and that say nothing, as who sells it; after : words that it may
    end with.
    """

    group: str
    known: dict[str, str]
    shown: list[str]
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    files: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def read(cls, group: str, folders: Iterable[Path], before: Sequence[str] = (), after: Sequence[str] = ()) -> Names:
        """All files of a group in these folders; raises ValueError where two files claim one name."""
        known: dict[str, str] = {}
        shown: list[str] = []
        files: dict[str, Path] = {}
        for folder in folders:
            for path in sorted((folder / group).glob("*.yaml")):
                if MISSING in path.read_text():
                    continue
                files.setdefault(path.stem, path)
                for name in [path.stem, *(written(path).get("aliases") or ())]:
                    shown.append(str(name))
                    for short in {plain_name(name), plain_name(tail(str(name)))}:
                        if known.setdefault(short, path.stem) != path.stem:
                            other = known[short]
                            raise ValueError(f"{path}: aliases: {name!r} names {other} as well; give it to one file")
        return cls(group, known, shown, tuple(map(plain_name, before)), tuple(map(plain_name, after)), files)

    def find(self, name: str) -> str | None:
        """The file that goes by a name, or none."""
        for given in (name, tail(name)):
            short = plain_name(given)
            for start in ("", *self.before):
                rest = short.removeprefix(start) if start else short
                if found := self._stripped(rest):
                    return found
        return None

    def _stripped(self, short: str) -> str | None:
        """The file of a short name, or of what is left when words at its end are taken off, one after the other."""
        while short:
            if short in self.known:
                return self.known[short]
            ends = [end for end in self.after if short.endswith(end) and len(short) > len(end)]
            if not ends:
                return None
            short = short.removesuffix(max(ends, key=len))
        return None

    def inside(self, text: str, apart: Sequence[str] = ()) -> str | None:
        """The file of the longest name that stands inside a text, or none; files apart are not looked for."""
        short = plain_name(text)
        found = [name for name, file in self.known.items() if len(name) > 2 and name in short and file not in apart]
        return self.known[max(found, key=len)] if found else None

    def missing(self, name: str, what: str) -> str:
        """That there is no such thing, in words."""
        words = nearest(name, self.shown)
        told = words if words.startswith("did you mean") else f"name it in aliases: of a file of conf/{self.group}"
        return f"there is no {what} {name!r}; {told}"


def tail(name: str) -> str:
    """A name without the organisation before it."""
    return name.rsplit("/", 1)[-1]
