"""How a layer is cut over the devices of a tensor group."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp


class AttentionShards(NamedTuple):
    """A tensor group of t devices cuts the key-value heads first, then each head's context.

    heads : devices over which the key-value heads are cut; context : devices that share one head's context.
    Source: tensor parallelism of Shoeybi et al. 2019 up to the number of key-value heads; beyond it the context is
    cut, as in flash-decoding, so that the cache is never held twice.
    """

    heads: Any
    context: Any


def attention_shards(tensor: Any, key_value_heads: Any) -> AttentionShards:
    heads = jnp.minimum(tensor, key_value_heads)
    return AttentionShards(heads, tensor / heads)


def attention_shards_are_whole(tensor: Any, key_value_heads: Any) -> Any:
    """True where the devices divide the heads, or the heads the devices."""
    heads = jnp.minimum(tensor, key_value_heads)
    return (tensor % heads == 0) & (key_value_heads % heads == 0)
