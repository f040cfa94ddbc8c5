"""Matrix products in integers: QLinearMatMul, QGemm, MatMulIntegerToFloat."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.params import QuantParams
from qcompile.quant.reference.requantize import centred, output_multiplier, requantize


def qlinear_matmul(
    a_q: npt.NDArray[Any], a: QuantParams, b_q: npt.NDArray[Any], b: QuantParams, y: QuantParams
) -> npt.NDArray[Any]:
    """QLinearMatMul, bit for bit as onnxruntime computes it.

    Args:
        a_q: codes, shape (..., M, K); `a` is per tensor.
        b_q: codes, shape (..., K, N); `b` is per tensor or per column (the last axis).

    Returns:
        Codes, shape (..., M, N), of the type of `y`.
    """
    return requantize(centred(a_q, a) @ centred(b_q, b), output_multiplier(a, b, y), y)


def qgemm(
    a_q: npt.NDArray[Any],
    a: QuantParams,
    b_q: npt.NDArray[Any],
    b: QuantParams,
    bias: npt.NDArray[np.int32] | None,
    y: QuantParams | None,
    *,
    trans_a: bool = False,
    trans_b: bool = False,
) -> npt.NDArray[Any]:
    """com.microsoft.QGemm with alpha 1, bit for bit as onnxruntime computes it.

    Args:
        a_q: codes, shape (M, K), or (K, M) with `trans_a`; `a` is per tensor.
        b_q: codes, shape (K, N), or (N, K) with `trans_b`; `b` is per tensor or has the axis of N.
        bias: int32, in units of a.scale * b.scale, broadcastable to (M, N).
        y: None for float output.

    Returns:
        Shape (M, N): codes of the type of `y`, or float32(sum + bias) * float32(a.scale * b.scale).
    """
    left, right = centred(a_q, a), centred(b_q, b)
    accumulator = (left.T if trans_a else left) @ (right.T if trans_b else right)
    if bias is not None:
        accumulator += bias
    multiplier = output_multiplier(a, b, y)
    return accumulator.astype(np.float32) * multiplier if y is None else requantize(accumulator, multiplier, y)


def matmul_integer_to_float(
    a_q: npt.NDArray[Any],
    a: QuantParams,
    b_q: npt.NDArray[Any],
    b: QuantParams,
    bias: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """com.microsoft.MatMulIntegerToFloat, bit for bit as onnxruntime computes it: two roundings, product then bias.

    Args:
        a_q: codes, shape (..., M, K); `a` is per tensor.
        b_q: codes, shape (..., K, N); `b` is per tensor or per column (the last axis).
        bias: float32, shape (N,).

    Returns:
        float32, shape (..., M, N).
    """
    product = (centred(a_q, a) @ centred(b_q, b)).astype(np.float32) * output_multiplier(a, b, None)
    return product if bias is None else product + bias
