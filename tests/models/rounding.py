"""Numbers really rounded: a second opinion in numpy, with other people's definitions of the element formats."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from models.numerics import NumberFormat

ELEMENTS = {  # by bits, and by bits of the exponent
    (4, 2): ml_dtypes.float4_e2m1fn,
    (6, 2): ml_dtypes.float6_e2m3fn,
    (6, 3): ml_dtypes.float6_e3m2fn,
    (8, 4): ml_dtypes.float8_e4m3fn,
    (8, 5): ml_dtypes.float8_e5m2,
    (16, 5): np.float16,
    (16, 8): ml_dtypes.bfloat16,
}


def kind(form: NumberFormat) -> Any:
    return ELEMENTS[int(form.element_bits), int(form.exponent_bits)]


def largest(form: NumberFormat) -> float:
    """Of the magnitudes, in the units of the standard; integers count."""
    return float(ml_dtypes.finfo(kind(form)).max) if form.exponent_bits else 2.0 ** (int(form.element_bits) - 1) - 1


def nearest(x: np.ndarray, form: NumberFormat) -> np.ndarray:
    """The nearest number of the format; what lies above the largest saturates."""
    held = np.clip(x, -largest(form), largest(form))
    return held.astype(np.float32).astype(kind(form)).astype(float) if form.exponent_bits else np.rint(held)


def scales(most: np.ndarray, form: NumberFormat) -> np.ndarray:
    """Of blocks with these largest magnitudes."""
    if form.scale_bits and not form.scale_fraction_bits:
        if form.fitted_scale:
            return 2.0 ** np.ceil(np.log2(most / largest(form)))
        return 2.0 ** (np.floor(np.log2(most)) - np.floor(np.log2(largest(form))))
    exact = most / largest(form)
    unit = 2.0 ** (np.floor(np.log2(exact)) - (form.scale_fraction_bits if form.scale_bits else 23))
    return np.rint(exact / unit) * unit


def rounded(x: np.ndarray, form: NumberFormat) -> np.ndarray:
    """The same values in the format: blocks of neighbours, or all of them where no block has a scale."""
    blocks = x.reshape(-1, int(form.block)) if form.scale_bits else x.reshape(1, -1)
    scale = scales(np.abs(blocks).max(axis=1, keepdims=True), form)
    return (nearest(blocks / scale, form) * scale).reshape(x.shape)
