"""Fitted constants, put into the configurations that hold them, with where they came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dse.configuration.compose import conf_folder
from dse.run.console import console
from dse.run.numbers import amount
from dse.validation.operator_families import Constant
from dse.validation.operator_rows import Bench, applies, key, notes

if TYPE_CHECKING:
    from dse.validation.calibrate import Fit


def put_all(found: Sequence[Bench], best: Fit, write: bool) -> None:
    """Change the files, or print the lines that they would have."""
    texts: dict[str, str] = {}
    kinds = ", ".join(dict.fromkeys(bench.rows.machine for bench in found))
    errors = dict(zip(best.values, best.errors, strict=True))
    for name, (constant, machine) in _constants(found).items():
        file, words = home(constant, machine)
        rows = f"{best.rows} rows of {found[0].family.name} of {kinds} [aiconfigurator]"
        source = f"derived: fitted on {rows}, standard error {errors[name]:.1%}"
        if at_bound(constant, best.values[name]):
            source = f"derived: the bound of a fit on {rows}, which asks for more"
        text = texts.get(file) or (conf_folder() / file).read_text()
        value = written(constant, best.values[name])
        text = put(text, words, value)
        if not constant.of_rows:
            text = put(text, [*words[:-1], "sources", words[-1]], f'"{source}"')
        texts[file] = text
        if not write:
            console.print(f"{file}: {'.'.join(words)}: {value} # {source}", markup=False)
    for file, text in texts.items() if write else ():
        (conf_folder() / file).write_text(text)
        console.print(f"changed: {file}")


def at_bound(constant: Constant, value: float) -> bool:
    """Whether the fit ended where it was bounded, so that no standard error says anything."""
    return value <= constant.least * 1.001 or value >= constant.most * 0.999


def _constants(found: Sequence[Bench]) -> dict[str, tuple[Constant, str]]:
    """Every constant by its key, with a machine that has it."""
    return {
        key(constant, bench.rows.machine): (constant, bench.rows.machine)
        for bench in found
        for constant in bench.family.constants
        if applies(constant, bench)
    }


def home(constant: Constant, machine: str) -> tuple[str, list[str]]:
    """The file that holds a constant, and the words that lead to it there."""
    known = notes()["files"]
    begins = [prefix for prefix in known if constant.place.startswith(f"{prefix}.")]
    which = machine if constant.alone else "all"
    if not begins or which not in known[max(begins, key=len)]:
        raise ValueError(
            f"conf/validation/operators.yaml: files: {constant.place} of {which} has no file; name it there"
        )
    prefix = max(begins, key=len)
    rest = constant.place if constant.of_rows else constant.place[len(prefix) + 1 :]
    return known[prefix][which], rest.split(".")


def written(constant: Constant, value: float) -> str:
    """A value as configurations have it."""
    return f"{value:.4g} {constant.unit}" if "/" in constant.unit else amount(value, constant.unit, 4)


def put(text: str, words: Sequence[str], value: str) -> str:
    """The text of a YAML with another value at a path of block mappings, two spaces a level; comments stay."""
    lines, start = text.split("\n"), 0
    for depth, word in enumerate(words):
        head = re.compile(rf"^{'  ' * depth}{re.escape(word)}:(.*)$")
        end = next((i for i in range(start, len(lines)) if depth and _indent(lines[i]) < depth), len(lines))
        at = next((i for i in range(start, end) if head.match(lines[i])), None)
        if at is None:
            raise ValueError(f"{'.'.join(words)}: there is no line {word!r}; write one before it is calibrated")
        start = at + 1
    comment = re.search(r"\s#\s.*$", lines[start - 1])
    kept = comment.group(0) if comment else ""
    lines[start - 1] = f"{'  ' * (len(words) - 1)}{words[-1]}: {value}{kept}"
    return "\n".join(lines)


def _indent(line: str) -> float:
    """Levels of indentation; comments and empty lines end nothing."""
    bare = line.lstrip(" ")
    return float("inf") if not bare or bare.startswith("#") else (len(line) - len(bare)) / 2
