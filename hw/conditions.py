"""The state in which a die works, settled once for a candidate (`hw/heat.py`)."""

from __future__ import annotations

from typing import Any, NamedTuple


class Conditions(NamedTuple):
    """What the time and energy of a part may depend on beyond its own numbers.

    cores : of the engine; area : of the compute die, m2; frequency : Hz, after the clock has fallen to the power limit;
    derating : that clock over the rated one; voltage : V that it needs; switching : energy of a switching event over
    that at the nominal voltage; temperature : K of the part that is asked; leaking : leakage there over that at the
    reference temperature.
    """

    cores: Any
    area: Any
    frequency: Any
    derating: Any
    voltage: Any
    switching: Any
    temperature: Any
    leaking: Any


class Heat(NamedTuple):
    """Temperatures in K and fluxes in W/m2 of die area, as a memory on or beside the die sees them.

    logic : the transistors of the compute die; through : flux of all that is on the compute die; own : flux of the
    memory that is asked.
    """

    ambient: Any
    logic: Any
    through: Any
    own: Any
