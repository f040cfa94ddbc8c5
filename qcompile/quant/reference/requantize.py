"""What every integer kernel starts and ends with: centring codes, and scaling an accumulator to the output's grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.params import QuantParams


def centred(q: npt.NDArray[Any], params: QuantParams) -> npt.NDArray[np.float64]:
    """q - zero_point. In float64, whose sums of 8-bit products are exact and whose matrix products are fast."""
    return np.asarray(q.astype(np.float64) - params.spread(params.zero_point, q.ndim))


def output_multiplier(x: QuantParams, w: QuantParams, y: QuantParams | None) -> npt.NDArray[np.float32]:
    """x.scale * w.scale / y.scale in float32, one rounding each, in that order; without `y` the product alone."""
    product = x.scale * w.scale
    return np.asarray(product if y is None else product / y.scale)


def requantize(accumulator: npt.NDArray[Any], multiplier: npt.NDArray[np.float32], y: QuantParams) -> npt.NDArray[Any]:
    """rint(float32(accumulator) * multiplier) + zero point, half to even, saturating.

    Args:
        accumulator: exact integers (of any type) of int32 range, any shape.
        multiplier: shape () or broadcastable against the accumulator.
        y: the output's parameters; only its zero point is used.
    """
    scaled = np.rint(accumulator.astype(np.float32) * multiplier).astype(np.float64)
    return np.asarray(np.clip(scaled + y.zero_point, y.qmin, y.qmax), y.zero_point.dtype)
