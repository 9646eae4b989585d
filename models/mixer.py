"""What mixes the tokens of a sequence in a layer. This file is the contract; one kind a file."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx

from models.batch import Batch
from models.operators import Work
from models.parallelism import Cut


class Mixer(eqx.Module):
    """Attention, or what stands in its place: weights, what a sequence leaves in the cache, and the work of a step.

    Every argument may be traced. Counts are of one layer; elements, not bytes.
    """

    @property
    @abstractmethod
    def cache_heads(self) -> Any:
        """Parts of the cache that devices can take one each without cutting a context or holding anything twice."""

    @abstractmethod
    def parameters(self, hidden: Any) -> Any:
        """Weights, of a model `hidden` wide."""

    def repeated_parameters(self, hidden: Any, cut: Cut) -> Any:
        """Weights of a device beyond its even share, of what several devices hold; none where all are cut."""
        return 0.0

    @abstractmethod
    def cache_elements(self, context: Any) -> Any:
        """Elements that one sequence of `context` tokens holds in the cache."""

    @abstractmethod
    def held_cache_elements(self, context: Any, cut: Cut) -> Any:
        """Elements of those on each device of an attention group."""

    @abstractmethod
    def is_whole(self, cut: Cut) -> Any:
        """True where the degrees divide what they cut."""

    @abstractmethod
    def work(self, hidden: Any, batch: Batch, cut: Cut) -> Work:
        """One layer's mixing on one device, `batch` being that of its attention group; its last exchange is the sum of
        its outputs over the devices that share a token."""
