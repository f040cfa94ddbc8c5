"""Inputs that are pictures: what a first convolution and the ops before it say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qcompile.calibrate.picture_scales import Span, likely_span
from qcompile.calibrate.sources.spec import InputSpec
from qcompile.calibrate.uses import AFFINE, MULTIPLIES, Use, other_operand, shape_of
from qcompile.ir import attribute, constant, is_op


@dataclass(frozen=True)
class Picture:
    """A picture of rank 4, its channels on axis 1 or 3; black and white are `span`, None: about 0 with variance 1."""

    channels: int
    axis: int
    span: Span | None = None


_CHANNELS = (1, 3)
"""Of pictures; other numbers are those of feature maps, or of bands that have another spectrum."""


def find_picture(spec: InputSpec, uses: Iterable[Use]) -> Picture | None:
    """The picture that an input of rank 4 is, where a convolution of 1 or 3 channels reads it; `uses` are its uses,
    also those after a change of layout or scale."""
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
    return Picture(channels, axes[0], (0.0, 255.0) if spec.dtype == np.uint8 else _span(steps))


def _span(steps: Iterable[Use]) -> Span | None:
    """Black and white, by the first op that tells: x / 255, x - 127.5, (x - 0.485) / 0.229, ..., or the convolution."""
    scaled = False
    for use in steps:
        if is_op(use.node, *MULTIPLIES):
            return likely_span(use.node) if is_op(use.node, "Conv") and not scaled else None
        if is_op(use.node, *AFFINE):
            if (high := _told_by(use)) is not None:
                return 0.0, high
            scaled = True
    return None


def _told_by(use: Use) -> float | None:
    op_type = use.node.op_type
    other = constant(use.node.inputs[3]) if op_type == "BatchNormalization" else other_operand(use)
    number = 0.0 if other is None else float(np.mean(other))
    if op_type in ("Mul", "Div"):
        gain = abs(number) if op_type == "Mul" or not number else 1 / abs(number)
        return 255.0 if 0 < gain <= _PIXEL_GAIN else 1.0 if gain >= 1 / _PIXEL_GAIN else None
    middle = -number if op_type == "Add" else number
    if middle > 2:
        return 255.0
    # A running mean below 1 may as well be that of normalised pixels.
    return 1.0 if 0 < middle <= 1 and op_type != "BatchNormalization" else None


_PIXEL_GAIN = 1 / 50
"""What brings pixels of 0 to 255 to a small range is below it: 1/255, 1/127.5, 1/58 are usual."""
