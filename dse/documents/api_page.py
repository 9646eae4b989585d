"""docs/reference/api.md: modules, classes and functions with their signatures and the first line of what they say.

Read from the source without running it, so that a page never depends on what is installed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "models": "what work there is",
    "hw": "what work costs",
    "dse": "which hardware is best",
}
LONGEST = 150  # characters of a signature; longer ones show names alone


def page() -> str:
    """The whole page."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    yield "# Public names\n\nWritten from the source by `python -m dse.documents.reference_pages`.\n"
    for package, says in PACKAGES.items():
        yield f"## {package}\n\n{package}: {says}.\n"
        for path in sorted((ROOT / package).rglob("*.py")):
            yield from _module(path)


def _module(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    rows = [row for node in tree.body for row in _rows(node)]
    if not rows:
        return
    yield f"### {name}\n\n{_text(said(tree))}\n\n| name | what it is |\n| --- | --- |"
    yield from rows
    yield ""


def _rows(node: ast.stmt, within: str = "") -> Iterator[str]:
    """A row for each public class, function and method that says what it is."""
    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
        yield f"| **`{node.name}`** | {_text(said(node))} |"
        for inner in node.body:
            yield from _rows(inner, f"{node.name}.")
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_") and said(node):
        yield f"| `{within}{node.name}{signature(node)}` | {_text(said(node))} |"


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The arguments and the answer, with their types where there is room."""
    if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list):
        return ""
    answer = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    whole = f"({ast.unparse(node.args)}){answer}".replace("self, ", "").replace("(self)", "()")
    if len(whole) > LONGEST:
        whole = f"({', '.join(a.arg for a in (*node.args.args, *node.args.kwonlyargs) if a.arg != 'self')})"
    return whole.replace("|", "\\|")


def said(node: ast.AST) -> str:
    """The first paragraph of a docstring, in one line."""
    assert isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())


def _text(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "\\<")
