"""docs/reference/: a page for each kind of component, and the public names of the packages.

`python -m dse.documents.reference_pages` writes them, from the classes, their docstrings and `dse/documents/glossary`.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import dse.documents.api_page as api
from dse.configuration.compose import conf_folder
from dse.documents.component_fields import Told, components, equations, fields, files, final, name_of

FOLDER = conf_folder().parent / "docs/reference"
KINDS = {  # page -> its title and the modules on it, in their order; others follow by what their classes extend
    "engines": ("Engines", ("hw.engine", "hw.macro_engine", "hw.tensor_engine", "hw.multiprocessors",
                "hw.kernel_engine")),
    "macros": ("Macros of in-memory compute", ("hw.macro", "hw.digital_macro", "hw.analog_macro", "hw.analog_parts",
               "hw.gates")),
    "kernels": ("Kernels and elementwise work", ("hw.kernel", "hw.product_kernel", "hw.grouped_kernel",
                "hw.attention_kernel", "hw.vector")),
    "memories": ("Memories", ("hw.memory", "hw.sram", "hw.stacked", "hw.refresh")),
    "links": ("Links, fabrics and levels", ("hw.link", "hw.topology", "hw.grid", "hw.protocol", "hw.network")),
    "chip": ("Chip, cooling and supply", ("hw.chip", "hw.cooling", "hw.supply")),
    "package": ("Process and package", ("hw.process", "hw.package")),
    "system": ("System, software and ownership", ("hw.system", "hw.ownership")),
    "models": ("AI models", ("models.model", "models.transformer", "models.block", "models.mixer", "models.attention",
               "models.latent", "models.state_space", "models.feedforward", "models.experts")),
    "video": ("Video models", ("models.diffusion", "models.modulation", "models.video_attention")),
    "traffic": ("Number formats and traffic", ("models.numerics", "models.serving")),
}  # fmt: skip
WRITTEN = "Written from the classes by `python -m dse.documents.reference_pages`.\n"
HEAD = f"""# Reference

{WRITTEN}
Each page has the components of a kind: what a new one must answer, then every class that a YAML can name, with its
equations, the symbols with their units, its limits, its fields and the shipped files that use it. Units are those that
a field is read in; a YAML writes any unit of the same dimension.

| page | classes |
| --- | --- |
"""
MOST_FILES = 12


@functools.cache
def kinds() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Page -> its title and the modules on it: those of `KINDS`, and those of classes that extend what is on it."""
    found = {page: list(modules) for page, (_, modules) in KINDS.items()}
    home = {module: page for page, modules in found.items() for module in modules}
    for cls in components():
        page = next((home[base.__module__] for base in cls.__mro__ if base.__module__ in home), None)
        if page and cls.__module__ not in home:
            found[page].append(cls.__module__)
            home[cls.__module__] = page
    return {page: (title, tuple(found[page])) for page, (title, _) in KINDS.items()}


def pages() -> dict[str, str]:
    """File name -> text, of all pages."""
    found = {f"{page}.md": "\n".join(_page(title, modules)) for page, (title, modules) in kinds().items()}
    rows = [f"| [{title}]({page}.md) | {_classes(modules)} |" for page, (title, modules) in kinds().items()]
    return {"README.md": HEAD + "\n".join(rows) + "\n| [All public names](api.md) | |\n", **found, "api.md": api.page()}


def page_of(cls: type) -> str:
    """The page that a class stands on."""
    return next(f"{page}.md" for page, (_, modules) in kinds().items() if cls.__module__ in modules)


def _of(modules: Sequence[str]) -> list[type]:
    return [cls for module in modules for cls in components() if cls.__module__ == module]


def _classes(modules: Sequence[str]) -> str:
    return ", ".join(f"`{cls.__name__}`" for cls in _of(modules) if final(cls))


def _page(title: str, modules: Sequence[str]) -> Iterator[str]:
    yield f"# {title}\n\n{WRITTEN}"
    for cls in _of(modules):
        yield from _component(cls) if final(cls) else _contract(cls)


def _contract(cls: type) -> Iterator[str]:
    """What every component of a kind must answer, and what it may answer otherwise."""
    yield f"## {cls.__name__}\n\n`{name_of(cls)}`, the contract of this kind\n"
    yield prose(cls, keep=True)
    asked = [name for name in sorted(getattr(cls, "__abstractmethods__", ())) if not name.startswith("_")]
    if asked:
        yield "\n| a new one must answer | with |\n| --- | --- |"
        yield from (f"| `{name}` | {cell(first_line(getattr(cls, name)))} |" for name in asked)
    yield ""


def _component(cls: type) -> Iterator[str]:
    yield f"## {cls.__name__}\n\n`{name_of(cls)}`\n"
    found = equations().get(cls.__name__, {})
    yield prose(cls, keep=not found)
    yield from (f"\n$$\n{equation}\n$$" for equation in found.get("equations", ()))
    if found.get("where"):
        yield "\n| symbol | what it is |\n| --- | --- |"
        yield from (f"| ${symbol}$ | {cell(words)} |" for symbol, words in found["where"].items())
    if found.get("limits"):
        yield f"\nLimits: {found['limits']}"
    told = fields(cls)
    if told:
        yield "\n| field | unit | legal | meaning |\n| --- | --- | --- | --- |"
        yield from map(_row, told)
    yield f"\nUsed by {_users(cls)}\n"


def _row(field: Told) -> str:
    unit = field.rule.unit if field.rule else _link(field.kind)
    legal = field.limits
    if not field.needed:
        shown = "" if field.default is None or field.rule is None else f" {field.default:g}"
        legal = f"{legal}; may be left out{',' if shown else ''}{shown}".removeprefix("; ")
    return f"| `{field.name}` | {unit} | {legal} | {cell(field.meaning)} |"


def _link(kind: type | None) -> str:
    return f"[{kind.__name__}]({page_of(kind)}#{kind.__name__.lower()})" if kind else ""


def _users(cls: type) -> str:
    found = files(cls)
    shown = ", ".join(f"[{name.removesuffix('.yaml')}](../../conf/{name})" for name in found[:MOST_FILES])
    more = f" and {len(found) - MOST_FILES} more" if len(found) > MOST_FILES else ""
    return f"{shown}{more}." if found else "no shipped file."


def prose(cls: type, keep: bool) -> str:
    """A docstring as Markdown; its indented equations are left out where they stand in LaTeX below."""
    lines = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(cls.__doc__ or "")):
        if not all(line.startswith("    ") for line in block.splitlines()):
            lines.append(escaped(block))
        elif keep:
            lines.append(block)
        elif lines and lines[-1].endswith(":"):
            lines[-1] = lines[-1][:-1] + "."
    return "\n\n".join(lines)


def escaped(text: str) -> str:
    return re.sub(r"([*<|])", r"\\\1", text)


def cell(text: str) -> str:
    """A text that may stand in a table."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("\n", " ")


def first_line(method: object) -> str:
    return " ".join((inspect.getdoc(method) or "").split("\n\n")[0].split())


def main() -> None:
    """Write all pages, and take away those that are no more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in found:
            path.unlink()
    for name, text in found.items():
        Path(FOLDER / name).write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
