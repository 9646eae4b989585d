"""Documents: links lead somewhere, commands compose, files that are written from the code are up to date."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
from machines import CONF, ROOT
from test_layers import FLOORS

from dse.documents.api_page import signature
from dse.documents.component_fields import components, equations, fields, final, words
from dse.documents.reference_pages import FOLDER, kinds, page_of, pages

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`|^    [^\n]*$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:^    |`)(dse [^`\n]*)", re.MULTILINE)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as its reader makes them."""
    heads = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def links(path: Path) -> list[str]:
    return LINK.findall(CODE.sub("", path.read_text(encoding="utf-8")))


def dead(path: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    found = []
    for link in links(path):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        to = (path.parent / file) if file else path
        if not to.exists() or (anchor and to.suffix == ".md" and anchor not in anchors(to)):
            found.append(link)
    return found


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_links_lead_somewhere(path: Path) -> None:
    assert dead(path) == []


def test_every_page_can_be_reached_from_the_first() -> None:
    seen, open_ends = set(), [ROOT / "README.md"]
    while open_ends:
        page = open_ends.pop().resolve()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        open_ends += [page.parent / link.partition("#")[0] for link in links(page) if not re.match(r"[a-z]+:", link)]
    assert {shown(path) for path in PAGES if path.resolve() not in seen} == set()


def typed(path: Path) -> list[list[str]]:
    """The command lines of a page that are written in full: no …, no own folder, no names in capitals."""
    lines = [found.strip() for found in COMMAND.findall(path.read_text(encoding="utf-8"))]
    plain = [line for line in lines if not re.search(r"…|\.\.\.|--|mine|my_|[A-Z]{3,}|=$|\$", line)]
    return [shlex.split(line)[1:] for line in plain]


@pytest.mark.parametrize("name", ["README.md", "docs/commands.md"])
def test_commands_name_what_there_is(name: str) -> None:
    lines = typed(ROOT / name)
    assert len(lines) > 3
    for line in lines:
        for word in line:
            group, _, value = word.partition("=")
            known = (
                {path.stem for path in (CONF / group).glob("*.yaml")}
                if re.fullmatch(r"[a-z]+(/[a-z]+)*", group) and (CONF / group).is_dir()
                else set()
            )
            if value and known and value != "none":
                assert set(value.split(",")) <= known, f"dse {shlex.join(line)}: {word}"


def test_the_first_page_is_short() -> None:
    """What is long has a page of its own."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_the_table_of_packages_is_what_they_say_of_themselves() -> None:
    """In docs/extend.md, from the ground up."""
    rows = re.findall(r"^\| `dse/(\w+)/` \| (.*) \|$", (ROOT / "docs/extend.md").read_text(), re.MULTILINE)
    there = [name for name in FLOORS if (ROOT / "dse" / name).is_dir()]
    said = {name: ast.get_docstring(ast.parse((ROOT / "dse" / name / "__init__.py").read_text())) for name in there}
    assert rows == [(name, said[name]) for name in there]


def test_the_reference_is_up_to_date() -> None:
    found, anew = pages(), "python -m dse.documents.reference_pages writes them anew"
    assert {path.name for path in FOLDER.glob("*.md")} == set(found), anew
    stale = [
        name for name, text in found.items() if (FOLDER / name).read_text(encoding="utf-8") != text.rstrip() + "\n"
    ]
    assert stale == [], anew


def test_every_component_has_its_page() -> None:
    there = {module for _, modules in kinds().values() for module in modules}
    lost = {cls.__name__ for cls in components() if cls.__module__ not in there}
    assert not lost, (
        "they extend nothing that has a page: name their module in KINDS of dse/documents/reference_pages.py"
    )
    assert all(page_of(cls) for cls in components())


def test_every_field_has_a_meaning_and_no_word_is_idle() -> None:
    named = {cls.__name__: {field.name for field in fields(cls)} for cls in components() if final(cls)}
    assert [(cls.__name__, f.name) for cls in components() if final(cls) for f in fields(cls) if not f.meaning] == []
    assert set(words()["every"]) - set().union(*named.values()) == set()
    own = {name: set(said) for name, said in words().items() if name != "every"}
    assert {name: said - named.get(name, set()) for name, said in own.items() if said - named.get(name, set())} == {}


def test_all_hardware_has_its_equations() -> None:
    assert [
        c.__name__ for c in components() if final(c) and c.__module__[:3] == "hw." and c.__name__ not in equations()
    ] == []


@pytest.mark.parametrize("name", sorted(equations()))
def test_equations_are_whole_and_speak_of_fields(name: str) -> None:
    """Braces and brackets close, and what stands in backticks is a field of the class."""
    entry = equations()[name]
    known = {field.name for cls in components() if cls.__name__ == name for field in fields(cls)}
    for equation in (*entry["equations"], *map(str, entry["where"] or ())):
        assert equation.count("{") == equation.count("}"), equation
        assert equation.count(r"\left") == equation.count(r"\right"), equation
        assert len(re.findall(r"\\frac", equation)) <= equation.count("{") + 2
    said = [word for words in (entry["where"] or {}).values() for word in re.findall(r"`(\w+)`", words)]
    assert set(said) <= known


def test_signatures_are_those_of_the_source() -> None:
    import ast

    node = ast.parse("def area(self, process: Process, *, dies: int = 1) -> Any: ...").body[0]
    assert isinstance(node, ast.FunctionDef)
    assert signature(node) == "(process: Process, *, dies: int=1) -> Any"
