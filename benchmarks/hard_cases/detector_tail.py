"""The tail of a detector: boxes in pixels and scores between 0 and 1 in one Concat, as YOLO models end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.hard_cases.case import HardCase, Parts
from benchmarks.networks import Builder, Network, Value
from benchmarks.networks.layers import conv, conv_bn, reshape, silu, sliced
from benchmarks.networks.samples import picture, pictures

SIDE, STRIDE, CLASSES = 128, 8, 20


def detector_tail() -> HardCase:
    """`image` to `detections` (1, 4 + classes, places): centres and sizes of boxes, then scores."""
    b = Builder(seed=2)
    x = pictures(b, count=1, side=SIDE)
    for channels in (16, 32, 64):
        x = silu(b, conv_bn(b, x, channels, 3, stride=2))
    boxes = _boxes(b, silu(b, conv_bn(b, x, 64, 3)))
    scores = b.op("Sigmoid", _flat(b, conv(b, silu(b, conv_bn(b, x, 64, 3)), CLASSES, 1, sizes=2.0)))
    detections = b.op("Concat", boxes, scores, axis=1)
    model = b.model("detector_tail", detections=detections)
    return HardCase(Network(model, lambda rng: picture(rng, SIDE)), parts=_parts)


def _boxes(b: Builder, x: Value) -> Value:
    """Distances to the four sides, in strides, to centres and sizes in pixels."""
    distances = b.op("Softplus", _flat(b, conv(b, x, 4, 1)))
    before, behind = sliced(b, distances, 1, 0, 2), sliced(b, distances, 1, 2, 4)
    across = np.arange(SIDE // STRIDE) + 0.5
    places = b.constant(np.stack(np.meshgrid(across, across)).reshape(1, 2, -1))
    begin, end = b.op("Sub", places, before), b.op("Add", places, behind)
    centre = b.op("Mul", b.op("Add", begin, end), b.constant(0.5))
    return b.op("Mul", b.op("Concat", centre, b.op("Sub", end, begin), axis=1), b.constant(float(STRIDE)))


def _flat(b: Builder, x: Value) -> Value:
    return reshape(b, x, 1, x.shape[1], (SIDE // STRIDE) ** 2)


def _parts(outputs: Sequence[np.ndarray]) -> Parts:
    return {"boxes": outputs[0][:, :4], "scores": outputs[0][:, 4:]}
