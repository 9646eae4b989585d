"""A described machine in the terminal: its figures by level, its numbers as a tree, and how far they are believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text
from rich.tree import Tree

from dse.configuration.schema import NOTES
from dse.evaluation.figures import in_words
from dse.run.console import console, table

STYLES = {"assumed": "yellow", "unsourced": "bold red", "given": "bold magenta", "derived": "cyan"}
SOURCED = "green"


def show(machine: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """The figures by level, the tree of numbers, the spreads and the assumptions that matter, the sources."""
    console.print(f"{machine['name']}, {machine['format']}", style="bold")
    for words in machine["cautions"]:
        console.print(words, style="yellow")
    show_figures(machine["figures"])
    console.print(tree(config, {row["path"]: row for row in machine["numbers"]}), soft_wrap=False)
    show_spreads(machine["spreads"])
    show_assumptions(machine)
    console.print(sources_in_words(machine["sources"]))


def rows_of(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The figures of one chip or level: name and words."""
    for name in ("count", "chips", "frequency", "power", "temperature", "heat_flux", "silicon_area", "cost", "price"):
        if name in part:
            yield name.replace("_", " "), in_words(part[name])
    yield from ((f"rate {name}", in_words(figure)) for name, figure in part["rate"].items())
    for kind in ("macro", "core"):
        told = part.get(f"{kind}_efficiency", {})
        yield from ((f"{kind} {name}", in_words(figure)) for name, figure in told.items())
    yield from ((f"full load {name}", in_words(figure)) for name, figure in part["efficiency"].items())
    for tier, found in part["tiers"].items():
        yield from ((f"{tier} {name}", in_words(figure)) for name, figure in found.items())
    for tier, found in part.get("access", {}).items():
        yield from ((f"{tier} {name}", in_words(found[name])) for name in ("energy", "temperature"))
    if "link" in part and part["fanout"]["value"] > 1:
        yield from ((f"link {name}", in_words(part["link"][name])) for name in ("bandwidth", "latency", "bisection"))


def show_figures(figures: Mapping[str, Any]) -> None:
    """A table with a column for each level, or a list of each level where the terminal is too narrow for it."""
    columns = {"chip": figures["chip"], **figures["levels"]}
    last = [*columns][-1]
    columns[last] = columns[last] | {"price": figures["system"]["price"]}
    cells = {name: dict(rows_of(part)) for name, part in columns.items()}
    names = list(dict.fromkeys(name for found in cells.values() for name in found))
    rows = [[name, *(found.get(name, "") for found in cells.values())] for name in names]
    title = "one of each level (derived)"
    if sum(max(len(row[i]) for row in rows) + 3 for i in range(len(rows[0]))) <= console.width:
        table(title, ["", *cells], rows)
        return
    console.print(title)
    for level, found in cells.items():
        console.print(level, style="bold")
        for name, value in found.items():
            console.print(f"  {name:<20} {value}")


def tree(config: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> Tree:
    """Components by their place, numbers as their author wrote them, with confidence and source."""
    root = Tree(Text("hw", style="bold"))
    grow(root, config, "hw", rows)
    return root


def grow(branch: Tree, node: Mapping[str, Any], path: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    for name, value in node.items():
        place = f"{path}.{name}"
        if name in NOTES:
            continue
        if isinstance(value, Mapping):
            kind = str(value.get("_target_", "")).rpartition(".")[2]
            grow(branch.add(Text.assemble((place, "bold"), f"  {kind}" if kind else "")), value, place, rows)
        elif place in rows:
            branch.add(leaf(str(name), rows[place]))


def leaf(name: str, row: Mapping[str, Any]) -> Text:
    """`frequency  1.2 GHz  [derived] how`."""
    kind = row["confidence"]
    told = "set on the command line" if kind == "given" else row["citation"]
    return Text.assemble(
        f"{name}  ", (row["written"], "bold"), "  ", (f"[{kind}]", STYLES.get(kind, SOURCED)), f" {told}"
    )


def spoken(total: str) -> str:
    """The name of a total as a person reads it: `silicon area`, `sram bandwidth`."""
    return total.removeprefix("tiers.").replace(".", " ").replace("_", " ")


def show_spreads(spreads: Mapping[str, Any]) -> None:
    """Totals with what the stated spreads make of them."""
    rows = []
    for name, found in spreads.items():
        if found["relative"] > 0:
            parts = ", ".join(f"{path} {100 * part:.2g} %" for path, part in found["inputs"].items())
            rows.append([spoken(name), f"{in_words(found)} +/- {100 * found['relative']:.2g} %", parts])
    if rows:
        table("spreads (first order, from the spreads stated)", ["total", "value", "mostly from"], rows)


def show_assumptions(machine: Mapping[str, Any]) -> None:
    """The weak numbers that move a total most."""
    written = {row["path"]: row["written"] for row in machine["numbers"]}
    rows = [
        [spoken(answer), path, written[path], f"{moved:+.2f} %"]
        for answer, found in machine["assumptions"].items()
        for path, moved in found.items()
    ]
    if rows:
        table("assumed numbers that matter most", ["what moves", "with", "assumed", "for +1 %"], rows)


def sources_in_words(sources: Mapping[str, Any]) -> str:
    """`148 numbers: 40 % derived, 29 % assumed, ...`."""
    total = sources["total"]
    parts = ", ".join(f"{count / total:.0%} {kind} ({count})" for kind, count in sources["counts"].items())
    return f"{total} numbers: {parts}"
