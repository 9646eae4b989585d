"""The walls between the packages, read from the source without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from machines import ROOT, SYSTEMS

PACKAGES = ("models", "hw", "dse", "hydra_plugins")
MAY_IMPORT = {  # of ours
    "models": ("models",),
    "hw": ("hw", "models.counts", "models.operators", "models.numerics"),
    "dse": ("dse", "hw", "models"),
    "hydra_plugins": ("dse",),
}
FLOORS = (  # of dse/, from the ground up: each may import itself and what is below it
    "run", "configuration", "traffic", "evaluation", "problem", "uncertainty", "search", "machine", "simulation",
    "report", "validation", "claims", "tracking", "studio", "documents", "tasks", "__main__",
)  # fmt: skip
PLUGIN_MAY_IMPORT = ("__future__", "dataclasses", "typing", "hydra", "omegaconf", "dse")
FRAMEWORKS = ("hydra", "omegaconf", "optuna", "mlflow")  # for dse/ alone
# Products, and vendors that stand for one; a device is a YAML. Names of shipped systems come on top.
PRODUCTS = (
    "corsair", "raptor", "jayhawk", "pavehawk", "squadrack", "jetstream", "fabrex", "dmx", "d-matrix", "gigaio",
    "nvidia", "nvlink", "nvswitch", "dgx", "hgx", "h100", "h200", "a100", "b200", "gb200", "blackwell", "hopper",
    "mi300", "groq", "cerebras", "tpu", "trainium", "inferentia", "gaudi", "sambanova", "tenstorrent",
)  # fmt: skip
LONGEST_FUNCTION = 60  # lines
LONGEST_FILE = 400  # lines


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


EVERY = [pytest.param(path, id=shown(path)) for path in sources(*PACKAGES)]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions; `from a import b` gives `a.b`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(path)}: write imports in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def words(path: Path) -> Iterator[str]:
    """Every identifier and every string of a file, docstrings included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            if isinstance(value := getattr(node, field, None), str):
                yield value


def test_there_are_sources_to_read() -> None:
    assert all(len(sources(package)) > 3 for package in PACKAGES if package != "hydra_plugins")
    assert sources("hydra_plugins")
    assert not (ROOT / "hydra_plugins" / "__init__.py").exists(), "other distributions put their plugins there too"


@pytest.mark.parametrize("path", EVERY)
def test_imports_run_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = [name for name in imports(path) if within(name, (*PACKAGES, "conf", "tests"))]
    assert [name for name in ours if not within(name, MAY_IMPORT[package])] == []


@pytest.mark.parametrize("path", [pytest.param(path, id=shown(path)) for path in sources("dse")])
def test_floors_stand_on_those_below(path: Path) -> None:
    floor = path.relative_to(ROOT / "dse").parts[0].removesuffix(".py")
    if floor == "__init__":
        return
    above = tuple(f"dse.{name}" for name in FLOORS[FLOORS.index(floor) + 1 :])
    assert [name for name in imports(path) if within(name, above)] == []


@pytest.mark.parametrize("path", [pytest.param(path, id=shown(path)) for path in sources("models", "hw")])
def test_only_the_search_knows_the_frameworks(path: Path) -> None:
    assert [name for name in imports(path) if within(name, FRAMEWORKS)] == []


@pytest.mark.parametrize("path", [pytest.param(path, id=shown(path)) for path in sources("hydra_plugins")])
def test_a_plugin_is_thin(path: Path) -> None:
    """Hydra imports it at every start: nothing of ours at its head, and nothing but Hydra at all."""
    assert [name for name in imports(path) if not within(name, PLUGIN_MAY_IMPORT)] == []
    heads = [node for node in tree(path).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert not any(isinstance(node, ast.ImportFrom) and within(node.module or "", ("dse",)) for node in heads)


@pytest.mark.parametrize("path", EVERY)
def test_no_product_is_named(path: Path) -> None:
    names = re.compile("|".join(rf"(?<![a-z]){re.escape(n)}(?![a-z])" for n in {*PRODUCTS, *SYSTEMS}), re.IGNORECASE)
    assert sorted({found.group() for word in words(path) for found in names.finditer(word)}) == []


@pytest.mark.parametrize("path", EVERY)
def test_functions_and_files_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    functions = [n for n in ast.walk(tree(path)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}
