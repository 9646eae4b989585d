"""Links and the collectives over them, at one level of a system."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from hw.units import fraction, quantity


class Link(eqx.Module):
    """Joins the parts of one level. All parts reach all others; a switch may reduce on the way.

    bandwidth : per part and direction; latency : of the first byte from part to part; oversubscription : parts that
    share one uplink's bandwidth, >= 1; switch_reduces : 1 where the switch adds up (then an all-reduce crosses once);
    part_power, part_cost : of what each part needs to be on this link (bridge, NIC, its share of the switch).

    Each part has S bytes. reduce-scatter or all-gather, direct: a + (n-1)/n S/b. all-reduce, the fastest of
    direct 2(a + (n-1)/n S/b), one-shot a + (n-1) S/b, in the switch 2a + S/b.
    Source: Thakur et al. 2005 for the direct forms.
    """

    bandwidth: Array = quantity("B/s", above=0)
    latency: Array = quantity("s")
    energy: Array = quantity("J/B")
    sustained_fraction: Array = fraction(above=0)
    oversubscription: Array = quantity("", least=1)
    switch_reduces: Array = fraction()
    part_power: Array = quantity("W")
    part_cost: Array = quantity("USD")

    def rate(self) -> Any:
        """Bytes per second, part and direction, that a stream reaches when all parts send at once."""
        return self.bandwidth * self.sustained_fraction / self.oversubscription

    def send(self, size: Any) -> Any:
        """Seconds for `size` bytes from one part to another."""
        return self.latency + size / self.rate()

    def scatter(self, size: Any, parts: Any) -> Any:
        """Seconds of a reduce-scatter, or of an all-gather, of `size` bytes a part."""
        return jnp.where(parts > 1, self.latency + (parts - 1) / parts * size / self.rate(), 0.0)

    def one_shot(self, size: Any, parts: Any) -> Any:
        """Seconds until every part has every other's `size` bytes, sent at once."""
        return jnp.where(parts > 1, self.latency + (parts - 1) * size / self.rate(), 0.0)

    def all_reduce(self, partial: Any, total: Any, parts: Any) -> Any:
        """Seconds of an all-reduce by the fastest algorithm; `partial` bytes a part before adding, `total` after."""
        direct = self.scatter(partial, parts) + self.scatter(total, parts)
        in_switch = 2 * self.latency + jnp.maximum(partial, total) / self.rate()
        switched = jnp.where((self.switch_reduces > 0) & (parts > 1), jnp.minimum(in_switch, direct), direct)
        return jnp.minimum(switched, self.one_shot(partial, parts))
