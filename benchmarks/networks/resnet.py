"""ResNet-50: He et al., Deep Residual Learning for Image Recognition, 2015 (stride in the 3x3 convolution)."""

from __future__ import annotations

from benchmarks.networks.builder import Builder, Network, Value
from benchmarks.networks.layers import BRANCH_GAIN, add, classifier, conv_bn, relu
from benchmarks.networks.samples import picture, pictures

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))


def resnet50() -> Network:
    """`image` (1, 3, 224, 224) to `logits` (1, 1000)."""
    b = Builder(seed=50)
    x = relu(b, conv_bn(b, pictures(b), 64, 7, stride=2))
    x = b.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, (width, blocks) in enumerate(STAGES):
        for block in range(blocks):
            x = _bottleneck(b, x, width, stride=2 if stage and not block else 1)
    return Network(b.model("resnet50", logits=classifier(b, x)), picture)


def _bottleneck(b: Builder, x: Value, width: int, stride: int) -> Value:
    y = relu(b, conv_bn(b, x, width, 1))
    y = relu(b, conv_bn(b, y, width, 3, stride))
    y = conv_bn(b, y, 4 * width, 1, gain=BRANCH_GAIN)
    if x.shape != y.shape:
        x = conv_bn(b, x, 4 * width, 1, stride)
    return relu(b, add(b, x, y))
