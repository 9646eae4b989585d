"""A space in Hydra's override grammar -> the space of the configuration, as one override of a plain search."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    OverrideType,
    Quote,
    QuotedString,
    RangeSweep,
    Sweep,
)

from dse.configuration.compose import compose, plain
from dse.configuration.schema import target
from dse.problem.commands import head
from dse.problem.problem import rule_of
from dse.problem.space import files, is_file_key, quantity_text, read_space
from dse.problem.template import Template, template
from dse.run.console import console
from dse.run.keys import SECTIONS, SOMETIMES
from dse.run.near import nearest
from dse.search.enumerate import Enumeration
from hw.units import Rule

SEARCHES = "dse.tasks.explore"
ENDLESS = "search=optuna"  # in place of an enumeration, where the space has an interval
LOG, WHOLE = "log", "int"  # tags; any other is a unit
WORD = re.compile(r"(?!(null|true|false|nan|inf)$)[a-z]\w*", re.IGNORECASE)  # what needs no quotes
KEPT = "hydra/sweeper=dse"


def overrides_of_job(arguments: Sequence[str], params: Mapping[str, str], loader: ConfigLoader) -> list[str]:
    """The overrides of the one search that stands for a sweep: the task's as they are given, and its whole space.

    params : key -> what an override says after its `=`; an argument of the same key wins.
    """
    parser = OverridesParser.create(config_loader=loader)
    given = parser.parse_overrides(list(arguments))
    written = {override.get_key_element() for override in given}
    beside = parser.parse_overrides([f"{key}={value}" for key, value in params.items() if key not in written])
    overrides = [*beside, *given]
    words = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
    swept = [override for override in overrides if override.is_sweep_override()]
    for override in swept:
        refuse_key(override, loader)
    config = plain(compose(words))
    refuse_task(config)
    if not swept:
        return words
    before = read_space(config["space"])
    space = dict(before) | space_of(swept, words, before, loader)
    searched = [] if any(o.get_key_element() == "search" for o in overrides) else search_of(config, space)
    kept = [word for word in words if head(word) != "space"]  # it is all in what follows
    return [*kept, *searched, "space=none", f"++space={written_out(space)}"]


def placed_in(folder: Any) -> list[str]:
    """The overrides that put a launcher's job into a folder itself, not into one beneath it."""
    return [f"hydra.sweep.dir={QuotedString(str(folder), Quote.single).with_quotes()}", "hydra.sweep.subdir=."]


def refuse_task(config: Mapping[str, Any]) -> None:
    """Raise ValueError where the task is no search."""
    name = str(config["task"]["_target_"])
    if name != SEARCHES:
        raise ValueError(
            f"{KEPT}: it searches, with task=explore, but the task is {name.rpartition('.')[2]!r}; "
            f"write task=explore, or leave {KEPT} out: dse -m then runs one job for each combination"
        )


def refuse_key(override: Override, loader: ConfigLoader) -> None:
    """Raise ValueError where a sweep is over something that no space can vary."""
    key = override.get_key_element()
    place, section = f"space: {key}", override.key_or_group.split("/")[0].split(".")[0]
    if override.type is not OverrideType.CHANGE:
        bare = key.lstrip("+~")
        raise ValueError(f"{place}: a space varies what is there; give it a value first, +{bare}=…, and sweep {bare}")
    if section not in (*SECTIONS, *SOMETIMES):
        raise ValueError(
            f"{place}: a space varies {', '.join(SECTIONS)}, {' and '.join(SOMETIMES)}, and {section!r} is none of "
            f"them; write one value, quoted if it has a comma, or leave {KEPT} out: dse -m then runs one job for each"
        )
    if not is_file_key(key):
        return
    group = override.key_or_group
    if not loader.get_group_options(group):
        known = loader.list_groups(group.rpartition("/")[0])
        parent = f"{group.rpartition('/')[0]}/" if "/" in group else ""
        raise ValueError(f"{place}: there is no group {group!r}; {nearest(group, [parent + one for one in known])}")


def space_of(
    swept: Sequence[Override], words: Sequence[str], given: Mapping[str, Any], loader: ConfigLoader
) -> dict[str, Any]:
    """What is swept as entries of a space, with units; `given` are the entries that they join."""
    entries: dict[str, Any] = {}
    for override in swept:
        key = override.get_key_element()
        if is_file_key(key):
            entries[key] = names(key, override)
    beside = {key: value for key, value in given.items() if is_file_key(key)} | entries
    chosen = [files(key, value) for key, value in beside.items()]
    first: Template | None = None
    for override in swept:
        key = override.get_key_element()
        if not is_file_key(key):
            first = first or template([*words, *(f"{one.key}={one.options[0]}" for one in chosen)])
            entries[key] = numbers(key, swept_value(override), rule_of(key, chosen, first))
    return entries


