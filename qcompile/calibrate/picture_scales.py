"""The scale of pictures that a first convolution was trained on, as its bias or batch normalization tells it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.calibrate.pictures import BRIGHT, DARK, picture
from qcompile.ir import attribute, constant, is_op, sole_consumer

Span = tuple[float, float]

SPANS: tuple[Span, ...] = ((0.0, 1.0), (-1.0, 1.0), (DARK, BRIGHT), (0.0, 255.0), (-115.0, 140.0))
"""Values of black and white that networks are trained with, the commonest first; the last has only its mean removed."""

_SIDE, _PICTURES = 96, 4
"""How much of pictures is looked at, in pixels."""


@dataclass(frozen=True)
class _Affine:
    """What a first convolution makes of pixels from 0 to 1, per output channel."""

    mean: np.ndarray
    deviation: np.ndarray
    of_ones: np.ndarray
    """What it makes of a picture that is 1 everywhere."""


def likely_span(conv: ir.Node) -> Span | None:
    """The values of black and white under which the convolution's statistics are those that it was trained with.

    Batch normalization behind it has recorded the mean and variance of its output. Where that is folded, the bias has
    taken the mean of the output's signal: the two are of one size on the pictures of the training. None where neither
    is there, or the convolution is of another kind.
    """
    weight = constant(conv.inputs[1])
    if weight is None or weight.ndim != 4 or attribute(conv, "group", 1) != 1 or max(weight.shape[2:]) > _SIDE:
        return None
    bias, after = _bias(conv, weight.shape[0])
    seen = _response(np.asarray(weight, np.float64))
    statistics = _recorded(after)
    if statistics is not None:
        costs = [_from_recorded(seen, bias, *statistics, span) for span in SPANS]
    elif bias.any():
        costs = [_from_bias(seen, bias, span) for span in SPANS]
    else:
        return None
    return SPANS[int(np.argmin(costs))] if np.isfinite(costs).all() else None


def _response(weight: np.ndarray) -> _Affine:
    shape = (_PICTURES, weight.shape[1], _SIDE, _SIDE)
    pixels = picture(shape, 1, (0.0, 1.0), np.random.default_rng(0))
    windows = np.lib.stride_tricks.sliding_window_view(pixels, weight.shape[2:], (2, 3))[:, :, ::3, ::3]
    answers = np.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))).reshape(-1, weight.shape[0])
    return _Affine(answers.mean(0), answers.std(0), weight.sum((1, 2, 3)))


def _from_bias(seen: _Affine, bias: np.ndarray, span: Span) -> float:
    """How far signal and bias are from one size, as a logarithm; of the typical channel."""
    used = (bias != 0) & (seen.deviation > 0)
    if not used.any():
        return np.inf
    return float(abs(np.median(np.log((span[1] - span[0]) * seen.deviation[used] / abs(bias[used])))))


def _from_recorded(seen: _Affine, bias: np.ndarray, mean: np.ndarray, variance: np.ndarray, span: Span) -> float:
    """How far mean and deviation are from those recorded, in recorded deviations; of the typical channel."""
    used = (variance > 0) & (seen.deviation > 0)
    if not used.any():
        return np.inf
    gain, deviation = span[1] - span[0], np.sqrt(variance[used])
    shift = gain * seen.mean + span[0] * seen.of_ones + bias - mean
    return float(np.median(abs(np.log(gain * seen.deviation[used] / deviation)) + abs(shift[used]) / deviation))


def _bias(conv: ir.Node, channels: int) -> tuple[np.ndarray, ir.Node | None]:
    """The bias, also that which an Add behind the convolution holds; and the node behind both."""
    arrays = [constant(value) for value in conv.inputs[2:3]]
    after = _behind(conv)
    if after is not None and is_op(after, "Add"):
        arrays += [constant(value) for value in after.inputs]
        after = _behind(after)
    found = [np.asarray(array, np.float64).reshape(-1) for array in arrays if array is not None]
    return sum((array for array in found if array.size == channels), np.zeros(channels)), after


def _behind(node: ir.Node) -> ir.Node | None:
    return sole_consumer(node.outputs[0])


def _recorded(node: ir.Node | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and variance that a BatchNormalization has of its input."""
    if node is None or not is_op(node, "BatchNormalization"):
        return None
    mean, variance = (constant(value) for value in node.inputs[3:5])
    return None if mean is None or variance is None else (np.asarray(mean, float), np.asarray(variance, float))
