"""The package: what holds a die."""

from __future__ import annotations

from typing import Any

import equinox as eqx
from jaxtyping import Array

from hw.units import count, fraction, quantity


class Package(eqx.Module):
    """One die's share of its package.

    substrate_price : per area of silicon; bonding_yield : of one die; test_cost, assembly_cost : per die.
    Source of the cost form: Feng and Ma, Chiplet Actuary, DAC 2022.
    """

    substrate_price: Array = quantity("USD/m^2")
    bonding_yield: Array = fraction(above=0)
    dies: Array = count()
    assembly_cost: Array = quantity("USD")
    test_cost: Array = quantity("USD")

    def cost(self, area: Any, parts: Any) -> Any:
        """USD of one packaged die of `area` m2 that costs `parts` before it is bonded.

        Bonding `dies` dies, any of which spoils the package: parts and substrate over bonding_yield^dies.
        """
        substrate = self.substrate_price * area
        return (parts + substrate + self.assembly_cost) / self.bonding_yield**self.dies + self.test_cost
