"""int32 biases: their codes, and weight scales under which bias and products fit int32 together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

INT32_MAX = 2**31 - 1


def quantize_bias(bias: npt.NDArray[Any], x_scale: float, w_scale: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """rint(bias / (x_scale * w_scale)), half to even, in float64, where the product of two float32 is exact.

    Args:
        bias: float, shape (C,).
        x_scale: scale of the layer's input.
        w_scale: scale of its weight, shape (C,) or ().

    Raises:
        ValueError: a code does not fit int32; `fit_weight_scale` prevents it.
    """
    codes = np.rint(_steps(bias, x_scale, w_scale))
    if not np.all(np.abs(codes) <= INT32_MAX):
        raise ValueError("a bias does not fit int32 at this weight scale")
    return codes.astype(np.int32)


def fit_weight_scale(
    w_scale: npt.NDArray[np.float32],
    bias: npt.NDArray[Any],
    x_scale: float,
    sum_bound: npt.ArrayLike,
) -> npt.NDArray[np.float32]:
    """Raises, where needed and no further than needed, weight scales so that accumulator and bias fit int32 together.

    Afterwards |bias / (x_scale * w_scale)| + sum_bound <= 2**31 - 1 in every channel. A dead channel comes with the
    smallest scale there is, is raised to the scale that its bias fills int32 with, and so keeps 30 bits of it.

    Args:
        w_scale: shape (C,), or () for one scale of the whole weight, raised once for all channels.
        bias: float, shape (C,).
        x_scale: scale of the layer's input.
        sum_bound: largest |sum of (q_x - zero point) * q_w| of a channel, shape (C,) or (); 255 * 127 * K is always
            one. The codes of a weight shrink when its scale is raised, so the bound of the old scale holds.

    Raises:
        ValueError: no float32 scale is large enough, or the bound alone does not fit.
    """
    room = INT32_MAX - np.asarray(sum_bound, np.float64)
    if np.any(room < 1):
        raise ValueError("the products alone may overflow int32")
    with np.errstate(over="ignore"):
        needed = (np.abs(bias.astype(np.float64)) / (room * float(x_scale))).astype(np.float32)
    too_small = np.abs(_steps(bias, x_scale, np.maximum(needed, np.finfo(np.float32).tiny))) > room
    needed = np.where(too_small, np.nextafter(needed, np.float32(np.inf)), needed)
    if not np.isfinite(needed).all():
        raise ValueError("a bias is not finite, or too large for any weight scale")
    return np.maximum(w_scale, needed if w_scale.ndim else needed.max(initial=0.0)).astype(np.float32)


def _steps(bias: npt.NDArray[Any], x_scale: float, w_scale: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return np.asarray(bias.astype(np.float64) / (float(x_scale) * w_scale.astype(np.float64)))
