"""Every shipped configuration composes, builds, and says where its numbers come from."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import pytest
import yaml
from machines import CONF, SYSTEMS, candidate, composed, files

from dse.configuration.provenance import quantities, read_citations
from dse.configuration.schema import build, rule_at
from dse.evaluation.goals import Goals
from dse.problem.problem import Problem
from dse.problem.session import read_wanted
from dse.problem.space import read_space
from dse.problem.template import template
from dse.report.study import make

CITATIONS = read_citations(CONF / "sources.yaml")
CONFIDENCES = {"published", "third-party", "measured"}
NEEDS = {"search/sampler=gp": "torch", "search/sampler=cmaes": "cmaes"}  # extras
FEWEST_WORDS = 2  # "as Corsair" is the shortest that still says where to look
EXPERIMENTS = files("experiment")
NUMBER_ALONE = re.compile(r"^\s*[-+\d.eE]+\s*$")


def parts() -> list[Path]:
    """The files below conf/ that are one component and nothing else."""
    found = []
    for path in sorted(CONF.rglob("*.yaml")):
        text = path.read_text()
        component = re.search(r"^_target_: (hw|models)\.", text, re.MULTILINE) and "???" not in text
        if component and not re.search(r"^defaults:", text, re.M):
            found.append(path)
    return found


def shown(path: Path) -> str:
    return str(path.relative_to(CONF))


def baselines(experiment: str) -> dict[str, list[str]]:
    return composed(f"experiment={experiment}")["baselines"]


def test_there_is_something_to_read() -> None:
    assert len(SYSTEMS) > 3
    assert len(parts()) > 20
    assert EXPERIMENTS


@pytest.mark.parametrize(
    "override", [f"{group}={name}" for group in ("hw", "model", "format", "serving") for name in files(group)]
)
def test_every_choice_builds(override: str) -> None:
    assert candidate(override) is not None


PARTS_OF_A_CHIP = sorted(folder.name for folder in (CONF / "hw/chip").iterdir() if folder.is_dir())


@pytest.mark.parametrize(
    "override", [f"hw/chip/{group}={name}" for group in PARTS_OF_A_CHIP for name in files(f"hw/chip/{group}")]
)
def test_every_part_fits_a_chip(override: str) -> None:
    """Any part in the place of another of its kind: it builds, and the chip settles to finite numbers."""
    found = candidate("hw=corsair_card", override)
    state = found.hw.chip.settle(found.format)
    assert all(math.isfinite(float(leaf)) for leaf in jax.tree.leaves(state))


@pytest.mark.parametrize("path", parts(), ids=shown)
def test_every_part_builds_by_itself(path: Path) -> None:
    assert build(yaml.safe_load(path.read_text()), path.stem) is not None


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_number_of_a_machine_has_a_source(system: str) -> None:
    rows = list(quantities(composed(f"hw={system}")["hw"], "hw"))
    assert len(rows) > 50
    assert {path: source for path, _, source in rows if not explained(source)} == {}


def explained(source: str) -> bool:
    kind, colon, how = source.partition(":")
    if colon:
        return kind in ("derived", "assumed") and len(how.split()) >= FEWEST_WORDS
    return source in CITATIONS


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_source_is_of_a_number_that_is_not_there(system: str) -> None:
    assert list(idle_sources(composed(f"hw={system}")["hw"], "hw")) == []


def idle_sources(node: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}.{name}" for name in node.get("sources", {}) if name not in node)
    for name, inner in node.items():
        if isinstance(inner, Mapping) and name != "sources":
            yield from idle_sources(inner, f"{path}.{name}")


def test_citations_say_what_and_how_far_to_believe_it() -> None:
    assert {key for key, entry in CITATIONS.items() if not entry["cite"].strip()} == set()
    assert {entry["confidence"] for entry in CITATIONS.values()} <= CONFIDENCES


def test_every_citation_in_brackets_exists() -> None:
    lines = [line for path in CONF.rglob("*.yaml") for line in path.read_text().splitlines()]
    reasons = [line for line in lines if "derived:" in line or "assumed:" in line]
    cited = {name for line in reasons for name in re.findall(r"\[([a-z]\w+)\]", line)}
    assert len(cited) > 5
    assert cited - CITATIONS.keys() == set()


@pytest.mark.parametrize("override", [f"hw={s}" for s in SYSTEMS] + [f"serving={s}" for s in files("serving")])
def test_every_quantity_is_written_with_its_unit(override: str) -> None:
    section = override.partition("=")[0]
    config = composed(override)
    for path, value, _ in quantities(config[section], section):
        rule = rule_at(config, path.split("."))
        assert rule is not None, f"{path} is no declared quantity"
        if rule.unit:
            assert isinstance(value, str), f"{path}: {value!r} has no unit"
            assert not NUMBER_ALONE.match(value), f"{path}: {value!r} has no unit"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_asks_something(experiment: str) -> None:
    config = composed(f"experiment={experiment}")
    assert config["title"]
    assert config["question"].endswith("?")
    assert Goals.read(config["objectives"]).objectives
    assert read_wanted(config["mapping"]).objective
    assert make(config["search"]) is not None
    assert len(baselines(experiment)) > 0


@pytest.mark.parametrize(
    ("experiment", "name"), [(experiment, name) for experiment in EXPERIMENTS for name in baselines(experiment)]
)
def test_every_baseline_composes(experiment: str, name: str) -> None:
    """A baseline is given on top of its experiment."""
    assert template([f"experiment={experiment}", *baselines(experiment)[name]]).candidate is not None


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_structure_of_an_experiment_builds(experiment: str) -> None:
    overrides = [f"experiment={experiment}"]
    config = composed(*overrides)
    problem = Problem(overrides, config["space"], read_wanted(config["mapping"]), batch=1)
    assert len(problem.templates()) >= 1
    keys = [parameter.key for parameter in problem.space.numeric]
    idle = [key for key in keys if not any(problem.active(found, key) for found in problem.templates())]
    assert idle == [], "no structure of the space has these quantities"


@pytest.mark.parametrize("space", files("space"))
def test_every_space_reads(space: str) -> None:
    """Whether its keys lead to quantities is the experiment's to say, which has the machine."""
    assert read_space(composed(f"space={space}")["space"]) is not None
    assert (space == "none") == (composed(f"space={space}")["space"] == {})


@pytest.mark.parametrize("objectives", files("objectives"))
def test_every_objective_reads(objectives: str) -> None:
    assert Goals.read(composed(f"objectives={objectives}")["objectives"]).objectives


@pytest.mark.parametrize(
    "override",
    [f"search={name}" for name in files("search")]
    + [f"search/sampler={name}" for name in files("search/sampler")]
    + [f"mapping={name}" for name in files("mapping")],
)
def test_every_way_to_look_reads(override: str) -> None:
    config = composed("search=optuna", override) if "sampler" in override else composed(override)
    assert read_wanted(config["mapping"]).objective
    missing = override in NEEDS and importlib.util.find_spec(NEEDS[override]) is None
    with pytest.raises(ValueError, match="pip install") if missing else contextlib.nullcontext():
        assert make(config["search"]) is not None


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=shown)
def test_every_file_is_yaml_with_unique_keys(path: Path) -> None:
    """Of two equal keys, YAML would silently keep the last."""
    yaml.load(path.read_text(), Loader=Strict)


class Strict(yaml.SafeLoader):
    """Refuses a key that is there twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: a key is there twice: {sorted(map(str, keys))}"
        return super().construct_mapping(node, deep)
