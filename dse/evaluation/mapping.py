"""Mappings: the grid of those that may be legal, and the best of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dse.evaluation.evaluate import Candidate, evaluate
from dse.evaluation.goodput import with_goodput
from dse.evaluation.metrics import Answer, Mapping, more_is_better
from dse.evaluation.steady import Ready
from dse.run.near import nearest
from hw.system import System
from models.counts import ceil

GOODPUT = ("goodput", "goodput_users")
DEGREES = ("tensor", "sequence", "attention_data", "expert", "pipeline", "data")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a mapping must be, 0 or none where it is free, and the metric that picks the best of the free ones.

    stages_inside : whether neighbouring devices are stages of a pipeline, not a stage's tensor group; none for both;
    prefill : what the mapping of a pool that fills prompts must be.
    """

    objective: str
    tensor: int = 0
    sequence: int = 0
    attention_data: int = 0
    expert: int = 0
    pipeline: int = 0
    data: int = 0
    batch: int = 0
    stages_inside: bool | None = False
    weights: str | None = None
    cache: str | None = None
    prefill: Wanted | None = None


class Shape(NamedTuple):
    """What of a model limits its mappings, the most of all models that share a grid."""

    layers: int
    cache_heads: tuple[int, ...]
    experts: int


class Grid(NamedTuple):
    """Degrees and placements, each [mappings]; batch and data follow for each candidate from its users and size."""

    tensor: Any
    sequence: Any
    attention_data: Any
    expert: Any
    pipeline: Any
    stages_inside: Any
    weights: Any
    cache: Any

    @property
    def size(self) -> int:
        """How many mappings there are."""
        return len(self.tensor)


def degrees(fanouts: Sequence[int]) -> set[int]:
    """Sizes of groups that fill levels from the inside, the last one partly."""
    sizes, inside = {1}, 1
    for fanout in fanouts:
        sizes |= {inside * n for n in range(1, fanout + 1) if fanout % n == 0}
        inside *= fanout
    return sizes


def shape_of(candidates: Iterable[Candidate]) -> Shape:
    """The shape that covers all these candidates' models."""
    models = [candidate.model for candidate in candidates]
    heads = {int(block.mixer.cache_heads) for model in models for block in model.blocks.values()}
    layers, experts = max(int(model.layers) for model in models), max(int(model.experts) for model in models)
    return Shape(layers, tuple(sorted(heads)), experts)


