"""task=check: does a machine of one's own keep the rules that the shipped ones keep?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dse.configuration.compose import Origin
from dse.configuration.provenance import assumptions, explained
from dse.configuration.spreads import leaf_paths
from dse.evaluation.batches import QUICK
from dse.evaluation.evaluate import Candidate, evaluate, is_legal
from dse.evaluation.figures import Figure, accepted, figures
from dse.evaluation.grids import grids, own_fanouts
from dse.evaluation.mapping import Grid, Wanted, complete
from dse.evaluation.metrics import Mapping as Laid
from dse.evaluation.step import in_loops
from dse.machine.describe import number_pairs, refused, unsettled
from dse.problem.session import Session, about
from dse.problem.template import Template, parts
from dse.run.answers import LEFT
from dse.run.console import table
from dse.run.outcome import AnsweredError, ended
from dse.run.precision import arrays
from dse.run.store import write_json

FEWEST_WORDS = 2  # of a reason that still says where to look
MOST = 4  # offenders named in a row
ROUNDING = 1e-9  # of a token's time: sums of a thousand terms may round otherwise, and slopes of two ways may cancel
# Ends of fields that help when they grow, and of fields that help when they shrink, where no limit of heat ties them.
FASTER = (
    "engine.cores", "engine.frequency", "engine.fill_width", "vector.rate", "bandwidth", "memory.sram.width",
    "memory.stack.pad_rate", "memory.stack.bank_width", "sustained_fraction", "reduction_fraction",
)  # fmt: skip
SLOWER = ("latency", "engine.overhead", "runtime.step_time", "runtime.layer_time", "launch", "protocols.kernel.step")
COOL = {".power_limit": 1e12, ".thermal_resistance": 0.0, ".layer_resistance": 0.0}  # limits that tie parts together


class Checked(NamedTuple):
    """A rule, what breaks it, and whether that is an error or only worth a look."""

    rule: str
    broken: list[str]
    grave: bool = True

    @property
    def verdict(self) -> str:
        return "kept" if not self.broken else "broken" if self.grave else "look"


def run(session: Session) -> None:
    """Check, print a table, write check.json; ValueError where a rule is broken."""
    found = parts(session.overrides)
    rows = [*written(found), *asked(found), *moved(found, session.wanted)]
    tell(session, rows)


def tell(session: Session, rows: Sequence[Checked]) -> None:
    """Write down and say which rules are kept; ValueError where one is not."""
    table("rules", ["rule", "", "where"], [[row.rule, row.verdict, in_words(row.broken)] for row in rows])
    session.folder.mkdir(parents=True, exist_ok=True)
    files, told = LEFT["check"].files(session.folder), [row._asdict() | {"verdict": row.verdict} for row in rows]
    content = {"rules": told} | about(session)
    write_json(files[0], content)
    broken = [row.rule for row in rows if row.verdict == "broken"]
    words = f"hw: {len(broken)} of {len(rows)} rules are broken: {'; '.join(broken)}" if broken else ""
    ended("check", content, files, error=words)
    if broken:
        raise AnsweredError(words)


def in_words(broken: Sequence[str]) -> str:
    """The first offenders, and how many there are besides."""
    more = f" and {len(broken) - MOST} more" if len(broken) > MOST else ""
    return ", ".join(broken[:MOST]) + more


def written(found: Template) -> Iterator[Checked]:
    """The rules about what a file says; units and limits were kept, or it would not have been read."""
    rows = assumptions("", found.config, Origin(found.overrides))
    bare = [row["path"] for row in rows if row["kind"] == "unsourced"]
    yield Checked("every number has a source", bare)
    vague = [row["path"] for row in rows if row["source"] and not sound(row["source"])]
    yield Checked("sources are known, or say in words how or why", vague)
    yield Checked("sources are of numbers that are there", list(idle(found.config["hw"], "hw")))
    given = [row["path"] for row in rows if row["kind"] == "given"]
    yield Checked("nothing is set on the command line without a source", given, grave=False)


def sound(source: str) -> bool:
    """Whether a source is a known key, or a reason of some words."""
    kind, words = explained(source)
    return kind not in ("unknown", "derived", "assumed") or (kind != "unknown" and len(words.split()) >= FEWEST_WORDS)


def idle(node: Mapping[str, Any], path: str) -> Iterator[str]:
    """Sources below a node whose numbers it does not have."""
    yield from (f"{path}.{name}" for name in node.get("sources") or {} if name not in node)
    for name, inner in node.items():
        if isinstance(inner, Mapping) and name not in ("sources", "conflicts"):
            yield from idle(inner, f"{path}.{name}")


def asked(found: Template) -> Iterator[Checked]:
    """The rules about what a machine comes to, before any work."""
    system, formats = found.candidate.hw, found.candidate.format
    yield Checked("the engine takes the number formats", refused(found))
    own = {"own": (formats.weights, formats.activations)}
    told = dict(walk(figures(system, formats, accepted(system, own))))
    wrong = [path for path, value in told.items() if not (math.isfinite(value) and value >= 0)]
    yield Checked("figures are finite and none is negative", wrong)
    taken = list(accepted(system, number_pairs()))
    yield Checked("some number format is taken", [] if taken else ["hw.chip.engine"])
    yield Checked("at full load no limit of heat is passed", unsettled(found), grave=False)
    yield Checked("nothing is far from what was published", list(found.cautions), grave=False)


def walk(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """Every figure below a node, with its path."""
    for name, inner in node.items():
        here = f"{path}.{name}" if path else name
        if isinstance(inner, Figure):
            yield here, float(inner.value)
        else:
            yield from walk(inner, here)


def moved(found: Template, wanted: Wanted) -> Iterator[Checked]:
    """The rules about answers and their slopes, under the legal mapping that spreads a token widest."""
    if refused(found):
        return
    laid = widest(found.candidate, wanted)
    names = leaf_paths(found.candidate)
    leaves = np.array(jax.tree.leaves(found.candidate), dtype=float)
    values, slopes = answers(found.candidate, leaves, laid)
    yield Checked("answers are finite", [name for name, value in values.items() if not np.isfinite(value)])
    endless = {names[i] for row in slopes.values() for i in np.flatnonzero(~np.isfinite(row))}
    yield Checked("slopes are finite", sorted(endless))
    values, slopes = answers(found.candidate, cool(names, leaves), laid)
    times = {name: (float(values[name]), slopes[name]) for name in values if "time_" in name}
    late = [f"{key} ({name})" for name, (value, row) in times.items() for key in later(names, leaves, value, row)]
    yield Checked("a better part never makes a token come later", late)


def cool(names: Sequence[str], leaves: np.ndarray) -> np.ndarray:
    """The leaves without the limits at which more of one part leaves less power for another."""
    ends = [next((value for end, value in COOL.items() if name.endswith(end)), None) for name in names]
    return np.array([leaf if end is None else end for leaf, end in zip(leaves, ends, strict=True)])


def later(names: Sequence[str], leaves: np.ndarray, time: float, slopes: np.ndarray) -> list[str]:
    """Numbers of the machine whose improvement makes a time longer."""
    found = []
    for name, leaf, slope in zip(names, leaves, slopes, strict=True):
        helps = name.endswith(FASTER)
        if not name.startswith("hw.") or not (helps or name.endswith(SLOWER)):
            continue
        rounding = ROUNDING * time / (leaf or time)
        if (slope if helps else -slope) > rounding:
            found.append(name)
    return found


def widest(candidate: Candidate, wanted: Wanted) -> Laid:
    """A legal mapping: of those that could tile the machine, the one with most devices a token."""
    own = jax.tree.map(np.asarray, grids([candidate], own_fanouts(candidate), wanted).own)
    for row in np.argsort(-own.tensor * own.attention_data, kind="stable"):
        choice = Grid(*(float(column[row]) for column in own))
        laid = complete(candidate, wanted, choice)
        if bool(is_legal(candidate, laid)):
            return laid
    raise ValueError("mapping: no degrees tile this machine and this model; choose another model=…, or other fan-outs")


def answers(candidate: Candidate, leaves: np.ndarray, laid: Laid) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """All metrics and headrooms under a mapping, and their slopes along every leaf."""
    program = _program(jax.tree.structure(candidate))
    values, slopes = jax.device_get(program(jnp.asarray(leaves), arrays(laid)))
    return values, slopes


_programs: dict[Any, Any] = {}


def _program(shape: Any) -> Any:
    """Compiled once a structure."""

    def of(vector: Any, laid: Laid) -> dict[str, Any]:
        with in_loops():
            found = evaluate(jax.tree.unflatten(shape, list(vector)), laid)
        return {name: value for part in (found.metrics, found.headroom) for name, value in vars(part).items()}

    def both(vector: Any, laid: Laid) -> Any:
        def along(direction: Any) -> Any:
            return jax.jvp(lambda moved: of(moved, laid), (vector,), (direction,))

        return jax.vmap(along, out_axes=(None, -1))(jnp.eye(len(vector)))

    if shape not in _programs:
        _programs[shape] = jax.jit(both, compiler_options=QUICK)
    return _programs[shape]