def swept_value(override: Override) -> Sweep:
    """The choice, range or interval that an override sweeps."""
    value = override.value()
    if isinstance(value, Sweep):
        return value
    raise ValueError(f"space: {override.get_key_element()}: glob(…) names files, not numbers; write choice(1, 2)")


def names(key: str, override: Override) -> list[str]:
    """The names of files that an override chooses among."""
    value = override.value()
    if isinstance(value, (RangeSweep, IntervalSweep)):
        raise ValueError(f"space: {key}: files have no order; name them, such as {key}=choice(a, b), or {key}=glob(*)")
    given = value.list if isinstance(value, ChoiceSweep) else list(override.sweep_iterator())
    if not given:
        raise ValueError(f"space: {key}: no file fits {override.get_value_string()}; {key}=glob(*) takes all")
    return ["null" if (name := _text(one)) is None else str(name) for one in given]


def _text(value: Any) -> Any:
    return value.text if isinstance(value, QuotedString) else value


def numbers(key: str, sweep: Sweep, rule: Rule) -> Any:
    """A sweep over a quantity as an entry of a space. Plain numbers are in the unit that a tag names, or else in the
    field's own."""
    unit = _unit(key, sweep)

    def sized(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return value
        if unit:
            return f"{value:.12g} {unit}"
        return quantity_text(value, rule.unit) if rule.unit else value

    if isinstance(sweep, ChoiceSweep):
        _refuse_tags(key, sweep, LOG, WHOLE)
        return [sized(_text(value)) for value in sweep.list]
    if isinstance(sweep, RangeSweep):
        _refuse_tags(key, sweep, LOG)
        low, high, step = _ends(key, sweep)
        return {"low": sized(low), "high": sized(high), "step": sized(step)}
    assert isinstance(sweep, IntervalSweep)
    log, whole = LOG in sweep.tags, WHOLE in sweep.tags or isinstance(sweep.start, int)
    if log and whole and not rule.whole:
        raise ValueError(f"space: {key}: no whole numbers by their logarithm here; leave out {LOG} or {WHOLE}")
    kind = {"log": True} if log else {"step": sized(1)} if whole else {}
    return {"low": sized(sweep.start), "high": sized(sweep.end)} | kind


def _unit(key: str, sweep: Sweep) -> str:
    """The unit that a sweep is tagged with, empty without one."""
    units = sorted(sweep.tags - {LOG, WHOLE})
    if len(units) > 1:
        raise ValueError(f"space: {key}: {' and '.join(map(repr, units))} cannot both be its unit; name one")
    return units[0] if units else ""


def _refuse_tags(key: str, sweep: Sweep, *tags: str) -> None:
    for tag in tags:
        if tag in sweep.tags:
            raise ValueError(f"space: {key}: the tag {tag!r} is for an interval, such as tag({tag}, interval(1, 8))")


def _ends(key: str, sweep: RangeSweep) -> tuple[float, float, float]:
    """Least, most and step of a range, whose stop is no part of it."""
    start, stop, step = (float(end or 0.0) for end in (sweep.start, sweep.stop, sweep.step))
    count = math.ceil((stop - start) / step * (1 - 1e-12)) if step else 0
    if count < 1:
        raise ValueError(
            f"space: {key}: range({start:g}, {stop:g}, {step:g}) is empty; it goes from its start in steps, and ends "
            "before its stop"
        )
    last = start + (count - 1) * step
    return min(start, last), max(start, last), abs(step)


def search_of(config: Mapping[str, Any], space: Mapping[str, Any]) -> list[str]:
    """The override that replaces an enumeration where it would have no end."""
    if not issubclass(target(config["search"], "search", str), Enumeration):
        return []
    endless = [key for key, entry in space.items() if isinstance(entry, Mapping) and _has_no_end(entry)]
    if endless:
        console.print(f"{endless[0]} is an interval, which cannot be enumerated: {ENDLESS}")
    return [ENDLESS] if endless else []


def _has_no_end(entry: Mapping[str, Any]) -> bool:
    return entry.get("step") is None and entry.get("count") is None


def written_out(value: Any) -> str:
    """A space, or a part of one, as the value of an override."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{written_out(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written_out, value)) + "]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    return value if WORD.fullmatch(value) else QuotedString(value, Quote.single).with_quotes()
