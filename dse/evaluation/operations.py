"""How many arithmetic operations a program has, whatever its compiler makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

MOVES = {  # that compute nothing
    "broadcast_in_dim",
    "reshape",
    "squeeze",
    "stack",
    "split",
    "transpose",
    "convert_element_type",
    "slice",
    "dynamic_slice",
    "gather",
    "concatenate",
    "copy",
    "iota",
    "stop_gradient",
    "device_put",
    "expand_dims",
    "rev",
    "pad",
}


def operations(jaxpr: Any, only: frozenset[str] = frozenset(), turns: int = 1) -> float:
    """Results of arithmetic on single numbers that the outputs depend on; what a loop does counts each time. `only` :
    the primitives that are counted, all of them where empty; `turns` : of a loop whose turns are data."""
    needed = {id(var) for var in jaxpr.outvars}
    count = 0.0
    for equation in reversed(jaxpr.eqns):
        if not any(id(var) in needed for var in equation.outvars):
            continue
        needed |= {id(var) for var in equation.invars if not hasattr(var, "val")}
        count += _of(equation, only, turns)
    return count


def _of(equation: Any, only: frozenset[str], turns: int) -> float:
    inner = [_body(value) for value in equation.params.values()]
    inner = [body for body in inner if body is not None]
    if inner:
        times = turns if equation.primitive.name == "while" else equation.params.get("length", 1)
        return times * sum(operations(body, only, turns) for body in inner)
    if equation.primitive.name in MOVES or (only and equation.primitive.name not in only):
        return 0.0
    shapes = [var.aval.shape for var in (*equation.outvars, *equation.invars) if hasattr(var.aval, "shape")]
    return float(max((np.prod(shape, dtype=float) for shape in shapes), default=0.0))


def _body(value: Any) -> Any:
    """The program in a parameter of an equation, where there is one."""
    value = getattr(value, "jaxpr", value)
    return value if hasattr(value, "eqns") else None
