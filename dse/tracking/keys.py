"""Names and sizes of what is logged: plain numbers, always in the same unit, the unit at the end of the key."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dse.evaluation.metrics import SECTIONS, SOMETIMES, units
from dse.evaluation.results import head
from dse.run.keys import ELSEWHERE
from hw.units import readable, registry

TYPICAL = {"s": 1e-3, "J/token": 1e-3, "W": 1e3, "B": 1e9, "Hz": 1e9}  # one unit for all runs, from cards to racks
OF_A_CHIP = {"headroom": {"W": 1.0}}
QUANTITIES = ("GHz", "GB/s", "GB", "ms", "W", "pJ/bit", "mm^2", "K", "USD", "USD/kWh")  # of values that are set
DIGITS = 7  # of what is logged: more than single precision holds
SPREAD = ("p5", "p95")
GROUPS = ("hw", "model", "format", "serving")
FORBIDDEN = re.compile(r"[^\w./\- :]")  # what MLflow takes in no key


def key(name: str, unit: str = "") -> str:
    """A name with its unit, in the letters that MLflow takes; `token/s` as `token per s`, since the charts of its UI
    make a section of what stands before a slash."""
    return FORBIDDEN.sub(".", head(name, unit.replace("*", ".").replace("^", "").replace("/", " per ")))


def number(value: float) -> float:
    """A number as it is logged."""
    return float(f"{value:.{DIGITS}g}")


def share(value: float) -> float:
    """A part of a whole, to a thousandth: the UI writes what is less with an exponent."""
    return round(float(value), 3)


def sized(unit: str, section: str = "metrics") -> tuple[float, str]:
    """The factor and the unit in which all answers of an SI unit are logged."""
    return readable(unit, OF_A_CHIP.get(section, {}).get(unit) or TYPICAL.get(unit, 1.0))


def answer_key(section: str, name: str, unit: str) -> str:
    """The key of an answer in its SI unit: metrics by their names, the rest in sections of their own."""
    return key(name if section == "metrics" else f"{section}/{name}", sized(unit, section)[1])


def answers(found: Mapping[str, Any], wanted: Sequence[str] = ()) -> dict[str, float]:
    """Metrics, headrooms, shares and what a pool or a draft does; `wanted`: metrics with their interval of nine in ten,
    where they have one."""
    return dict(_answers(found, wanted))


def _answers(found: Mapping[str, Any], wanted: Sequence[str]) -> Iterator[tuple[str, float]]:
    for section, kind in (SECTIONS | SOMETIMES).items():
        for name, unit in units(kind).items():
            value, (factor, label) = found.get(section, {}).get(name), sized(unit, section)
            if value is not None:
                yield (
                    answer_key(section, name, unit),
                    share(value) if section.endswith("shares") else number(value * factor),
                )
            bounds = found.get("bounds", {}).get(section, {}).get(name) or {}
            for side in SPREAD if section == "metrics" and name in wanted else ():
                if bounds.get(side) is not None:
                    yield key(f"spread/{name}.{side}", label), number(bounds[side] * factor)
    for name, chance in found.get("chance", {}).items():
        if chance is not None:
            yield key(f"chance/{name}"), share(chance)


def unknown(found: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Answers that this version has and the point lacks, and the other way round, as `section.name`."""
    known = {f"{section}.{name}" for section, kind in SECTIONS.items() for name in units(kind)}
    given = {f"{section}.{name}" for section in SECTIONS for name in found.get(section, {})}
    return sorted(known - given), sorted(given - known)


def mapping(found: Mapping[str, Any]) -> dict[str, Any]:
    """Degrees and places of every machine that the work is laid on, as parameters."""
    sections = [name for name in found if name == "mapping" or name.endswith("_mapping")]
    return {f"{section}.{name}": value for section in sections for name, value in found[section].items()}


def parameters(found: Mapping[str, Any], shown: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Parameters of a design as plain numbers and names; `shown`: the unit of each."""
    known = {name: value for name, value in found["parameters"].items() if value is not None}
    return {key(name, shown.get(name, {}).get("unit", "")): plain(value) for name, value in known.items()}


def plain(value: Any) -> Any:
    """A whole number without its point, any other in as many digits as are logged."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else number(value)


def chosen(choices: Mapping[str, str], command: str) -> dict[str, Any]:
    """Machine, model, formats and traffic, and what else was set on a command line: quantities as plain numbers."""
    found: dict[str, Any] = {group: choices[group] for group in GROUPS if choices.get(group)}
    for name, value in overrides(command):
        if name.split(".")[0].split("/")[0] not in ELSEWHERE and not name.startswith(("mapping.", "search", "spreads")):
            found |= dict([quantity(name, value)])
    return found


def overrides(command: str) -> Iterator[tuple[str, str]]:
    """Names and values that a command line sets."""
    try:
        words: Sequence[str] = shlex.split(command)[1:]
    except ValueError:
        return
    for word in words:
        name, equals, value = word.lstrip("+~").partition("=")
        if equals and not name.startswith("-"):
            yield name, value.strip("'\"")


def quantity(name: str, text: str) -> tuple[str, Any]:
    """Key and value of what was set: `1.2 GHz` and `900 MHz` both in GHz, numbers as numbers, the rest as it is."""
    written = re.fullmatch(r"\s*([-+.\deE]+)\s*([^\d\s+][^+]*?)?\s*(\+/-.*)?", text)
    if not written:
        return key(name), text
    try:
        if not written[2]:
            return key(name), plain(float(text))
        given = registry().Quantity(float(written[1]), written[2])
        unit = next((unit for unit in QUANTITIES if given.is_compatible_with(unit)), None)
        return (key(name, unit), plain(number(float(given.to(unit).magnitude)))) if unit else (key(name), text)
    except Exception:  # no number or no unit that is known: a text
        return key(name), text
