"""conf/schema/*.json: what editors check and complete in YAMLs, one schema for each group of files.

`python -m dse.documents.json_schema` writes them from the classes, with a FOLDER after it elsewhere. The
first line `# yaml-language-server: $schema=PATH/hw.chip.memory.tier.json` of a file names its schema. JSON Schema,
draft 7, which editors know best.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dse.configuration.compose import conf_folder, written
from dse.configuration.provenance import citations
from dse.documents.component_fields import Told, components, fields, final, name_of, names
from dse.documents.unit_patterns import text_of
from hw.units import Rule

DRAFT = "http://json-schema.org/draft-07/schema#"
GROUPS = {  # group of files -> the class whose kinds it holds
    "hw": "hw.system.System",
    "hw/chip": "hw.chip.Chip",
    "hw/chip/cooling": "hw.cooling.Cooling",
    "hw/chip/engine": "hw.engine.Engine",
    "hw/chip/engine/kernels": "hw.kernel_engine.Kernels",
    "hw/chip/engine/macro": "hw.macro.Macro",
    "hw/chip/engine/macro/cell": "hw.analog_parts.AnalogCell",
    "hw/chip/engine/macro/converter": "hw.analog_parts.Converter",
    "hw/chip/engine/macro/gates": "hw.gates.Gates",
    "hw/chip/leakage": "hw.cooling.Leakage",
    "hw/chip/memory/tier": "hw.memory.Memory",
    "hw/chip/memory/tier/refresh": "hw.refresh.Refresh",
    "hw/chip/package": "hw.package.Package",
    "hw/chip/package/substrate": "hw.package.Substrate",
    "hw/chip/package/wafers": "hw.process.WiringWafers",
    "hw/chip/process": "hw.process.Process",
    "hw/chip/supply": "hw.supply.Supply",
    "hw/chip/vector": "hw.vector.VectorUnit",
    "hw/fabric": "hw.link.Link",
    "hw/link": "hw.link.Link",
    "hw/ownership": "hw.ownership.Ownership",
    "hw/runtime": "hw.system.Runtime",
    "format": "models.numerics.Formats",
    "format/number": "models.numerics.NumberFormat",
    "model": "models.model.Model",
    "serving": "models.serving.Serving",
}
MAPS = {"hw/chip/memory": "hw.memory.Memory"}  # groups whose files are maps of components
READ, READ_INTO = "models.huggingface.HuggingFace", "models.model.Model"  # what is read from a file of its own
NOTES = {
    "defaults": {"type": "array", "items": {"type": ["string", "object"]}},
    "about": {"type": "string"},
    "aliases": {"type": "array", "items": {"type": ["string", "number"]}},
    "conflicts": {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}},
}
LATER = {"type": "string", "pattern": r"^(\$\{.*\}|\?\?\?)$"}  # what the composition fills in
SPACE = {
    "description": "What may vary: a key with dots sets a number, a key with slashes picks a file.",
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": "array", "minItems": 1},
            {"type": "object", "required": ["low", "high"], "additionalProperties": False,
             "properties": {"low": {}, "high": {}, "step": {}, "log": {"type": "boolean"}, "count": {}}},
        ]
    },
}  # fmt: skip


def schemas() -> dict[str, dict[str, Any]]:
    """File name -> schema, of all groups and of the components that they are made of."""
    found = {"components.json": {"$schema": DRAFT, "definitions": dict(_definitions())}}
    for group, name in GROUPS.items():
        found[file_of(group)] = {"$schema": DRAFT, "allOf": [_to(f"kind {name}"), _complete(_class(name))]}
    for group, name in MAPS.items():
        inner = {"type": "object", "properties": {"defaults": NOTES["defaults"]}}
        found[file_of(group)] = {"$schema": DRAFT, **inner, "additionalProperties": _to(f"kind {name}")}
    found["space.json"] = {"$schema": DRAFT, **SPACE}
    found["experiment.json"] = {"$schema": DRAFT, **_experiment()}
    return found


def file_of(group: str) -> str:
    """The file that holds the schema of a group."""
    return f"{group.replace('/', '.')}.json"


def _to(name: str) -> dict[str, str]:
    return {"$ref": f"components.json#/definitions/{name.replace(' ', '-')}"}


def _class(name: str) -> type:
    return next(cls for cls in components() if name_of(cls) == name)


def _kinds(cls: type) -> list[type]:
    """The classes that may stand where one of this class is wanted."""
    return [one for one in components() if issubclass(one, cls) and final(one)]


def _definitions() -> Iterable[tuple[str, Any]]:
    reason = {"type": "string", "pattern": r"^(derived|assumed): \S+ .*\S", "description": "derived: how, assumed: why"}
    yield "source", {"anyOf": [{"enum": sorted(citations()), "description": "a key of conf/sources.yaml"}, reason]}
    wanted = {_class(name) for name in (*GROUPS.values(), *MAPS.values())}
    for cls in components():
        if final(cls):
            yield name_of(cls), _component(fields(cls), sourced=cls.__module__.startswith("hw."), cls=cls)
            wanted |= {field.kind for field in fields(cls) if field.kind}
    for cls in sorted(wanted, key=name_of):
        yield f"kind-{name_of(cls)}", _kind(cls)
        yield f"part-{name_of(cls)}", _component(_any_field(_kinds(cls)), sourced=False)


def _any_field(classes: Iterable[type]) -> list[Told]:
    """The fields of all these classes, for what only changes some of a component that a default names."""
    return [field for cls in classes for field in fields(cls)]


def _kind(cls: type) -> dict[str, Any]:
    """A component of this kind: by its class where it names one, else any of their fields."""
    known = [name for one in _kinds(cls) for name in names(one)] + ([READ] if name_of(cls) == READ_INTO else [])
    chosen = [{"if": _named(one), "then": _to(name_of(one))} for one in _kinds(cls)]
    named = {"allOf": [{"properties": {"_target_": {"enum": known}}}, *chosen]}
    return {"type": "object", "if": {"required": ["_target_"]}, "then": named, "else": _to(f"part {name_of(cls)}")}


def _named(cls: type) -> dict[str, Any]:
    """That a component names this class."""
    return {"properties": {"_target_": {"enum": names(cls)}}, "required": ["_target_"]}


def _component(told: list[Told], sourced: bool, cls: type | None = None) -> dict[str, Any]:
    """An object with these fields and no others; a number of hardware wants its source beside it."""
    ways: dict[str, list[Any]] = {}
    for field in told:
        found = ways.setdefault(field.name, [])
        found += [schema for schema in [_field(field)] if schema not in found]
    properties = {name: found[0] if len(found) == 1 else {"anyOf": found} for name, found in ways.items()}
    quantities = sorted({field.name for field in told if field.rule})
    about = (
        {"title": cls.__name__, "description": " ".join((cls.__doc__ or "").split("\n\n")[0].split())} if cls else {}
    )
    schema = {**about, "type": "object", "additionalProperties": False}
    schema["properties"] = {"_target_": {"type": "string"}, **NOTES, "sources": _sources(quantities), **properties}
    if sourced:
        beside = {
            name: {"required": ["sources"], "properties": {"sources": {"required": [name]}}} for name in quantities
        }
        schema["dependencies"] = beside
    return schema


def _sources(quantities: list[str]) -> dict[str, Any]:
    return {"type": "object", "propertyNames": {"enum": quantities}, "additionalProperties": _to("source")}


def _field(field: Told) -> dict[str, Any]:
    if field.rule is None:
        assert field.kind is not None, f"{field.name} is neither a quantity nor a component"
        one = _to(f"kind {name_of(field.kind)}")
        return {"description": field.meaning} | (
            {"type": "object", "additionalProperties": one} if field.named else {"allOf": [one]}
        )
    return {"description": f"{field.meaning}; {field.limits}".strip("; "), "anyOf": [*_values(field.rule), LATER]}


def _values(rule: Rule) -> list[dict[str, Any]]:
    """What a quantity may be: a text with a unit; without one a number, or a text of one with its spread."""
    if rule.unit:
        return [{"type": "string", "pattern": text_of(rule.unit), "examples": [rule.example.split("'")[1]]}]
    number: dict[str, Any] = {"type": "integer" if rule.whole else "number"}
    limits = {"exclusiveMinimum": rule.above, "minimum": rule.least, "maximum": rule.most}
    number |= {name: limit for name, limit in limits.items() if limit is not None}
    return [number, {"type": "string", "pattern": text_of("")}]


def _complete(cls: type) -> dict[str, Any]:
    """That a file which is built on no other has all that its class needs."""
    needed = {one: [field.name for field in fields(one) if field.needed] for one in _kinds(cls)}
    whole = [{"if": _named(one), "then": {"required": known}} for one, known in needed.items()]
    return {"if": {"not": {"required": ["defaults"]}}, "then": {"allOf": whole}}


def _experiment() -> dict[str, Any]:
    """What an experiment may say: the keys of the whole configuration."""
    config: Mapping[str, Any] = written(conf_folder() / "config.yaml")
    folders = [path.name for path in conf_folder().iterdir() if path.is_dir()]
    known = sorted({*config, *folders, "hydra"} - {"schema", "experiment"})
    properties: dict[str, Any] = {name: {} for name in known}
    properties |= {"defaults": NOTES["defaults"], "title": {"type": "string"}, "space": {"anyOf": [SPACE, {}]}}
    properties |= {"question": {"type": "string", "pattern": r"\?\s*$", "description": "ends with a question mark"}}
    properties |= {
        "baselines": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def text(schema: Mapping[str, Any]) -> str:
    """A schema as JSON, a definition a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in schema.get("definitions", {}).items()]
    others = {name: one for name, one in schema.items() if name != "definitions"}
    if not lines:
        return json.dumps(others, indent=1) + "\n"
    return json.dumps(others)[:-1] + ', "definitions": {\n' + ",\n".join(lines) + "\n}}\n"


def main() -> None:
    """Write all schemas."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else conf_folder() / "schema"
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(text(schema), encoding="utf-8")


if __name__ == "__main__":
    main()
