"""The grids of mappings that a candidate's machines try."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

from dse.evaluation.evaluate import Candidate
from dse.evaluation.mapping import Grid, Wanted, grid, no_mapping, refuse_places, shape_of

Fanouts = Callable[[str], Iterable[Sequence[int]]]


class Grids(NamedTuple):
    """The mappings that are tried: of the machine that decodes, of a pool that fills prompts, of a draft's own."""

    own: Grid
    prefill: Grid | None = None
    draft: Grid | None = None

    @property
    def size(self) -> int:
        """How many mappings of the machine that decodes there are."""
        return self.own.size


def seen_from(candidate: Candidate, name: str) -> Candidate | None:
    """The machine and the model of a section by themselves; none where the candidate has no such section."""
    if name == "prefill" and candidate.prefill is not None:
        return replace(candidate, hw=candidate.prefill.hw, prefill=None, draft=None)
    if name == "draft" and candidate.draft is not None and candidate.draft.hw is not None:
        return replace(candidate, hw=candidate.draft.hw, model=candidate.draft.model, prefill=None, draft=None)
    return None if name else candidate


def wanted_of(wanted: Wanted, name: str) -> Wanted:
    """What the mappings of a section's machine must be; a draft's machine has no pipeline."""
    if name == "prefill":
        return wanted.prefill or Wanted("")
    return Wanted("", pipeline=1) if name == "draft" else wanted


def place(name: str, of: str) -> str:
    """The path of what belongs to a section, or to none."""
    return f"{name}.{of}" if name else of


def grids(alike: Sequence[Candidate], fanouts: Fanouts, wanted: Wanted) -> Grids:
    """The grids of candidates of one structure; `fanouts` says which a section's machines may have. ValueError where
    there is no mapping to try."""
    return Grids(*(_grid(alike, fanouts, wanted, name) for name in ("", "prefill", "draft")))  # type: ignore[arg-type]


def _grid(alike: Sequence[Candidate], fanouts: Fanouts, wanted: Wanted, name: str) -> Grid | None:
    seen = [found for candidate in alike if (found := seen_from(candidate, name)) is not None]
    if not seen:
        return None
    wish, tiers = wanted_of(wanted, name), list(seen[0].hw.chip.memory)
    where = f"mapping.{name}" if name else "mapping"
    refuse_places(tiers, wish, where)
    choices = grid(fanouts(name), shape_of(seen), tiers, wish)
    if not choices.size:
        raise ValueError(no_mapping(seen[0], wish, where))
    return jax.tree.map(jnp.asarray, choices)


def own_fanouts(candidate: Candidate) -> Fanouts:
    """The fan-outs that a candidate's machines have."""

    def of(name: str) -> list[list[int]]:
        seen = seen_from(candidate, name)
        return [] if seen is None else [[int(fanout) for fanout in seen.hw.fanouts]]

    return of
