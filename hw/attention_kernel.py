"""Attention in one kernel, where scores never leave the cores: for prompts, and for steps of a few tokens."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from hw.kernel import Device, Kernel, KernelWork, Operands
from hw.units import count, fraction, quantity
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
        units = operator.products * operator.vectors / tokens * jnp.ceil(tokens / self.rows)
        columns = width + self.softmax * self.element / operands.held
        each = 2 * self.rows * columns / (device.operations * self.sustained_fraction)
        unit = self.unit * operator.launches
        longest = jnp.minimum(2 * context, context + tokens / 2)
        beyond = self.masked + self.rows * jnp.clip(1 - 2 * context / tokens, 0.0, 1.0)
        shared = units / device.cores * (unit + each * (context + jnp.minimum(beyond, tokens)))
        alone = jnp.minimum(units, 1.0) * (unit + each * longest)
        return KernelWork(jnp.maximum(shared, alone), 0.0, 1.0, self.start * operator.launches)


class StepAttention(eqx.Module):
    """A core takes the few queries that share a head's keys and values through a part of the context.

        tiles = heads * ceil(queries / rows);   parts = clip(cores / tiles, 1, context / split)
        busy  = tiles * parts / cores
        time  = max(1, busy / resident) * unit + max(1, busy) * 2 rows context / parts width / (operations * fraction)
        start + merge * min(1, most / tiles) * clip(context / split - 1, 0, 1);   slowdown = 1 / stream

    unit : of operands as wide as `element`; with the square of their width shorter where they are narrower, which are
    moved and multiplied faster. resident : units that a core holds at a time where each has one query and no tile to
    multiply. stream : of a long stream's bandwidth, how much long caches reach. merge : time to add up the parts, into
    which libraries cut contexts of up to `most` tiles.
    """

    rows: Array = count()
    split: Array = quantity("", above=0)
    sustained_fraction: Array = fraction(above=0)
    unit: Array = quantity("s")
    element: Array = quantity("B", above=0)
    resident: Array = quantity("", above=0)
    most: Array = count()
    stream: Array = quantity("", above=0)
    start: Array = quantity("s")
    merge: Array = quantity("s")

    def work(self, operator: CacheProduct, context: Any, width: Any, operands: Operands, device: Device) -> KernelWork:
        """Of one of both products."""
        tiles = jnp.maximum(operator.products * jnp.ceil(operator.vectors / self.rows), 1.0)
        parts = jnp.maximum(jnp.minimum(device.cores / tiles, context / self.split), 1.0)
        busy = tiles * parts / device.cores
        several = operator.vectors > 1
        resident = jnp.where(several, 1.0, self.resident)
        unit = self.unit * operator.launches * jnp.where(several, (operands.held / self.element) ** 2, 1.0)
        operations = 2 * jnp.where(several, self.rows, 1.0) * context / parts * width
        compute = operations / (device.operations * self.sustained_fraction)
        compute = jnp.maximum(busy / resident, 1.0) * unit + jnp.maximum(busy, 1.0) * compute
        merged = jnp.minimum(1.0, self.most / tiles) * jnp.clip(context / self.split - 1, 0.0, 1.0)
        start = operator.launches * (self.start + merged * self.merge)
        return KernelWork(compute, 0.0, 1 / self.stream, start)


class AttentionKernel(Kernel):
    """Of products with the cache: that of steps for up to FEW tokens of a sequence, that of prompts for more. Queries
    are read from memory, and sums written to it; scores stay."""

    prompt: PromptAttention
    step: StepAttention
    sharpness: Array = quantity("", above=1)

    def work(self, operator: Any, operands: Operands, device: Device) -> KernelWork:
        context = jnp.where(operator.sums > 0, operator.inputs, operator.outputs)
        width = jnp.where(operator.sums > 0, operator.outputs, operator.inputs)
        prompt = self.prompt.work(operator, context, width, operands, device)
        step = self.step.work(operator, context, width, operands, device)
        chosen = jax.tree.map(lambda many, few: jnp.where(operator.tokens > FEW, many, few), prompt, step)
        moved = jnp.where(operator.sums > 0, operands.result, operands.fed)
        return chosen._replace(beside=operator.products * operator.vectors * width * moved)
