"""What a machine's cost and carbon are made of, by name."""

from __future__ import annotations

from typing import Any

import jax

from dse.evaluation.evaluate import Candidate
from dse.evaluation.owned import ENDS
from hw.link import Link
from hw.system import System


def built(system: System) -> dict[str, dict[str, float]]:
    """USD of parts and engineering before any markup, and kg to make them, term by term: `chips.package.bumps`."""
    return {"cost_terms": named(system.cost_terms()), "carbon_terms": named(system.carbon_terms())}


def all_built(candidate: Candidate) -> dict[str, dict[str, float]]:
    """The same of all machines, those beside the one that decodes under the name of their section."""
    found = built(candidate.hw)
    for section, system, count, link in beside(candidate):
        for kind, terms in built(system).items():
            found[kind] |= {f"{section}.{name}": count * size for name, size in terms.items()}
        found["cost_terms"][f"{section}.link"] = count * ENDS * float(link.part_cost)
    return found


def beside(candidate: Candidate) -> list[tuple[str, System, float, Link]]:
    """Machines beside the one that decodes: section, one of them, how many, the link of each."""
    found = []
    if candidate.prefill is not None:
        pool = candidate.prefill
        found.append(("prefill", pool.hw, float(pool.machines), pool.link))
    if candidate.draft is not None and candidate.draft.hw is not None and candidate.draft.link is not None:
        found.append(("draft", candidate.draft.hw, 1.0, candidate.draft.link))
    return found


def named(terms: Any) -> dict[str, float]:
    """Every leaf under its dotted name."""
    leaves = jax.tree_util.tree_flatten_with_path(terms)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="."): float(leaf) for path, leaf in leaves}


def largest_first(terms: dict[str, float]) -> list[tuple[str, float, float]]:
    """Name, size and share of each term that is not 0, the largest first."""
    whole = sum(terms.values()) or 1.0
    ordered = sorted(terms.items(), key=lambda item: -item[1])
    return [(name, size, size / whole) for name, size in ordered if size]
