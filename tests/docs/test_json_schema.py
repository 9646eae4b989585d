"""The schemas for editors: they take every shipped file, refuse what the reader refuses, and are up to date."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from machines import CONF

from dse.documents.json_schema import GROUPS, MAPS, file_of, schemas, text
from dse.documents.unit_patterns import text_of
from hw.units import Rule

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema, of the test extra, is not installed")

FOUND = schemas()
TIER = "hw/chip/memory/tier"
SHIPPED = [path for group in (*GROUPS, *MAPS, "space", "experiment") for path in sorted((CONF / group).glob("*.yaml"))]


def validator(group: str) -> Any:
    from referencing import Registry, Resource

    registry = Registry().with_resources([(name, Resource.from_contents(schema)) for name, schema in FOUND.items()])
    return jsonschema.Draft7Validator(FOUND[file_of(group)], registry=registry)


def errors(group: str, content: Any) -> list[str]:
    return [error.message for error in validator(group).iter_errors(content)]


def shown(path: Path) -> str:
    return str(path.relative_to(CONF))


def test_the_files_are_up_to_date() -> None:
    lying = {path.name: path.read_text(encoding="utf-8") for path in (CONF / "schema").glob("*.json")}
    meant = {name: text(schema) for name, schema in FOUND.items()}
    stale = sorted(name for name in {*lying, *meant} if lying.get(name) != meant.get(name))
    assert stale == [], "python -m dse.documents.json_schema writes them anew"
    assert all(json.loads(words) == FOUND[name] for name, words in lying.items())


def test_every_group_of_components_has_a_schema() -> None:
    """A folder of components that nobody can check would not be noticed."""
    held = {shown(path.parent) for path in CONF.rglob("*.yaml") if "_target_: hw." in path.read_text()}
    assert {group for group in held if group.startswith("hw")} - {*GROUPS, *MAPS} == set()


def test_schemas_are_schemas() -> None:
    for schema in FOUND.values():
        jsonschema.Draft7Validator.check_schema(schema)


def test_every_shipped_file_is_valid() -> None:
    """In one test: a validator is cheap, a thousand tests are not."""
    assert len(SHIPPED) > 300
    wrong = {shown(path): errors(shown(path.parent), yaml.safe_load(path.read_text())) for path in SHIPPED}
    assert {name: found for name, found in wrong.items() if found} == {}


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content.pop(name)


def put(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content.__setitem__(name, value)


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an unknown key": put("bandwith", "1 TB/s"),
    "a missing unit": put("bandwidth", 1e12),
    "a unit of something else": put("bandwidth", "4 TB"),
    "a unit in a text without one": put("bandwidth", "4"),
    "a share above one": put("sustained_fraction", 1.5),
    "half a part": put("parts", 1.5),
    "no class of ours": put("_target_", "hw.memory.Nothing"),
    "a class of another kind": put("_target_", "hw.supply.Supply"),
    "a number without a source": lambda content: content["sources"].pop("bandwidth"),
    "a source that is none": lambda content: content["sources"].update(bandwidth="somebody"),
    "a reason of one word": lambda content: content["sources"].update(bandwidth="assumed: so"),
    "a source of what is not there": lambda content: content["sources"].update(volume="assumed: as others"),
    "a field that is left out": without("latency"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_refused(wrong: str) -> None:
    content = yaml.safe_load((CONF / TIER / "hbm3e.yaml").read_text())
    content.pop("defaults")
    content["refresh"] = yaml.safe_load((CONF / TIER / "refresh" / "hbm.yaml").read_text())
    assert errors(TIER, content) == []
    broken = copy.deepcopy(content)
    WRONG[wrong](broken)
    assert errors(TIER, broken) != []


def test_an_experiment_asks_a_question() -> None:
    content = {"defaults": [{"override /hw": "corsair_card"}], "title": "A", "question": "Which?"}
    assert errors("experiment", content) == []
    assert errors("experiment", content | {"question": "Nothing"}) != []
    assert errors("experiment", content | {"tittle": "A"}) != []


SPELLED = {
    "B/s": ("4 TB/s", "1.5e3 GB/s", "512 Gbit/s", "3 TiB/s +/- 5 %"),
    "J/B": ("0.3 pJ/bit", "2 nJ/B"),
    "K*m^2/W": ("200 K*mm2/W", "15 K*mm^2/W"),
    "USD/J": ("0.0929 USD/kWh +/- 30 %", "0 USD/kW/month"),
    "K": ("105 degC", "300 K", "85 degC +/- 5 degC"),
    "1/m^2": ("0.09 1/cm^2",),
}


@pytest.mark.parametrize("unit", SPELLED)
def test_patterns_take_what_the_reader_takes(unit: str) -> None:
    """The reader is the judge: pint, in hw/units.py."""
    import re

    for given in SPELLED[unit]:
        Rule(unit).read(given)
        assert re.match(text_of(unit), given), given
    for wrong in ("4", "4 USD/token", "TB/s", "4 TB/s/s"):
        assert not re.match(text_of(unit), wrong), wrong
        with pytest.raises(ValueError, match="write it like"):
            Rule(unit).read(wrong)
