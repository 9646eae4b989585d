"""The words that models and hardware share: operators and exchanges, as counts of elements on one device.

Each is a tuple of numbers, so that many of a kind can be one table, [operators].
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from models.parallelism import Span


class Elementwise(NamedTuple):
    """Work on each element by itself: operations, elements read and written, and in how many kernels, on machines that
    start each by itself."""

    operations: Any = 0.0
    elements: Any = 0.0
    kernels: Any = 0.0

    def plus(self, other: Elementwise) -> Elementwise:
        """Both."""
        return Elementwise(*(one + another for one, another in zip(self, other, strict=True)))


NOTHING = Elementwise()


class WeightProduct(NamedTuple):
    """(vectors, inputs) x (inputs, outputs), the weights held still; scalars, on one device.

    cache_written : elements of keys and values that it leaves; around : elementwise work before and after it.
    """

    vectors: Any
    inputs: Any
    outputs: Any
    cache_written: Any = 0.0
    around: Elementwise = NOTHING

    products = 1.0
    spent = 1.0  # every device fetches as much
    vector_ops = 0.0
    launched = 1.0  # kernels that round its inputs

    @property
    def rounded(self) -> Any:
        """Elements that are rounded to be its inputs."""
        return self.vectors * self.inputs

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

    def kernel(self, of: Any) -> Any:
        """The kernel that does it."""
        return of.products


class ExpertProduct(NamedTuple):
    """So many products (vectors, inputs) x (inputs, outputs) with weights of experts held still, on one device.

    Times are of the busiest device; spent : what all devices fetch on average, over what that one fetches.
    """

    vectors: Any
    inputs: Any
    outputs: Any
    products: Any
    around: Elementwise = NOTHING
    spent: Any = 1.0

    cache_written = 0.0
    vector_ops = 0.0
    launched = rounded = 0.0  # inputs come rounded from the router, or from the kernel before

    @property
    def held_elements(self) -> Any:
        """Elements of the operands that are held still."""
        return self.products * self.inputs * self.outputs

    @property
    def macs(self) -> Any:
        """Multiply-accumulates of all products."""
        return self.held_elements * self.vectors

    def held(self, of: Any) -> Any:
        """What `of` says about weights of experts: their format, their tier."""
        return of.expert_weights

    def causes(self, held: Any, written: Any) -> dict[str, Any]:
        """Which cause the moving of the held operand is."""
        return {"weights": held, "cache": written}

    def kernel(self, of: Any) -> Any:
        """The kernel that does it."""
        return of.experts


class CacheProduct(NamedTuple):
    """So many products (vectors, inputs) x (inputs, outputs) with keys, values or a state held still, on one device.

    cache_written : elements of the cache that it leaves; vector_ops : elementwise operations within it; there : share
    of the operands that another operator fetches, as where one latent is both key and value; sums : 1 where the
    inputs are the context, as in sums of values, 0 where the outputs are, as in scores; launches : kernels that it is,
    a half where two operators are one; tokens : that one head of a sequence asks for at once, of the `vectors` that
    share what is held: one in a step of decoding, many in a prompt.
    """

    vectors: Any
    inputs: Any
    outputs: Any
    products: Any
    cache_written: Any = 0.0
    vector_ops: Any = 0.0
    there: Any = 0.0
    sums: Any = 0.0
    launches: Any = 1.0
    tokens: Any = 1.0

    around = NOTHING
    spent = 1.0  # every device fetches as much
    launched = rounded = 0.0  # queries come as they are

    @property
    def held_elements(self) -> Any:
        """Elements of the operands that are held still and must be fetched."""
        return self.products * self.inputs * self.outputs * (1 - self.there)

    @property
    def macs(self) -> Any:
        """Multiply-accumulates of all products."""
        return self.products * self.vectors * self.inputs * self.outputs

    def held(self, of: Any) -> Any:
        """What `of` says about the cache: its format, its tier."""
        return of.cache

    def causes(self, held: Any, written: Any) -> dict[str, Any]:
        """Which cause the moving of the held operand is."""
        return {"weights": 0.0, "cache": held + written}

    def kernel(self, of: Any) -> Any:
        """The kernel that does it."""
        return of.attention


def attending(
    queries: Any, key: Any, value: Any, context: Any, products: Any, softmax: Any, tokens: Any, there: Any = 0.0
) -> tuple[CacheProduct, CacheProduct]:
    """Scores of so many queries with `context` keys, and sums of as many values: one kernel of two products, with
    `softmax` operations between."""
    both = {"there": there, "launches": 0.5, "tokens": tokens}
    scores = CacheProduct(queries, key, context, products, vector_ops=softmax, **both)
    return scores, CacheProduct(queries, context, value, products, sums=1.0, **both)


Operator = WeightProduct | ExpertProduct | CacheProduct


class Group(Protocol):
    """What an exchange asks of the hardware: a group of devices with collectives, sizes in bytes."""

    def all_reduce(self, partial: Any, total: Any) -> Any: ...
    def all_gather(self, size: Any) -> Any: ...
    def all_to_all(self, size: Any) -> Any: ...


class AllReduce(NamedTuple):
    """Every device of the span holds `elements` partial sums and ends with all the totals.

    Partial sums travel in one format; totals, which are inputs of the next product, in another, as with
    sequence parallelism (Korthikanti et al. 2022); the norms are charged to every device all the same.
    """

    elements: Any
    span: Span

    def over(self, group: Group, partial_bytes: Any, total_bytes: Any) -> Any:
        return group.all_reduce(self.elements * partial_bytes, self.elements * total_bytes)


class Gather(NamedTuple):
    """The span ends with `elements` on every device, of which each held its share; or the same run backwards.

    partial : 1 for a reduce-scatter, in which every device holds that many partial sums and ends with its share of
    the totals; 0 for an all-gather.
    """

    elements: Any
    span: Span
    partial: Any = 0.0

    def over(self, group: Group, partial_bytes: Any, total_bytes: Any) -> Any:
        return group.all_gather(_size(self, partial_bytes, total_bytes))


class Shuffle(NamedTuple):
    """Every device of the span sends 1/n of its `elements` to each of the n devices.

    partial : 1 where they are sums that are added up at their end, 0 where they are inputs of the next product.
    """

    elements: Any
    span: Span
    partial: Any = 0.0

    def over(self, group: Group, partial_bytes: Any, total_bytes: Any) -> Any:
        return group.all_to_all(_size(self, partial_bytes, total_bytes))


def _size(moved: Gather | Shuffle, partial_bytes: Any, total_bytes: Any) -> Any:
    """Bytes of the elements, as partial sums or as inputs of the next product."""
    return moved.elements * (moved.partial * partial_bytes + (1 - moved.partial) * total_bytes)


Exchange = AllReduce | Gather | Shuffle


class Work(NamedTuple):
    """Operators and exchanges that one device does, one after the other."""

    operators: tuple[Operator, ...] = ()
    exchanges: tuple[Exchange, ...] = ()

    def then(self, other: Work) -> Work:
        """This work, and the other after it."""
        return Work(self.operators + other.operators, self.exchanges + other.exchanges)

    def beside(self, more: Elementwise) -> Work:
        """This work, with more elementwise work around its first operator."""
        first = self.operators[0]
        assert not isinstance(first, CacheProduct)
        return self._replace(operators=(first._replace(around=first.around.plus(more)), *self.operators[1:]))