def grid(machines: Iterable[Sequence[int]], shape: Shape, tiers: Sequence[str], wanted: Wanted) -> Grid:
    """All degrees that could tile one of the machines, times all placements."""
    cuts: set[tuple[int, ...]] = set()
    for fanouts in set(map(tuple, machines)):
        sizes, chips = degrees(fanouts), int(np.prod(fanouts))
        ratios = {b // a for a in sizes for b in sizes if b % a == 0}
        for tensor in _kept(sizes, wanted.tensor):
            cuts |= set(_cuts(tensor, sizes, ratios, chips, shape, wanted))
    places = list(itertools.product(_tiers(tiers, wanted.weights), _tiers(tiers, wanted.cache)))
    rows = [(*cut, *place) for cut in sorted(cuts) for place in places]
    columns = np.array(rows, dtype=float).reshape(-1, len(Grid._fields)).T
    return Grid(*columns)


def _cuts(
    tensor: int, sizes: set[int], ratios: set[int], chips: int, shape: Shape, wanted: Wanted
) -> Iterable[tuple[int, ...]]:
    """Degrees beside this tensor degree; contexts are cut where heads do not suffice, or heads held twice."""
    sequences = {1} | {max(1, tensor // heads) for heads in shape.cache_heads}
    for sequence in _kept(sequences, wanted.sequence, tensor):
        for shared in _kept(ratios if shape.experts else {1}, wanted.attention_data):
            devices = tensor * shared
            if devices > chips or devices not in sizes:
                continue
            spread = {n for n in ratios if devices % n == 0 and n <= shape.experts} | {1}
            for expert in _kept(spread, wanted.expert, devices):
                for stages in _kept({n for n in ratios if devices * n <= chips and n <= shape.layers}, wanted.pipeline):
                    for inside in _orders(wanted.stages_inside, devices, stages):
                        yield (tensor, sequence, shared, expert, stages, inside)


def _kept(options: set[int], wanted: int, whole: int = 0) -> list[int]:
    """The wanted one alone, where it is an option or divides the whole; all options where none is wanted."""
    if not wanted:
        return sorted(options)
    return [wanted] if wanted in options or (whole and whole % wanted == 0) else []


def _orders(wanted: bool | None, devices: int, stages: int) -> list[int]:
    """Whether stages are neighbours; where there is one stage or one device it makes no difference."""
    if devices == 1 or stages == 1:
        return [int(bool(wanted))]
    return [0, 1] if wanted is None else [int(wanted)]


def _tiers(tiers: Sequence[str], wanted: str | None) -> list[int]:
    return list(range(len(tiers))) if wanted is None else [list(tiers).index(wanted)]


def refuse_places(tiers: Sequence[str], wanted: Wanted, where: str = "mapping") -> None:
    """Raise ValueError where a tier is wanted that the chip does not have."""
    for name in ("weights", "cache"):
        place = getattr(wanted, name)
        if place is not None and place not in tiers:
            raise ValueError(f"{where}.{name}: this chip has no tier {place!r}; {nearest(place, tiers)}")


def no_mapping(candidate: Candidate, wanted: Wanted, where: str = "mapping") -> str:
    """Why a wanted mapping is not legal, and what would be."""
    fanouts = {name: int(level.fanout) for name, level in candidate.hw.levels.items()}
    levels = " x ".join(f"{n} {name}" for name, n in fanouts.items()) or "one"
    asked = " ".join(f"{where}.{name}={given}" for name in DEGREES if (given := getattr(wanted, name)))
    words = refusals(list(fanouts.values()), shape_of([candidate]), wanted)
    together = "these degrees together do not tile the machine and the model; leave one of them auto"
    return f"{asked}: does not fit {int(candidate.hw.chips())} chips ({levels}): {'; '.join(words) or together}"


def refusals(fanouts: Sequence[int], shape: Shape, wanted: Wanted) -> list[str]:
    """Which degrees cannot be, whatever the others are, in words."""
    sizes, chips = sorted(degrees(fanouts)), int(np.prod(fanouts))
    stage, words = (wanted.tensor or 1) * (wanted.attention_data or 1), []
    if wanted.tensor and wanted.tensor not in sizes:
        words.append(f"tensor={wanted.tensor} does not fill levels from the inside, write one of {sizes}")
    elif stage not in sizes:
        words.append(f"tensor x attention_data = {stage} does not fill levels from the inside, as {sizes} do")
    if wanted.sequence and wanted.tensor and wanted.tensor % wanted.sequence:
        words.append(f"sequence={wanted.sequence} does not divide tensor={wanted.tensor}")
    over = (wanted.tensor or 1) // (wanted.sequence or 1)
    if wanted.tensor and wanted.sequence and not any(h % over == 0 or over % h == 0 for h in shape.cache_heads):
        heads = " or ".join(map(str, shape.cache_heads))
        words.append(f"tensor / sequence = {over} neither divides {heads} key-value heads nor is a multiple of them")
    if max(wanted.expert, wanted.attention_data) > 1 and not shape.experts:
        words.append("expert and attention_data are for models with experts, and this one has none; write 1 or auto")
    elif wanted.expert > 1 and (shape.experts % wanted.expert or wanted.expert > chips):
        words.append(
            f"expert={wanted.expert}: {shape.experts} experts a layer and {chips} chips cannot be cut into so many "
            "equal sets; it must divide the experts and tensor x attention_data, write one of "
            f"{[n for n in sizes if shape.experts % n == 0]}"
        )
    elif wanted.expert > 1 and wanted.tensor and wanted.attention_data and stage % wanted.expert:
        words.append(f"expert={wanted.expert} does not divide tensor x attention_data = {stage}")
    if wanted.pipeline > shape.layers:
        words.append(f"pipeline={wanted.pipeline} is more than {shape.layers} layers")
    replica = stage * (wanted.pipeline or 1) * (wanted.data or 1)
    if replica > chips:
        words.append(f"tensor x attention_data x pipeline x data = {replica} is more than {chips} chips")
    return words


def complete(candidate: Candidate, wanted: Wanted, choice: Grid) -> Mapping:
    """The mapping of these degrees: as many replicas as fit, the users spread evenly over them."""
    return laid(candidate.hw, choice, wanted, candidate.serving.users)


def laid(system: System, choice: Grid, wanted: Wanted, users: Any) -> Mapping:
    """The mapping of these degrees onto a machine: as many replicas as fit, the users spread evenly over them."""
    devices = choice.tensor * choice.attention_data * choice.pipeline
    data = wanted.data if wanted.data else jnp.maximum(system.replicas(devices), 1)
    batch = wanted.batch if wanted.batch else ceil(users / data)
    users = batch * data if wanted.batch else users
    return Mapping(**(choice._asdict() | {"data": data, "batch": batch, "users": users}))


def best(candidate: Candidate, choices: Grid, wanted: Wanted, ready: Ready) -> Answer:
    """The answer under the best mapping of the grid, with its goodput."""
    found = picked(candidate, choices, wanted, ready)
    return found if wanted.objective in GOODPUT else with_goodput(candidate, found, ready)


def picked(candidate: Candidate, choices: Grid, wanted: Wanted, ready: Ready) -> Answer:
    """The answer under the best mapping of the grid.

    Of the legal ones those that miss the fewest bytes, of these those least late, of these the best by the objective,
    of equals the first in the grid; where goodput is the objective, it comes before both. Goodput is searched for
    where mappings are compared by it.
    """
    compared = wanted.objective in GOODPUT

    def tried(choice: Grid) -> Answer:
        found = evaluate(candidate, complete(candidate, wanted, choice), ready)
        return with_goodput(candidate, found, ready) if compared else found

    answers = jax.vmap(tried)(choices)
    chosen = first_by(keys(answers, wanted))
    return jax.tree.map(lambda column: column[chosen], answers)


def keys(answers: Answer, wanted: Wanted) -> tuple[Any, ...]:
    """What mappings are ordered by, the least first, each [mappings]."""
    sign = -1.0 if more_is_better(wanted.objective) else 1.0
    illegal = jnp.where(answers.legal, 0.0, 1.0)
    limits = jnp.maximum(0.0, -answers.headroom.memory), jnp.maximum(0.0, -answers.headroom.latency)
    wished = sign * getattr(answers.metrics, wanted.objective)
    return (illegal, wished, *limits) if wanted.objective in GOODPUT else (illegal, *limits, wished)


def first_by(keys: Sequence[Any]) -> Any:
    """The index of the smallest by the first key, ties by the next, and so on; keys [choices]."""
    left = jnp.zeros_like(keys[0])
    for key in keys[:-1]:
        masked = jnp.where(jnp.isfinite(left), key, jnp.inf)
        left = jnp.where(masked <= jnp.min(masked), 0.0, jnp.inf)
    return jnp.argmin(jnp.where(jnp.isfinite(left), keys[-1], jnp.inf))
