"""Families of measured operators: what a file of rows is, and how the model times one. This file is the contract.

A family reads the files of one kind of operator and times one row through the chip itself; reading the machines,
batching, fitting and judging are done once, in dse/operator_rows.py, dse/calibrate.py and dse/operators.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from hw.chip import Chip
from hw.heat import State
from models.numerics import Formats


class Constant(NamedTuple):
    """A fitted number of the chip.

    place : dotted path below the chip, `engine.kernels.products.start`; begin : where the fit starts; least, most :
    bounds, both in the field's unit; alone : whether each machine has its own, or all share one.
    """

    place: str
    begin: float
    least: float
    most: float
    alone: bool = False

    @property
    def name(self) -> str:
        """What it is called where kinds of kernels are told apart already: the last two words of its place."""
        return ".".join(self.place.split(".")[-2:])


class Rows(NamedTuple):
    """Measured rows of one machine that have one format, as columns [row].

    machine : as the files call it, `a100_sxm`; kind : how errors are told apart, such as the format's name in the file;
    format : a file of conf/format; shapes : what the family's `seconds` reads; seconds : measured.
    """

    machine: str
    kind: str
    format: str
    shapes: Mapping[str, np.ndarray]
    seconds: np.ndarray

    def taken(self, which: Any) -> Rows:
        """Only some of the rows: indices, or a mask."""
        shapes = {name: column[which] for name, column in self.shapes.items()}
        return self._replace(shapes=shapes, seconds=self.seconds[which])


class Family(Protocol):
    """One kind of operator."""

    @property
    def name(self) -> str:
        """As it is asked for, and as files name it: `gemm` of a100_sxm__gemm__library.csv.gz."""
        ...

    @property
    def constants(self) -> tuple[Constant, ...]:
        """What is fitted on its rows."""
        ...

    @property
    def columns(self) -> frozenset[str]:
        """Columns that a file of it has, by which a file with another name is known."""
        ...

    def read(self, path: Path, machine: str) -> list[Rows]:
        """The rows of one file, by kind."""
        ...

    def seconds(self, chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any]) -> Any:
        """Modelled seconds of one row: scalars in, a scalar out; traced, mapped over rows elsewhere."""
        ...
