"""Where a component may be read from instead of being written out. The contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Source(ABC):
    """A file in a layout of somebody else's."""

    @abstractmethod
    def read(self) -> Any:
        """The component that it describes; raises ValueError or OSError in words that name the file."""
