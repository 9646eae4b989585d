"""Numbers as a person reads them in text; tables of a page and axes of a drawing set theirs themselves."""

from __future__ import annotations

from hw.units import readable


def digits(value: float | None) -> str:
    """Four significant digits, without an exponent where that reads well; a dash where there is no number."""
    if value is None or value != value:
        return "-"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def amount(value: float, unit: str, figures: int = 3) -> str:
    """A quantity in so many significant digits, with the unit of its size that reads well: `1.2 GHz`."""
    factor, label = readable(unit, value)
    return f"{value * factor:.{figures}g} {label}".strip()
