"""Parameters of weights: symmetric int8, from the largest magnitude of each channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.params import SCALE_FLOOR, QuantParams
from qcompile.quant.scheme import WEIGHT_INT8, Scheme


def weight_params(weight: npt.NDArray[Any], axis: int | None, scheme: Scheme = WEIGHT_INT8) -> QuantParams:
    """Symmetric parameters per channel along `axis`, or of the whole tensor if `axis` is None.

    A dead channel (all zero, or so small that its scale would be) gets `SCALE_FLOOR`: its codes are zero under any
    scale, and the smallest one leaves `fit_weight_scale` free to choose what suits the channel's bias.

    Args:
        weight: float, any shape; may be empty.
        axis: counted from the end if negative.

    Raises:
        ValueError: the scheme is not symmetric, the weight has no such axis, or a value is not finite.
    """
    if not scheme.symmetric:
        raise ValueError("weights need a symmetric scheme")
    if axis is not None and not -weight.ndim <= axis < weight.ndim:
        raise ValueError(f"a weight of shape {weight.shape} has no axis {axis}")
    channel_axis = None if axis is None else axis % weight.ndim
    others = tuple(i for i in range(weight.ndim) if i != channel_axis)
    low = weight.min(axis=others, initial=0.0).astype(np.float64)
    high = weight.max(axis=others, initial=0.0).astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError("a weight is NaN or infinite")
    scale = np.maximum(scheme.step(low, high), SCALE_FLOOR).astype(np.float32)
    return QuantParams(scale, np.zeros(scale.shape, scheme.numpy_dtype), channel_axis)
