"""Codes of weights that are rounded to make a layer's output right, not each weight; and how a plan keeps them."""

from __future__ import annotations

import zlib
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.coordinate_descent import coordinate_descent
from qcompile.quant.gptq import gptq
from qcompile.quant.params import QuantParams
from qcompile.quant.scheme import WEIGHT_INT8

Array = npt.NDArray[Any]

DAMPING = 0.01
"""What is added to the diagonal of a second moment, as a share of its mean: inputs that calibration hardly saw are not
free to take any error (Frantar et al. 2022, arXiv 2210.17323, section 3.3)."""

REACH = 127
"""How far a code may go from rounding to nearest: as far as int8 can say."""

LEVEL = 4
"""Of zlib: an eighth larger than the smallest form, in a fiftieth of the time."""


class Rounding(StrEnum):
    """How codes are found."""

    DESCENT = "descent"
    """Coordinate descent from rounding to nearest."""
    GPTQ = "gptq"
    """Coordinate descent from what GPTQ finds, where that is better."""


def round_weights(exact: Array, nearest: Array, moment: Array, method: Rounding) -> Array:
    """Codes with a smaller error E[((q - exact)' x)²] than rounding to nearest, never a larger one.

    Args:
        exact: weights in steps of their scale, float, shape (groups, channels, K).
        nearest: their codes by rounding to nearest, same shape.
        moment: E[x x'] of the inputs, float, shape (groups, K, K), finite.

    Returns:
        Codes, int8, same shape.
    """
    damped = _damped(moment)
    wanted = np.ascontiguousarray(exact.swapaxes(1, 2), np.float32)
    start = np.ascontiguousarray(nearest.swapaxes(1, 2), np.float32)
    low, high = np.maximum(start - REACH, WEIGHT_INT8.qmin), np.minimum(start + REACH, WEIGHT_INT8.qmax)
    if method is Rounding.GPTQ:
        other = gptq(wanted, damped, low, high)
        is_better = _squared_error(other - wanted, damped) < _squared_error(start - wanted, damped)
        start = np.where(is_better[:, None], other, start)
    codes = coordinate_descent(wanted, start, damped, low, high)
    return np.asarray(codes.swapaxes(1, 2), np.int8)


def _damped(moment: Array) -> Array:
    diagonal = np.arange(moment.shape[-1])
    damping = DAMPING * moment[:, diagonal, diagonal].mean(axis=1, keepdims=True)
    damped = np.array(moment, np.float32)
    damped[:, diagonal, diagonal] += np.where(damping > 0, damping, 1.0)  # inputs that are always 0: to nearest
    return damped


def _squared_error(errors: Array, moment: Array) -> Array:
    return np.asarray(np.sum(errors * (moment @ errors), axis=1, dtype=np.float64))


def pack_steps(codes: Array, nearest: Array) -> bytes:
    """The differences of two arrays of codes, at most `REACH`, as a plan keeps them."""
    return zlib.compress((codes.astype(np.int16) - nearest).astype(np.int8).tobytes(), LEVEL)


def rounded_codes(weight: Array, params: QuantParams, steps: bytes | None) -> Array:
    """Codes of a weight: rounded to nearest, then moved by packed `steps`, saturating; type of the zero point.

    Raises:
        ValueError: `steps` do not hold one int8 for each element.
    """
    codes = params.quantize(weight)
    if steps is None:
        return codes
    moved = codes.astype(np.int16) + _unpack(steps, weight.size).reshape(weight.shape)
    return np.asarray(np.clip(moved, WEIGHT_INT8.qmin, WEIGHT_INT8.qmax), codes.dtype)


def _unpack(steps: bytes, size: int) -> npt.NDArray[np.int8]:
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(steps, size + 1)  # whoever wrote them: never more memory than the weight is worth
    except zlib.error as error:
        raise ValueError(f"steps cannot be unpacked ({error})") from error
    if len(raw) != size or not unpacker.eof:
        raise ValueError(f"steps do not hold {size} numbers")
    return np.frombuffer(raw, np.int8)
