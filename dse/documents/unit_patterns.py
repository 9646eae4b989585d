"""Regular expressions for quantities as texts, for editors, which know no units.

They take the usual ways to write a unit; whoever writes another is still understood when the file is read.
"""

from __future__ import annotations

import re

NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
PREFIX = "[EPTGMkmunpf]?"
TIME = r"([munpf]?s|min|minute|h|hour|day|week|month|year)"
ENERGY = rf"({PREFIX}J|{PREFIX}Wh|{PREFIX}W/{TIME})"
ATOMS = {
    "B": r"([EPTGMk]i?)?(B|bit|byte)",
    "bit": r"([EPTGMk]i?)?(B|bit|byte)",
    "s": TIME,
    "W": rf"{PREFIX}W",
    "J": ENERGY,
    "m": r"[munck]?m",
    "m^2": r"[munck]?m(\^|\*\*)?2",
    "V": rf"{PREFIX}V",
    "A": rf"{PREFIX}A",
    "F": rf"{PREFIX}F",
    "K": r"(K|degC|delta_degC|°C|kelvin)",
    "Hz": r"([GMk]?Hz|1/[munpf]?s)",
    "USD": r"[Mk]?USD",
    "kg": r"(k?g|t|tonne)",
    "op": r"[EPTGMk]?op",
    "clk": r"clk",
    "1": "1",
}


def unit_of(unit: str) -> str:
    """A pattern of the ways to write a unit such as `USD/B` or `K*m^2/W`."""
    parts = re.split(r"([*/])", unit)
    return r"\s*".join(re.escape(part) if part in "*/" else ATOMS[part] for part in parts)


def text_of(unit: str) -> str:
    """A pattern of a quantity as a text, with its unit and perhaps its spread."""
    spread = rf"(\s*\+/-\s*{NUMBER}\s*(%|{unit_of(unit)})?)?" if unit else rf"(\s*\+/-\s*{NUMBER}\s*%?)?"
    percent = "" if unit else r"(\s*%)?"
    return rf"^\s*{NUMBER}\s*{unit_of(unit) if unit else percent}{spread}\s*$"
