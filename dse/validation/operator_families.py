"""Families of measured operators: what a file of rows is, and how the model times one. This file is the contract.

A family reads the files of one kind of operator and times one row through the chip itself; reading the machines,
batching, fitting and judging are done once, in operator_rows.py, calibrate.py and operators.py beside it.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from dse.run.near import nearest
from hw.chip import Chip
from hw.heat import State
from models.numerics import Formats


class Constant(NamedTuple):
    """A fitted number: of the chip, or of how the rows were measured.

    place : dotted path below the chip, `engine.kernels.products.start`; or, for how rows were measured,
    `rows.FAMILY.….name`, whose value stands in conf/validation/operators.yaml and reaches `seconds` as shape[name];
    begin : where the fit starts; least, most : bounds; all in the unit. alone : whether each machine has its own, or
    all share one; kinds : of which kinds of rows, all where empty.
    """

    place: str
    begin: float
    least: float = 1e-15
    most: float = 1e15
    unit: str = ""
    alone: bool = False
    kinds: tuple[str, ...] = ()

    @property
    def of_rows(self) -> bool:
        """Whether it is of how rows were measured, not of the chip."""
        return self.place.startswith("rows.")

    @property
    def key(self) -> str:
        """The last word of its place."""
        return self.place.rpartition(".")[2]


class Rows(NamedTuple):
    """Measured rows of one machine that have one format, as columns [row].

    machine : its file in conf/hw, whatever the rows call it; kind : how errors are told apart, such as the files'
    format; format : a file of conf/format; shapes : what the family's `seconds` reads, the same names for all kinds,
    numbers of how rows were measured as zeros; seconds : measured; names : by which a row is known, and held back or
    fitted.
    """

    machine: str
    kind: str
    format: str
    shapes: Mapping[str, np.ndarray]
    seconds: np.ndarray
    names: np.ndarray

    def taken(self, which: Any) -> Rows:
        """Only some of the rows: indices, or a mask."""
        shapes = {name: column[which] for name, column in self.shapes.items()}
        return self._replace(shapes=shapes, seconds=self.seconds[which], names=self.names[which])


class Family(Protocol):
    """One kind of operator."""

    @property
    def name(self) -> str:
        """As it is asked for, and as files name it: `gemm` of MACHINE__gemm__SOFTWARE.csv.gz."""
        ...

    @property
    def constants(self) -> tuple[Constant, ...]:
        """What is fitted on its rows."""
        ...

    @property
    def columns(self) -> frozenset[str]:
        """Columns that a file of it has, by which a file with another name is known."""
        ...

    @property
    def format_column(self) -> str:
        """The column that names the number format; bfloat16 where a file has none."""
        ...

    @property
    def formats(self) -> Mapping[str, str]:
        """Files of conf/format by what that column calls them; rows of others are left out."""
        ...

    def read(self, table: Any, machine: str) -> list[Rows]:
        """The rows of one file and machine, by kind; of known formats, measured and whole (operator_files.py)."""
        ...

    def seconds(self, chip: Chip, formats: Formats, state: State, shape: Mapping[str, Any]) -> Any:
        """Modelled seconds of one row: scalars in, a scalar out; traced, mapped over rows elsewhere."""
        ...


FAMILIES = {  # where each is, imported when it is asked for
    "context_attention": "dse.validation.operators_attention.ContextAttention",
    "context_mla": "dse.validation.operators_attention.ContextLatent",
    "gemm": "dse.validation.operators_gemm.Gemm",
    "generation_attention": "dse.validation.operators_attention.GenerationAttention",
    "generation_mla": "dse.validation.operators_attention.GenerationLatent",
    "moe": "dse.validation.operators_experts.Experts",
}


@functools.cache
def family(name: str) -> Family:
    """The family of that name; raises ValueError where there is none."""
    if name not in FAMILIES:
        raise ValueError(f"family: there is no {name!r}; {nearest(name, FAMILIES)}")
    module, _, cls = FAMILIES[name].rpartition(".")
    return getattr(importlib.import_module(module), cls)()
