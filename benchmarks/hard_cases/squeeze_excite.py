"""Blocks with squeeze-and-excite gates and hard-swish, as in MobileNetV3 (Howard et al., 2019)."""

from __future__ import annotations

from benchmarks.hard_cases.case import HardCase
from benchmarks.networks import Builder, Network, Value, layers
from benchmarks.networks.layers import BRANCH_GAIN, add, classifier, conv_bn, hard_swish
from benchmarks.networks.samples import picture, pictures

SIDE, CHANNELS, BLOCKS, EXPANSION = 64, 24, 5, 4


def squeeze_excite() -> HardCase:
    """`image` to `logits`."""
    b = Builder(seed=5)
    x = hard_swish(b, conv_bn(b, pictures(b, side=SIDE), CHANNELS, 3, stride=2))
    for _ in range(BLOCKS):
        x = add(b, x, _block(b, x))
    model = b.model("squeeze_excite", logits=classifier(b, x, 10))
    return HardCase(Network(model, lambda rng: picture(rng, SIDE)))


def _block(b: Builder, x: Value) -> Value:
    inner = EXPANSION * CHANNELS
    y = hard_swish(b, conv_bn(b, x, inner, 1))
    y = hard_swish(b, conv_bn(b, y, inner, 5, group=inner))
    y = layers.squeeze_excite(b, y, inner // 4, gate="HardSigmoid")
    return conv_bn(b, y, CHANNELS, 1, gain=BRANCH_GAIN)
