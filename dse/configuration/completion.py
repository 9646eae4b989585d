"""`dse -sc install=bash`: what a shell may complete. Hydra does it; here it learns of folders of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dse.configuration.help import own_folders

FLAGS = ("-sc", "--shell-completion")


def asks_for_completion(words: Sequence[str]) -> bool:
    """Whether a shell asks what could be typed next."""
    return any(word in FLAGS for word in words) and any(word.startswith("query=") for word in words)


def completed(words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The words of a shell's question, with the folder that the line being typed adds to the search path.

    Raises ValueError where no shell asks: the line is in COMP_LINE, which shells set.
    """
    if "COMP_LINE" not in environment:
        raise ValueError(
            '-sc: COMP_LINE is not set; shells set it. Write eval "$(dse -sc install=bash)" and press the tab key'
        )
    folders = own_folders(environment["COMP_LINE"].split())
    given = bool(own_folders(words))
    return [*words, *(["--config-dir", str(folders[-1])] if folders and not given else [])]
