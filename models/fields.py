"""Fields that declare what they accept; whoever reads a configuration checks it by this metadata."""

from __future__ import annotations

from typing import Any

import equinox as eqx


def count(least: int = 1, default: Any = ...) -> Any:
    """A whole number of things."""
    return _field({"unit": "", "least": least, "whole": True}, default)


def number(
    unit: str = "",
    *,
    above: float | None = None,
    least: float | None = 0,
    most: float | None = None,
    default: Any = ...,
) -> Any:
    """A quantity in `unit`; `default` stands where a configuration is silent."""
    return _field({"unit": unit, "above": above, "least": least if above is None else None, "most": most}, default)


def _field(metadata: dict[str, Any], default: Any) -> Any:
    return eqx.field(metadata=metadata) if default is ... else eqx.field(metadata=metadata, default=default)
