"""The words that models and hardware share: operators and exchanges, as counts of elements on one device."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class WeightProduct(NamedTuple):
    """(vectors, inputs) x (inputs, outputs), the weights held still; scalars, on one device.

    cache_written : elements of keys and values that it leaves; vector_ops : elementwise operations beside it.
    """

    vectors: Any
    inputs: Any
    outputs: Any
    cache_written: Any = 0.0
    vector_ops: Any = 0.0

    products = 1.0

    @property
    def held_elements(self) -> Any:
        """Elements of the operand that is held still."""
        return self.inputs * self.outputs

    @property
    def macs(self) -> Any:
        """Multiply-accumulates."""
        return self.vectors * self.inputs * self.outputs

    def held(self, of: Any) -> Any:
        """What `of` says about weights: their format, their tier."""
        return of.weights

    def causes(self, held: Any, written: Any) -> dict[str, Any]:
        """Which cause the moving of the held operand is, and that of the written cache."""
        return {"weights": held, "cache": written}


class CacheProduct(NamedTuple):
    """So many products (vectors, inputs) x (inputs, outputs) with keys or values held still; scalars, on one device."""

    vectors: Any
    inputs: Any
    outputs: Any
    products: Any
    vector_ops: Any = 0.0

    cache_written = 0.0

    @property
    def held_elements(self) -> Any:
        """Elements of the operand that is held still."""
        return self.products * self.inputs * self.outputs

    @property
    def macs(self) -> Any:
        """Multiply-accumulates of all products."""
        return self.held_elements * self.vectors

    def held(self, of: Any) -> Any:
        """What `of` says about the cache: its format, its tier."""
        return of.cache

    def causes(self, held: Any, written: Any) -> dict[str, Any]:
        """Which cause the moving of the held operand is."""
        return {"weights": 0.0, "cache": held + written}


Operator = WeightProduct | CacheProduct


class Group(Protocol):
    """What an exchange asks of the hardware: a group of devices with collectives, sizes in bytes."""

    def all_reduce(self, partial: Any, total: Any) -> Any: ...
    def all_gather(self, size: Any) -> Any: ...
    def reduce_scatter(self, size: Any) -> Any: ...


class Groups(NamedTuple):
    """The groups of devices that exchange: a tensor group, and those in it that share the context of a head."""

    tensor: Any
    context: Any


class AllReduce(NamedTuple):
    """Every device of the tensor group holds `elements` partial sums and ends with all the totals.

    Partial sums travel in one format; totals, which are inputs of the next product, in another, as with
    sequence parallelism (Korthikanti et al. 2022); the norms are charged to every device all the same.
    """

    elements: Any

    def over(self, groups: Groups, partial_bytes: Any, total_bytes: Any) -> Any:
        return groups.tensor.all_reduce(self.elements * partial_bytes, self.elements * total_bytes)


class AllGather(NamedTuple):
    """The tensor group ends with `elements` on every device, of which each held its share."""

    elements: Any

    def over(self, groups: Groups, partial_bytes: Any, total_bytes: Any) -> Any:
        return groups.tensor.all_gather(self.elements * total_bytes)


class ContextGather(NamedTuple):
    """The devices that share a head's context end with `elements` each, of which each held its share."""

    elements: Any

    def over(self, groups: Groups, partial_bytes: Any, total_bytes: Any) -> Any:
        return groups.context.all_gather(self.elements * total_bytes)


class ContextScatter(NamedTuple):
    """The devices that share a head's context hold `elements` partial sums and end with their share of the totals."""

    elements: Any

    def over(self, groups: Groups, partial_bytes: Any, total_bytes: Any) -> Any:
        return groups.context.reduce_scatter(self.elements * partial_bytes)


Exchange = AllReduce | AllGather | ContextGather | ContextScatter


class Work(NamedTuple):
    """Operators and exchanges that one device does, one after the other."""

    operators: tuple[Operator, ...]
    exchanges: tuple[Exchange, ...]
