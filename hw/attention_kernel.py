"""Attention in one kernel, where scores never leave the cores: for prompts, and for steps of a few tokens."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from hw.kernel import Device, Kernel, KernelWork, Operands
from hw.units import count, fraction, quantity
from models.counts import ceil
from models.operators import CacheProduct

FEW = 8.0  # tokens of a head and sequence up to which libraries run the kernel of steps


class PromptAttention(eqx.Module):
    """A core takes `rows` queries of one head through all of their context.

        units = heads * ceil(tokens / rows);   each = 2 rows width (1 + softmax) / (operations * sustained_fraction)
        time  = max(units / cores * (unit + each * (context + beyond)), unit + each * longest)
        softmax <- softmax / width * element / bytes

    The last queries of a prompt see the longest context, at most all that there is: half their number more than the
    mean, and at most twice the mean. beyond : context that is computed though masked, `masked` since a tile goes as far
    as its last query, and `rows` more so far as queries see less than all before them, since their windows differ.
    softmax : columns of a product that take as long as a score's exponential, of operands as wide as `element`.
    unit : time of a unit that its products do not hide.
    """

    rows: Array = count()
    masked: Array = quantity("")
    softmax: Array = quantity("")
    element: Array = quantity("B", above=0)
    sustained_fraction: Array = fraction(above=0)
    unit: Array = quantity("s")
    start: Array = quantity("s")

    def work(self, operator: CacheProduct, context: Any, width: Any, operands: Operands, device: Device) -> KernelWork:
        """Of one of both products."""
        tokens = jnp.maximum(operator.tokens, 1.0)
        units = operator.products * operator.vectors / tokens * ceil(tokens / self.rows)
        columns = width + self.softmax * self.element / operands.held
        each = 2 * self.rows * columns / (device.operations * self.sustained_fraction)
        unit = self.unit * operator.launches
        longest = jnp.minimum(2 * context, context + tokens / 2)
        beyond = self.masked + self.rows * jnp.clip(1 - 2 * context / tokens, 0.0, 1.0)
        shared = units / device.cores * (unit + each * (context + jnp.minimum(beyond, tokens)))
        alone = jnp.minimum(units, 1.0) * (unit + each * longest)
        return KernelWork(jnp.maximum(shared, alone), 0.0, 1.0, self.start * operator.launches)


class SingleAttention(eqx.Module):
    """A core takes one query through a part of the context, key by key, with arithmetic on vectors.

        parts   = clip(filled * cores / queries, 1, context width / split)
        load    = context width / full
        each    = unit * (1 + longer * load / (1 + load)) + element * context width / parts
        compute = max(1, queries * parts / (cores * resident)) * each
        start + merge * r^2 / (1 + r^2), r = context width / split;   slowdown = 1 / stream

    Contexts are counted by elements of keys, `context width`: from `split` of them on, libraries cut a context, and
    add up its parts by another kernel, which takes `merge`. filled : share of the cores that the parts of few queries
    fill. resident : queries that a core holds at a time. unit : of a query alone, `longer` by that share where keys
    occupy all threads, as they do from about `full` elements on. element : time of an element in a core. stream : of a
    long stream's bandwidth, how much long caches reach.
    """

    split: Array = quantity("", above=0)
    filled: Array = quantity("", above=0)
    unit: Array = quantity("s")
    full: Array = quantity("", above=0)
    longer: Array = quantity("")
    element: Array = quantity("s")
    resident: Array = quantity("", above=0)
    stream: Array = quantity("", above=0)
    start: Array = quantity("s")
    merge: Array = quantity("s")

    def work(self, operator: CacheProduct, context: Any, width: Any, device: Device) -> KernelWork:
        """Of one of both products."""
        queries = jnp.maximum(operator.products * operator.vectors, 1.0)
        keys = context * width
        long, load = (keys / self.split) ** 2, keys / self.full
        parts = jnp.maximum(jnp.minimum(self.filled * device.cores / queries, keys / self.split), 1.0)
        unit = operator.launches * self.unit * (1 + self.longer * load / (1 + load))
        waves = jnp.maximum(queries * parts / (device.cores * self.resident), 1.0)
        start = operator.launches * (self.start + self.merge * long / (1 + long))
        return KernelWork(waves * (unit + self.element * keys / parts), 0.0, 1 / self.stream, start)


class GroupAttention(eqx.Module):
    """A core takes the few queries that share a head's keys and values through a part of the context, as a tile.

        tiles   = heads * ceil(queries / rows);   parts = clip(most * cores / tiles, 1, context / split)
        each    = unit * (held bytes / element)^narrow + query * min(queries * width, most_queried)
                  + 2 rows width max(context / parts, split) / (operations * sustained_fraction)
        compute = max(1, tiles * parts / cores) * each
        start + short * clip(line / (width * held bytes) - 1, 0, 1) + merge * context / (context + half)
        slowdown = 1 / stream

    Libraries cut contexts into parts of `split` keys even where all cores are busy, so long as there are no more than
    `most` parts a core; a part is computed as a whole. unit : of a part, of operands as wide as `element`; narrower
    ones have kernels of their own, whose units are shorter with the power `narrow` of the width. query : of an element
    of a query, of so many as a core holds. short : where keys do not fill a `line` of the cache, for which libraries
    have other kernels. merge : to add up the parts, half of it with contexts of `half` keys. stream : as above.
    """

    rows: Array = count()
    split: Array = quantity("", above=0)
    most: Array = quantity("", above=0)
    sustained_fraction: Array = fraction(above=0)
    unit: Array = quantity("s")
    element: Array = quantity("B", above=0)
    narrow: Array = quantity("")
    query: Array = quantity("s")
    most_queried: Array = count()
    stream: Array = quantity("", above=0)
    start: Array = quantity("s")
    short: Array = quantity("s")
    line: Array = quantity("B", above=0)
    merge: Array = quantity("s")
    half: Array = quantity("", above=0)

    def work(self, operator: CacheProduct, context: Any, width: Any, operands: Operands, device: Device) -> KernelWork:
        """Of one of both products."""
        tiles = jnp.maximum(operator.products * ceil(operator.vectors / self.rows), 1.0)
        parts = jnp.maximum(jnp.minimum(self.most * device.cores / tiles, context / self.split), 1.0)
        unit = self.unit * (operands.held / self.element) ** self.narrow
        unit = operator.launches * (unit + self.query * jnp.minimum(operator.vectors * width, self.most_queried))
        operations = 2 * self.rows * width * jnp.maximum(context / parts, self.split)
        each = unit + operations / (device.operations * self.sustained_fraction)
        short = self.short * jnp.clip(self.line / (jnp.maximum(width, 1.0) * operands.held) - 1, 0.0, 1.0)
        start = operator.launches * (self.start + short + self.merge * context / (context + self.half))
        return KernelWork(jnp.maximum(tiles * parts / device.cores, 1.0) * each, 0.0, 1 / self.stream, start)


class AttentionKernel(Kernel):
    """Of products with the cache: that of steps for up to FEW tokens of a sequence, that of prompts for more. Queries
    are read from memory, and sums written to it; scores stay.

    Of the kernels of steps, that of single queries where each head has its own keys; also where a group shares them,
    if a step is of one token, the cache no narrower than `element` of the other kernel, a key no wider than `widest`,
    and there are fewer than `few` parts of the context, of all heads, for the other kernel: a number of parts, not a
    share of the cores, so that more cores slow nothing. Libraries choose so, though the other kernel may be faster:
    where they turn to it, a longer context may take less time.
    """

    prompt: PromptAttention
    single: SingleAttention
    group: GroupAttention
    few: Array = count(least=0)
    widest: Array = count()
    sharpness: Array = quantity("", above=1)

    def work(self, operator: Any, operands: Operands, device: Device) -> KernelWork:
        context = jnp.where(operator.sums > 0, operator.inputs, operator.outputs)
        width = jnp.where(operator.sums > 0, operator.outputs, operator.inputs)
        prompt = self.prompt.work(operator, context, width, operands, device)
        single = self.single.work(operator, context, width, device)
        group = self.group.work(operator, context, width, operands, device)
        alone = self._alone(operator, context, width, operands)
        step = jax.tree.map(lambda one, several: jnp.where(alone, one, several), single, group)
        chosen = jax.tree.map(lambda many, few: jnp.where(operator.tokens > FEW, many, few), prompt, step)
        moved = jnp.where(operator.sums > 0, operands.result, operands.fed)
        return chosen._replace(beside=operator.products * operator.vectors * width * moved)

    def _alone(self, operator: CacheProduct, context: Any, width: Any, operands: Operands) -> Any:
        """Whether queries of a step are taken one by one."""
        parts = operator.products * jnp.maximum(context / self.group.split, 1.0)
        plain = (operator.tokens <= 1) & (operands.held >= self.group.element) & (width <= self.widest)
        return (operator.vectors <= 1) | (plain & (parts < self.few))
