"""What was found at the studio, kept as YAMLs: a machine for `hw=NAME`, the question for `experiment=NAME`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.configuration.compose import choices
from dse.problem.session import command_line
from dse.problem.space import is_file_key
from dse.run.flags import name_of
from dse.studio.state import Studio

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
SOURCE = "assumed: set by hand in the studio"
MACHINE = "# A machine set by hand in the studio, for hw={name}.\n"
QUESTION = (
    "# @package _global_\n# Set by hand in the studio, for experiment={name}: the machine, its model and its traffic.\n"
)


def save(studio: Studio, folder: Path, name: str) -> list[Path]:
    """Write the machine and the whole question below a folder; ValueError in words where that cannot be done."""
    refuse_name(folder, name)
    words = [word for word in studio.words() if name_of(word) != "experiment"]
    if gone := [word for word in words if word.startswith("~")]:
        raise ValueError(f"{gone[0]}: what is taken out cannot be said in a file of its own; keep the command line")
    entries = [(name_of(word), word.startswith("+"), read(word)) for word in words]
    machine = {key: value for key, _, value in entries if key.startswith("hw.")}
    parts = [(key, added, value) for key, added, value in entries if is_file_key(key)]
    rest = {key: value for key, _, value in entries if not is_file_key(key)}
    inside = [(key.removeprefix("hw/").replace("@hw.", "@"), a, v) for key, a, v in parts if key.startswith("hw/")]
    contents = {
        folder / "hw" / f"{name}.yaml": MACHINE.format(name=name)
        + dumped([studio.file("hw"), *replaced(inside, "")], nested(machine, sourced=True).get("hw", {})),
        folder / "experiment" / f"{name}.yaml": QUESTION.format(name=name)
        + dumped(
            [studio.experiment, *replaced(parts, "/")], {"title": name.replace("_", " ")} | nested(rest, sourced=True)
        ),
    }
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:  # never over what is there, nor through a link
            file.write(text)
    return list(contents)


def refuse_name(folder: Path, name: str) -> None:
    """Raise ValueError where a name is no name of a file of one's own that is still free."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is no name; write small letters, digits and _, a letter first, 60 at most")
    for group in ("hw", "experiment"):
        if name in choices(group) or (folder / group / f"{name}.yaml").exists():
            raise ValueError(f"there is {group}={name} already; choose another name")


def read(word: str) -> Any:
    """What an override gives, as plain data."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    value = OverridesParser.create().parse_override(word).value()
    return plain(value)


def plain(value: Any) -> Any:
    """Quoted texts as texts, maps and lists as such."""
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value if isinstance(value, (int, float, bool, str, type(None))) else str(getattr(value, "text", value))


def replaced(parts: Iterable[tuple[str, bool, Any]], root: str) -> list[dict[str, Any]]:
    """Lines of a list of defaults."""
    return [{f"{'' if added else 'override '}{root}{key}": value} for key, added, value in parts]


def nested(flat: Mapping[str, Any], sourced: bool = False) -> dict[str, Any]:
    """Paths as maps in maps; beside each number of a machine, that it was set by hand."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, last = path.split(".")
        node = tree
        for name in parents:
            node = node.setdefault(name, {})
        node[last] = value
        if sourced and path.startswith("hw.") and not isinstance(value, Mapping):
            node.setdefault("sources", {})[last] = SOURCE
    return tree


def dumped(defaults: Sequence[Any], body: Mapping[str, Any]) -> str:
    """A file of Hydra's: its defaults, then its own values over them."""
    import yaml

    return yaml.safe_dump({"defaults": [*defaults, "_self_"], **body}, sort_keys=False, width=110, allow_unicode=True)


def rebuilding(studio: Studio, folder: Path, name: str) -> str:
    """The command line that evaluates what was saved."""
    folders = [*(one for one in studio.folders if Path(one).resolve() != folder.resolve()), str(folder)]
    return command_line(folders, ["task=evaluate", f"experiment={name}"])
