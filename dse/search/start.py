"""Designs that a search evaluates first: named ones, or machines of the configurations, as near as the space goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dse.configuration.compose import picked
from dse.problem.archive import Question
from dse.problem.problem import Problem, composed
from dse.problem.space import Files, Interval, Parameter, Values, quantity_text
from dse.problem.template import leaf_index, parts
from dse.run.console import console
from dse.run.near import nearest
from hw.units import Rule

EXAMPLE = "[{hw.chip.engine.cores: 256}, hw=NAME]"


def checked_start(given: Any) -> list[Any]:
    """The entries of `search.start`; raises ValueError where they are no list of designs or overrides."""
    if given is None:
        return []
    if not isinstance(given, (list, tuple)):
        raise ValueError(f"search.start: {given!r} is no list; write designs and machines, such as {EXAMPLE}")
    for entry in given:
        words = [entry] if isinstance(entry, str) else entry
        if not isinstance(words, Mapping) and not (
            isinstance(words, (list, tuple)) and words and all("=" in str(word) for word in words)
        ):
            raise ValueError(f"search.start: {entry!r} is neither a design nor overrides; write such as {EXAMPLE}")
    return list(given)


def begun_from(problem: Question, start: Sequence[Any]) -> np.ndarray:
    """Canonical designs [designs, parameters] that the entries of `search.start` name.

    An entry is a design, `{key: value, …}` with keys of the space, or overrides that pick a machine, `hw=NAME` or a
    list of such words. Where a machine's value is not in the space, the nearest is taken, and that is said; what an
    entry leaves open is as in the composed machine.
    """
    entries = checked_start(start)
    base = composed(problem)
    own = _named(base, []) if base is not None and entries else {}
    designs = [_design(problem, entry, own) for entry in entries]
    width = len(problem.space.parameters)
    return problem.canonical(np.array(designs, dtype=float).reshape(len(designs), width))


def _design(problem: Question, entry: Any, own: Mapping[str, Any]) -> list[float]:
    keys = [parameter.key for parameter in problem.space.parameters]
    words = [entry] if isinstance(entry, str) else entry
    if isinstance(words, Mapping):
        for key in words:
            if key not in keys:
                raise ValueError(f"search.start: {key}: the space has no such parameter; {nearest(str(key), keys)}")
        values = words
    elif (base := composed(problem)) is not None:
        values = _named(base, [str(word) for word in words])
    else:
        raise ValueError(f"search.start: {entry!r}: this search composes no machines; name designs by their keys")
    return [_code(p, values.get(p.key, own.get(p.key)), entry) for p in problem.space.parameters]


def _named(problem: Problem, words: Sequence[str]) -> dict[str, Any]:
    """What the parameters of the space are in the machine of these overrides; those that it lacks are left out."""
    given = [word.partition("=")[0].lstrip("+~") for word in words]
    kept = [o for o in problem.overrides if not any(_under(o.partition("=")[0].lstrip("+~"), key) for key in given)]
    found, chosen = parts([*kept, *words]), picked([*kept, *words])
    values: dict[str, Any] = {}
    for parameter in problem.space.parameters:
        if isinstance(parameter, Files):
            values[parameter.key] = chosen.get(parameter.key)
        else:
            values |= _leaf(found.candidate, parameter.key)
    return {key: value for key, value in values.items() if value is not None}


def _leaf(candidate: Any, key: str) -> dict[str, float]:
    import jax

    try:
        return {key: float(jax.tree.leaves(candidate)[leaf_index(candidate, key)])}
    except KeyError:
        return {}


def _under(key: str, other: str) -> bool:
    """True where an override of `other` settles what one of `key` would."""
    return key == other or key.startswith((f"{other}.", f"{other}/"))


def _code(parameter: Parameter, value: Any, entry: Any) -> float:
    """The code nearest to a value."""
    if value is None:
        return parameter.rest
    if isinstance(parameter, Files):
        return _file(parameter, str(value), entry)
    number = _number(parameter, value) if isinstance(entry, Mapping) and parameter.key in entry else float(value)
    if isinstance(parameter, Interval):
        taken = code = float(np.clip(round(number) if parameter.whole else number, parameter.low, parameter.high))
    else:
        code = float(np.abs(np.array(parameter.numbers) - number).argmin())
        taken = parameter.number(code)
    if not np.isclose(taken, number, rtol=1e-6):
        _say(entry, parameter.key, quantity_text(number, parameter.unit), quantity_text(taken, parameter.unit))
    return code


def _number(parameter: Values | Interval, value: Any) -> float:
    try:
        return Rule(parameter.unit).read(value)
    except ValueError as error:
        raise ValueError(f"search.start: {parameter.key}: {error}") from None


def _file(parameter: Files, name: str, entry: Any) -> float:
    if name in parameter.options:
        return float(parameter.options.index(name))
    if isinstance(entry, Mapping) and parameter.key in entry:
        raise ValueError(
            f"search.start: {parameter.key}: {name!r} is not in the space; {nearest(name, parameter.options)}"
        )
    _say(entry, parameter.key, name, parameter.options[0])
    return 0.0


def _say(entry: Any, key: str, value: str, taken: str) -> None:
    words = entry if isinstance(entry, (str, Mapping)) else " ".join(map(str, entry))
    console.print(f"search.start: {words}: {key}={value} is not in the space; {taken} is taken")
