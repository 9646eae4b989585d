"""What a machine costs to build, term by term; every sum of terms is a cost.

Source of the forms: Feng and Ma, Chiplet Actuary, DAC 2022, arXiv 2203.12268.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax


class PackageCost(NamedTuple):
    """USD of one die's share of its package.

    substrate : the organic laminate; carrier, carrier_defects : an interposer or a fan-out's wiring, raw, and what
    its own defects add; bumps : solder and micro bumps; bonding_loss : good dies, carriers and laminates that are
    thrown away with a bad bond.
    """

    substrate: Any
    carrier: Any
    carrier_defects: Any
    bumps: Any
    assembly: Any
    test: Any
    bonding_loss: Any


class ChipCost(NamedTuple):
    """USD of one chip with its memories and its share of a package.

    die, die_defects : of a raw die, and what the dies beside it that do not work add: a known good die is both;
    memory : by tier, as bought; stacking : bonding memory onto the die; stacking_loss : what a bad bond, or a bad
    layer that nobody tested, takes with it.
    """

    die: Any
    die_defects: Any
    memory: dict[str, Any]
    stacking: Any
    stacking_loss: Any
    package: PackageCost


class LevelCost(NamedTuple):
    """USD of one level over the whole system: what holds its parts (board, host, rack) and what joins them (bridge,
    adapter, share of a switch)."""

    holding: Any
    joining: Any


class SystemCost(NamedTuple):
    """USD of a system: all its chips, its levels by name, and its share of the chip's engineering."""

    chips: ChipCost
    levels: dict[str, LevelCost]
    engineering: Any


class CostGroups(NamedTuple):
    """USD by what is bought: compute dies; memory with its bonding; packages; boards, hosts and network; the share of
    the chip's engineering."""

    silicon: Any
    memory: Any
    package: Any
    system: Any
    engineering: Any


def total(terms: Any) -> Any:
    """The sum of all terms."""
    return sum(jax.tree.leaves(terms))


def times(terms: Any, count: Any) -> Any:
    """The terms of `count` such things."""
    return jax.tree.map(lambda term: term * count, terms)


def groups(terms: SystemCost) -> CostGroups:
    """USD by group; their sum is that of the terms."""
    chips = terms.chips
    return CostGroups(
        silicon=chips.die + chips.die_defects,
        memory=total(chips.memory) + chips.stacking + chips.stacking_loss,
        package=total(chips.package),
        system=total(terms.levels),
        engineering=terms.engineering,
    )
