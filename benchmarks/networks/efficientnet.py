"""EfficientNet-B0: Tan and Le, Rethinking Model Scaling for Convolutional Neural Networks, 2019."""

from __future__ import annotations

from benchmarks.networks.builder import Builder, Network, Value
from benchmarks.networks.layers import BRANCH_GAIN, add, classifier, conv_bn, silu, squeeze_excite
from benchmarks.networks.samples import picture, pictures

STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
"""Expansion, channels, blocks, stride of the first block, kernel."""


def efficientnet_b0() -> Network:
    """`image` (1, 3, 224, 224) to `logits` (1, 1000)."""
    b = Builder(seed=0)
    x = silu(b, conv_bn(b, pictures(b), 32, 3, stride=2))
    for expansion, channels, blocks, stride, kernel in STAGES:
        for block in range(blocks):
            x = _block(b, x, expansion, channels, 1 if block else stride, kernel)
    x = silu(b, conv_bn(b, x, 1280, 1))
    return Network(b.model("efficientnet_b0", logits=classifier(b, x)), picture)


def _block(b: Builder, x: Value, expansion: int, channels: int, stride: int, kernel: int) -> Value:
    y, inner = x, expansion * x.shape[1]
    if expansion > 1:
        y = silu(b, conv_bn(b, y, inner, 1))
    y = silu(b, conv_bn(b, y, inner, kernel, stride, group=inner))
    y = squeeze_excite(b, y, x.shape[1] // 4)
    if stride > 1 or channels != x.shape[1]:
        return conv_bn(b, y, channels, 1)
    return add(b, x, conv_bn(b, y, channels, 1, gain=BRANCH_GAIN))
