"""MobileNetV2: Sandler et al., Inverted Residuals and Linear Bottlenecks, 2018."""

from __future__ import annotations

from benchmarks.networks.builder import Builder, Network, Value
from benchmarks.networks.layers import BRANCH_GAIN, add, classifier, conv_bn, relu6
from benchmarks.networks.samples import picture, pictures

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks, stride of the first block."""


def mobilenet_v2() -> Network:
    """`image` (1, 3, 224, 224) to `logits` (1, 1000)."""
    b = Builder(seed=2)
    x = relu6(b, conv_bn(b, pictures(b), 32, 3, stride=2))
    for expansion, channels, blocks, stride in STAGES:
        for block in range(blocks):
            x = _inverted_residual(b, x, expansion, channels, 1 if block else stride)
    x = relu6(b, conv_bn(b, x, 1280, 1))
    return Network(b.model("mobilenet_v2", logits=classifier(b, x)), picture)


def _inverted_residual(b: Builder, x: Value, expansion: int, channels: int, stride: int) -> Value:
    y, inner = x, expansion * x.shape[1]
    if expansion > 1:
        y = relu6(b, conv_bn(b, y, inner, 1))
    y = relu6(b, conv_bn(b, y, inner, 3, stride, group=inner))
    if stride > 1 or channels != x.shape[1]:
        return conv_bn(b, y, channels, 1)
    return add(b, x, conv_bn(b, y, channels, 1, gain=BRANCH_GAIN))
