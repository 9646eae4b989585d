"""Refresh of DRAM: what it takes of bandwidth and power, and how that rises with temperature."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from hw.units import quantity

DOUBLINGS = 4  # no part is specified beyond 40 K above its first threshold
BLUR = 0.05  # of a step, over which a controller's doubling is smoothed, so that slopes exist


class Refresh(eqx.Module):
    """Refresh doubles at `threshold` and again every `step` above it.

    share : of the bandwidth, below the threshold; power : per byte held, below the threshold.
    Source: JEDEC's derating of the refresh interval above 85 and 95 degC.
    """

    share: Array = quantity("", most=0.5)
    power: Array = quantity("W/B")
    threshold: Array = quantity("K", above=0)
    step: Array = quantity("K", above=0, difference=True)

    def scale(self, temperature: Any) -> Any:
        """Refreshes at `temperature` over those below the threshold: 1, 2, 4, ... up to 16."""
        steps = (temperature - self.threshold) / self.step
        return 2.0 ** sum(jax.nn.sigmoid((steps - i) / BLUR) for i in range(DOUBLINGS))

    def relative_bandwidth(self, temperature: Any) -> Any:
        """Bandwidth at `temperature` over that below the threshold, at least a hundredth.

        (1 - share * scale) / (1 - share): what refresh takes when cool is in a data sheet's sustained fraction.
        """
        return jnp.maximum(1 - self.share * self.scale(temperature), 0.01) / jnp.maximum(1 - self.share, 0.01)
