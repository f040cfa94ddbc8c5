"""Operators on codes without weights: Add, Mul, LeakyRelu, Sigmoid, GlobalAveragePool, Concat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.params import QuantParams
from qcompile.quant.reference.requantize import centred, requantize


def qlinear_add(
    a_q: npt.NDArray[Any], a: QuantParams, b_q: npt.NDArray[Any], b: QuantParams, y: QuantParams
) -> npt.NDArray[Any]:
    """com.microsoft.QLinearAdd with broadcasting; onnxruntime may be one step off where the sum is near a tie."""
    return y.quantize(a.dequantize(a_q) + b.dequantize(b_q))


def qlinear_mul(
    a_q: npt.NDArray[Any], a: QuantParams, b_q: npt.NDArray[Any], b: QuantParams, y: QuantParams
) -> npt.NDArray[Any]:
    """com.microsoft.QLinearMul with broadcasting; onnxruntime may be one step off where the product is near a tie."""
    return y.quantize(a.dequantize(a_q) * b.dequantize(b_q))


def qlinear_leaky_relu(
    x_q: npt.NDArray[Any], x: QuantParams, y: QuantParams, *, alpha: float = 0.01
) -> npt.NDArray[Any]:
    """com.microsoft.QLinearLeakyRelu, bit for bit: the float operator on dequantized values."""
    values = x.dequantize(x_q)
    return y.quantize(np.where(values >= 0, values, values * np.float32(alpha)))


def qlinear_sigmoid(x_q: npt.NDArray[Any], x: QuantParams, y: QuantParams) -> npt.NDArray[Any]:
    """com.microsoft.QLinearSigmoid: the float operator on dequantized values, here rounded once from float64."""
    # tanh, because exp overflows for large negative values
    return y.quantize(0.5 + 0.5 * np.tanh(0.5 * x.dequantize(x_q).astype(np.float64)))


def qlinear_global_average_pool(x_q: npt.NDArray[Any], x: QuantParams, y: QuantParams) -> npt.NDArray[Any]:
    """com.microsoft.QLinearGlobalAveragePool with channels_last=0, bit for bit.

    Args:
        x_q: codes, shape (N, C, *spatial).

    Returns:
        Codes, shape (N, C, 1, ..., 1), of the type of `y`.
    """
    spatial = tuple(range(2, x_q.ndim))
    pixels = np.float32(np.prod(x_q.shape[2:]))
    total = centred(x_q, x).sum(axis=spatial, keepdims=True)
    return requantize(total, np.asarray(x.scale / (y.scale * pixels)), y)


def qlinear_concat(
    inputs: Sequence[tuple[npt.NDArray[Any], QuantParams]], y: QuantParams, *, axis: int
) -> npt.NDArray[Any]:
    """com.microsoft.QLinearConcat, bit for bit: codes on another grid than the output's are moved to it."""
    return np.concatenate([q if x == y else y.quantize(x.dequantize(q)) for q, x in inputs], axis=axis)
