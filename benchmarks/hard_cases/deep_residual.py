"""A residual net of 100 layers, through which errors add up."""

from __future__ import annotations

from benchmarks.hard_cases.case import HardCase
from benchmarks.networks import Builder, Network
from benchmarks.networks.layers import BRANCH_GAIN, add, classifier, conv_bn, relu
from benchmarks.networks.samples import picture, pictures

LAYERS, CHANNELS, SIDE = 100, 24, 32


def deep_residual() -> HardCase:
    """`image` to `logits`; a convolution, 49 blocks of two, and the linear layer."""
    b = Builder(seed=6)
    x = relu(b, conv_bn(b, pictures(b, side=SIDE), CHANNELS, 3, stride=2))
    for _ in range(LAYERS // 2 - 1):
        y = relu(b, conv_bn(b, x, CHANNELS, 3))
        x = relu(b, add(b, x, conv_bn(b, y, CHANNELS, 3, gain=BRANCH_GAIN)))
    model = b.model("deep_residual", logits=classifier(b, x, 10))
    return HardCase(Network(model, lambda rng: picture(rng, SIDE)))
