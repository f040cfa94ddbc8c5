"""Inputs that are sound: what a first convolution along time says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qcompile.calibrate.sources.spec import InputSpec
from qcompile.calibrate.uses import SAME_VALUES, Crossings, Use, shape_of, uses_of
from qcompile.ir import is_op


@dataclass(frozen=True)
class Waveform:
    """Sound along the last axis, full scale being 1."""


PADDED = SAME_VALUES | {"Pad"}
"""What comes between sound and its convolution."""

_NORMALISES = ("GroupNormalization", "InstanceNormalization", "LayerNormalization", "ReduceMean")


def is_waveform(spec: InputSpec, uses: Iterable[Use], inner: Crossings) -> bool:
    """Whether an input of rank 2, or of rank 3 with one channel, is sound: a convolution of one channel reads it.

    Not where a normalization follows: such networks take sound of mean 0 and variance 1, as other floats.
    `uses` are its uses, also those after a change of layout and padding.
    """
    if spec.dtype.kind != "f" or spec.shape is None or not (len(spec.shape) == 2 or _has_one_channel(spec.shape)):
        return False
    conv = next((use.node for use in uses if is_op(use.node, "Conv") and use.at == 0), None)
    weight = shape_of(conv.inputs[1]) if conv is not None and conv.inputs[1] is not None else None
    if conv is None or weight is None or len(weight) != 3 or weight[1] != 1 or weight[2] == 1:
        return False
    return not any(is_op(use.node, *_NORMALISES) for use in uses_of(conv.outputs[0], SAME_VALUES, inner))


def _has_one_channel(shape: tuple[int | str | None, ...]) -> bool:
    return len(shape) == 3 and shape[1] == 1
