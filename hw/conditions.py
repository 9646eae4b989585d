"""The state in which a die works."""

from __future__ import annotations

from typing import Any, NamedTuple


class Conditions(NamedTuple):
    """Settled once for a candidate.

    cores; area: m2 of the compute die; frequency: Hz, after any derating; voltage: V that this frequency needs;
    switching: energy of a switching event over that at the nominal voltage; temperature: K of the logic.
    """

    cores: Any
    area: Any
    frequency: Any
    voltage: Any
    switching: Any
    temperature: Any
