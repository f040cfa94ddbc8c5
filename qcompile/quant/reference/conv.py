"""QLinearConv of any rank, in integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.params import QuantParams
from qcompile.quant.reference.requantize import centred, output_multiplier, requantize


def qlinear_conv(
    x_q: npt.NDArray[Any],
    x: QuantParams,
    w_q: npt.NDArray[Any],
    w: QuantParams,
    bias: npt.NDArray[np.int32] | None,
    y: QuantParams,
    strides: Sequence[int] = (),
    pads: Sequence[int] = (),
    dilations: Sequence[int] = (),
    group: int = 1,
) -> npt.NDArray[Any]:
    """QLinearConv, bit for bit as onnxruntime computes it on a machine without 16-bit saturation.

    Args:
        x_q: codes of the input, shape (N, C, *spatial).
        w_q: codes of the weight, shape (M, C / group, *kernel); `w` is per tensor or has axis 0.
        bias: int32, shape (M,), in units of x.scale * w.scale.
        strides, dilations: one number a spatial axis; empty means ones.
        pads: begins of all spatial axes, then ends, as in ONNX; empty means zeros.

    Returns:
        Codes of the output, shape (N, M, *spatial_out), of the type of `y`.
    """
    rank = x_q.ndim - 2
    accumulator = _convolve(
        _padded(centred(x_q, x), pads or [0] * 2 * rank),
        centred(w_q, w),
        strides or [1] * rank,
        dilations or [1] * rank,
        group,
    )
    per_channel = (-1, *[1] * rank)
    if bias is not None:
        accumulator += bias.reshape(per_channel)
    return requantize(accumulator, output_multiplier(x, w, y).reshape(per_channel), y)


def _padded(x: npt.NDArray[np.float64], pads: Sequence[int]) -> npt.NDArray[np.float64]:
    rank = x.ndim - 2
    return np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)])


def _convolve(
    x: npt.NDArray[np.float64],
    w: npt.NDArray[np.float64],
    strides: Sequence[int],
    dilations: Sequence[int],
    group: int,
) -> npt.NDArray[np.float64]:
    """Sum over the taps of the kernel, each a matrix product per group; memory is that of one shifted input."""
    batch, kernel = x.shape[0], w.shape[2:]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    size = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, strides, strict=True)]
    total = np.zeros((batch, group, w.shape[0] // group, int(np.prod(size))))
    for tap in np.ndindex(*kernel):
        window = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, dilations, size, strides, strict=True)
        )
        shifted = x[:, :, *window].reshape(batch, group, w.shape[1], -1)
        total += w[:, :, *tap].reshape(group, -1, w.shape[1]) @ shifted
    return total.reshape(batch, w.shape[0], *size)
