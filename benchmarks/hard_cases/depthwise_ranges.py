"""Depthwise convolutions between channels whose ranges differ 2,000-fold, as MobileNets have once they are folded."""

from __future__ import annotations

import numpy as np

from benchmarks.hard_cases.case import HardCase
from benchmarks.networks import Builder, Network, Value
from benchmarks.networks.layers import add, classifier, conv, relu
from benchmarks.networks.samples import picture, pictures

RATIO = 2000
BLOCKS, CHANNELS, INNER, SIDE = 4, 16, 64, 32


def depthwise_ranges() -> HardCase:
    """Blocks of wide, depthwise and narrow convolutions; each inner channel is as important as any other."""
    b = Builder(seed=1)
    x = relu(b, conv(b, pictures(b, side=SIDE), CHANNELS, 3, stride=2))
    for _ in range(BLOCKS):
        x = add(b, x, _block(b, x))
    model = b.model("depthwise_ranges", logits=classifier(b, x, 10))
    return HardCase(Network(model, lambda rng: picture(rng, SIDE)))


def _block(b: Builder, x: Value) -> Value:
    ranges = b.rng.permutation(np.geomspace(RATIO**-0.5, RATIO**0.5, INNER))
    y = relu(b, conv(b, x, INNER, 1, sizes=ranges, bias=False))
    y = relu(b, conv(b, y, INNER, 3, group=INNER, bias=False))
    return conv(b, y, CHANNELS, 1, divisors=ranges)
