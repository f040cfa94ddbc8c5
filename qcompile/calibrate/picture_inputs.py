"""Inputs that are pictures: what a first convolution and the ops before it say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qcompile.calibrate.sources.spec import InputSpec
from qcompile.calibrate.uses import AFFINE, MULTIPLIES, Use, other_operand, shape_of
from qcompile.ir import attribute, constant, is_op


@dataclass(frozen=True)
class Picture:
    """A picture of rank 4, its channels on axis 1 or 3; pixels from 0 to `high`, None: about 0 with variance 1."""

    channels: int
    axis: int
    high: float | None = None


_CHANNELS = (1, 3)


def find_picture(spec: InputSpec, uses: Iterable[Use]) -> Picture | None:
    if spec.shape is None or len(spec.shape) != 4 or not (spec.dtype.kind == "f" or spec.dtype == np.uint8):
        return None
    steps = list(uses)
    conv = next((use.node for use in steps if is_op(use.node, "Conv") and use.at == 0), None)
    weight = shape_of(conv.inputs[1]) if conv is not None and conv.inputs[1] is not None else None
    if conv is None or weight is None or len(weight) != 4 or not isinstance(weight[1], int):
        return None
    channels = weight[1] * attribute(conv, "group", 1)
    moved = any(is_op(use.node, "Transpose") for use in steps[:1])
    axes = [axis for axis in ((3, 1) if moved else (1, 3)) if spec.shape[axis] == channels]
    axes += [axis for axis in ((3,) if moved else (1,)) if not isinstance(spec.shape[axis], int)]
    if channels not in _CHANNELS or not axes:
        return None
    high = 255.0 if spec.dtype == np.uint8 else _high(steps)
    return Picture(channels, axes[0], high)


def _high(steps: Iterable[Use]) -> float | None:
    """The brightest pixel, by the first op that scales or shifts: x / 255, x - 127.5, (x - 0.485) / 0.229, ..."""
    for use in steps:
        node = use.node
        if is_op(node, *MULTIPLIES):
            return None
        if not is_op(node, *AFFINE):
            continue
        other = constant(node.inputs[3]) if node.op_type == "BatchNormalization" else other_operand(use)
        if other is None:
            return None
        number = float(np.mean(other)) * (-1 if node.op_type == "Add" else 1)
        factor = 1 / number if node.op_type == "Div" and number else number
        if node.op_type in ("Mul", "Div"):
            if abs(factor) <= _PER_PIXEL_STEP:
                return 255.0
            if abs(factor) >= 1 / _PER_PIXEL_STEP:
                return 1.0
        elif number > 2:
            return 255.0
        elif node.op_type != "BatchNormalization" and 0 < number <= 1:
            return 1.0
    return None


_PER_PIXEL_STEP = 1 / 50
"""A factor below it brings pixels of 0 to 255 to a small range; 1/255, 1/127.5, 1/58 are usual."""
