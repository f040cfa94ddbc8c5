"""Layers in the form in which PyTorch exports them: functions that add nodes to a network and return their value."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.networks.builder import Builder, Value

CHANNEL_SPREAD = 0.3
"""Standard deviation of the logarithm of the output channels' sizes: a factor of about four from end to end."""


BRANCH_GAIN = 0.3
"""Size of the last layer of a residual branch: training leaves what is added smaller than what it is added to."""


def conv_bn(
    b: Builder, x: Value, channels: int, kernel: int, stride: int = 1, group: int = 1, gain: float = 1.0
) -> Value:
    """A convolution, then its BatchNormalization, whose scales are about `gain`."""
    sizes = np.exp(b.rng.normal(0, CHANNEL_SPREAD, channels))
    y = conv(b, x, channels, kernel, stride, group, sizes=sizes, bias=False)
    return batch_norm(b, y, gain)


def batch_norm(b: Builder, x: Value, gain: float = 1.0) -> Value:
    """BatchNormalization with the mean and the variance that the samples have."""
    channels = x.shape[1]
    scale = b.normal(channels, centre=gain, spread=0.2 * gain)
    shift = b.normal(channels, spread=0.3 * gain)
    mean, variance = b.constant(x.array.mean(axis=(0, 2, 3))), b.constant(x.array.var(axis=(0, 2, 3)) + 1e-6)
    return b.op("BatchNormalization", x, scale, shift, mean, variance)


def conv(
    b: Builder,
    x: Value,
    channels: int,
    kernel: int,
    stride: int = 1,
    group: int = 1,
    *,
    pad: int | None = None,
    sizes: np.ndarray | float = 1.0,
    divisors: np.ndarray | float = 1.0,
    bias: bool = True,
) -> Value:
    """A convolution, padded to keep the size unless `pad` is given.

    Its weights are multiplied by `sizes`, one an output channel, and divided by `divisors`, one an input channel.
    """
    inputs = x.shape[1] // group
    weight = b.rng.normal(size=(channels, inputs, kernel, kernel)) / np.sqrt(inputs * kernel**2)
    scaled = weight * np.reshape(sizes, (-1, 1, 1, 1)) / np.reshape(divisors, (1, -1, 1, 1))
    weights = [b.constant(scaled)] + [b.normal(channels, spread=0.1)] * bias
    pads = [(kernel - 1) // 2 if pad is None else pad] * 4
    return b.op("Conv", x, *weights, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, group=group)


def relu(b: Builder, x: Value) -> Value:
    """max(x, 0)."""
    return b.op("Relu", x)


def relu6(b: Builder, x: Value) -> Value:
    """x within 0 and 6."""
    return b.op("Clip", x, b.constant(0.0), b.constant(6.0))


def silu(b: Builder, x: Value) -> Value:
    """x sigmoid(x)."""
    return b.op("Mul", x, b.op("Sigmoid", x))


def hard_swish(b: Builder, x: Value) -> Value:
    """x clip(x + 3, 0, 6) / 6."""
    return b.op("HardSwish", x)


def gelu(b: Builder, x: Value) -> Value:
    """x (1 + erf(x / sqrt 2)) / 2, in the nodes that the exporter writes."""
    gate = b.op("Add", b.op("Erf", b.op("Div", x, b.constant(math.sqrt(2)))), b.constant(1.0))
    return b.op("Mul", b.op("Mul", x, gate), b.constant(0.5))


def add(b: Builder, x: Value, y: Value) -> Value:
    """Sum of two values."""
    return b.op("Add", x, y)


def squeeze_excite(b: Builder, x: Value, inner: int, gate: str = "Sigmoid") -> Value:
    """Every channel times a gate that the means of all channels decide; with ReLU inside where the gate is hard."""
    y = conv(b, b.op("GlobalAveragePool", x), inner, 1)
    y = silu(b, y) if gate == "Sigmoid" else relu(b, y)
    return b.op("Mul", x, b.op(gate, conv(b, y, x.shape[1], 1)))


def classifier(b: Builder, x: Value, classes: int = 1000) -> Value:
    """Means of the channels, then a linear layer."""
    return gemm(b, b.op("Flatten", b.op("GlobalAveragePool", x)), classes)


def gemm(b: Builder, x: Value, features: int) -> Value:
    """A linear layer on (batch, inputs)."""
    inputs = x.shape[1]
    weight = b.normal(features, inputs, spread=1 / math.sqrt(inputs))
    return b.op("Gemm", x, weight, b.normal(features, spread=0.1), transB=1)


def linear(
    b: Builder, x: Value, features: int, gain: float = 1.0, *, divisors: np.ndarray | float = 1.0, bias: bool = True
) -> Value:
    """A linear layer on the last axis; `gain` is about the size of its output over that of its input.

    The weights are divided by `divisors`, one an input.
    """
    inputs = x.shape[-1]
    sizes = gain * np.exp(b.rng.normal(0, CHANNEL_SPREAD, features))
    weight = b.rng.normal(size=(inputs, features)) / math.sqrt(inputs) * sizes / np.reshape(divisors, (-1, 1))
    y = b.op("MatMul", x, b.constant(weight))
    return b.op("Add", b.normal(features, spread=0.1), y) if bias else y


def layer_norm(b: Builder, x: Value, epsilon: float = 1e-6) -> Value:
    """LayerNormalization of the last axis."""
    width = x.shape[-1]
    scale, shift = b.normal(width, centre=1.0, spread=0.2), b.normal(width, spread=0.1)
    return b.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)


def reshape(b: Builder, x: Value, *shape: int) -> Value:
    """The same elements in another shape."""
    return b.op("Reshape", x, b.integers(*shape))


def transpose(b: Builder, x: Value, *order: int) -> Value:
    """The axes in another order."""
    return b.op("Transpose", x, perm=order)


def sliced(b: Builder, x: Value, axis: int, start: int, end: int, step: int = 1) -> Value:
    """Part of an axis."""
    return b.op("Slice", x, *(b.integers(number) for number in (start, end, axis, step)))
