"""Parameters under which a piecewise linear function is a clamp of codes."""

from __future__ import annotations

import numpy as np

from qcompile.quant.params import QuantParams, params_from_range
from qcompile.quant.scheme import Scheme


def params_with_knee(low: float, high: float, knee: float, scheme: Scheme) -> QuantParams:
    """Parameters of [low, high] whose codes hit -knee exactly, so that clip(x, -knee, knee) is a clamp of codes.

    The range is widened to contain -knee, and the scale raised to the next one that divides the knee. In a range so
    wide that the knee is less than a step, it stays between codes.
    """
    low = min(low, -knee)
    params = params_from_range(low, high, scheme)
    steps = int(knee / float(params.scale))
    if steps == 0:
        return params
    scale = np.float32(knee / steps)
    zero_point = min(max(round(scheme.qmin - low / float(scale)), scheme.qmin + steps), scheme.qmax)
    return QuantParams(np.asarray(scale), np.asarray(0 if scheme.symmetric else zero_point, scheme.numpy_dtype))


def knee_steps(params: QuantParams, knee: float) -> int | None:
    """How many codes the knee lies from zero; None if it falls between codes, or -knee below the lowest one."""
    steps = knee / float(params.scale)
    if abs(steps - round(steps)) > 1e-5 * steps or int(params.zero_point) - round(steps) < params.qmin:
        return None
    return round(steps)


def hard_sigmoid_params(x: QuantParams, knee: float, steps: int) -> QuantParams:
    """Parameters of clip(x / (2 knee) + 0.5, 0, 1), read from the clamped codes of x as they are."""
    scale = np.float32(float(x.scale) / (2 * knee))
    return QuantParams(np.asarray(scale), np.asarray(int(x.zero_point) - steps, x.zero_point.dtype))
