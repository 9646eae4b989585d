"""What it emits to make a machine, term by term: kg of carbon dioxide and what warms like it.

Source of the form: Gupta et al., ACT, ISCA 2022: area over yield times (energy of the fab times its grid's intensity,
gases, materials), memory by the byte, packages by the part.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hw.cost import total


class ChipCarbon(NamedTuple):
    """kg of one chip: its die with the bad ones beside it, its memories by tier with what bad bonds take, its share of
    a package."""

    die: Any
    memory: dict[str, Any]
    stacking_loss: Any
    package: Any


class SystemCarbon(NamedTuple):
    """kg of a system: all its chips, and what each level adds (boards, hosts, racks)."""

    chips: ChipCarbon
    levels: dict[str, Any]


class CarbonGroups(NamedTuple):
    """kg by what is made: compute dies; memory; packages; boards, hosts and racks."""

    silicon: Any
    memory: Any
    package: Any
    system: Any


def groups(terms: SystemCarbon) -> CarbonGroups:
    """kg by group; their sum is that of the terms."""
    chips = terms.chips
    memory = total(chips.memory) + chips.stacking_loss
    return CarbonGroups(chips.die, memory, chips.package, total(terms.levels))
