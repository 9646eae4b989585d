"""What a machine's cost and carbon are made of, by name."""

from __future__ import annotations

from typing import Any

import jax

from hw.system import System


def built(system: System) -> dict[str, dict[str, float]]:
    """USD of parts and engineering before any markup, and kg to make them, term by term: `chips.package.bumps`."""
    return {"cost_terms": named(system.cost_terms()), "carbon_terms": named(system.carbon_terms())}


def named(terms: Any) -> dict[str, float]:
    """Every leaf under its dotted name."""
    leaves = jax.tree_util.tree_flatten_with_path(terms)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="."): float(leaf) for path, leaf in leaves}


def largest_first(terms: dict[str, float]) -> list[tuple[str, float, float]]:
    """Name, size and share of each term that is not 0, the largest first."""
    whole = sum(terms.values()) or 1.0
    ordered = sorted(terms.items(), key=lambda item: -item[1])
    return [(name, size, size / whole) for name, size in ordered if size]
