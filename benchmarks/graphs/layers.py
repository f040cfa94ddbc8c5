"""What a layer may be: functions that add nodes to a graph and return the value that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

from benchmarks.graphs.builder import Builder, Tensor

Layer = Callable[[Builder, Tensor], Tensor]


def conv(b: Builder, x: Tensor) -> Tensor:
    """Plain, grouped or depthwise, of any stride, dilation and padding that fits."""
    channels, *sides = x.shape
    group = b.choose(1, channels, 2 if channels % 2 == 0 else 1)
    made = group * b.number(1, max(1, 16 // group))
    kernel, dilation, stride = b.choose(1, 3), b.number(1, 2), b.number(1, 2)
    reach = dilation * (kernel - 1)
    begin, end = b.number(0, reach), b.number(0, reach)
    attributes: dict[str, Any] = {
        "group": group,
        "dilations": [dilation] * len(sides),
        "strides": [stride] * len(sides),
    }
    padded = [side + begin + end for side in sides]
    if min(padded) <= reach or (dilation == 1 and b.flag()):
        attributes |= {"auto_pad": "SAME_UPPER", "dilations": [1] * len(sides)}
        after = [-(-side // stride) for side in sides]
    else:
        attributes["pads"] = [begin] * len(sides) + [end] * len(sides)
        after = [(side - reach - 1) // stride + 1 for side in padded]
    inputs = [x.name, b.weight(made, channels // group, *[kernel] * len(sides), inputs=channels // group * kernel**2)]
    return b.op("Conv", inputs + [b.vector(made)] * b.flag(), (made, *after), **attributes)


def pool(b: Builder, x: Tensor) -> Tensor:
    """Maximum or mean of windows."""
    channels, *sides = x.shape
    if min(sides) < 2:
        return global_pool(b, x)
    op_type, stride = b.choose("MaxPool", "AveragePool"), b.number(1, 2)
    after = [(side - 2) // stride + 1 for side in sides]
    return b.op(op_type, [x.name], (channels, *after), kernel_shape=[2] * len(sides), strides=[stride] * len(sides))


def global_pool(b: Builder, x: Tensor) -> Tensor:
    """One number a channel."""
    return b.op("GlobalAveragePool", [x.name], (x.shape[0], *[1] * (len(x.shape) - 1)))


def batch_norm(b: Builder, x: Tensor) -> Tensor:
    """Statistics that are not those of the value."""
    n = x.shape[0]
    variance = b.constant((0.5 + b.rng.random(n)).astype(np.float32))
    inputs = [x.name, b.vector(n, centre=1.0), b.vector(n), b.vector(n), variance]
    return b.op("BatchNormalization", inputs, x.shape)


def resize(b: Builder, x: Tensor) -> Tensor:
    """Twice as large, as a decoder does."""
    channels, *sides = x.shape
    scales = b.constant(np.array([1, 1] + [2] * len(sides), np.float32))
    mode = b.choose("nearest", "linear")
    return b.op("Resize", [x.name, "", scales], (channels, *[2 * side for side in sides]), mode=mode)


def pad(b: Builder, x: Tensor) -> Tensor:
    """Zeros, or a border repeated, around the last axes."""
    channels, *sides = x.shape
    before, after = b.number(0, 2), b.number(0, 1)
    pads = b.integers(0, 0, *[before] * len(sides), 0, 0, *[after] * len(sides))
    return b.op(
        "Pad", [x.name, pads], (channels, *[s + before + after for s in sides]), mode=b.choose("constant", "edge")
    )


def flatten(b: Builder, x: Tensor) -> Tensor:
    """To rank 2, in one of the spellings."""
    if b.flag():
        return b.op("Flatten", [x.name], (x.size,))
    return b.op("Reshape", [x.name, b.integers(0, x.size)], (x.size,))


def reshape(b: Builder, x: Tensor) -> Tensor:
    """To (batch, tokens, features) and back to one picture."""
    if len(x.shape) == 3:
        return b.op(
            "Reshape", [x.name, b.integers(-1, x.shape[0], x.size // x.shape[0])], (x.shape[0], x.size // x.shape[0])
        )
    return b.op("Reshape", [x.name, b.integers(0, x.shape[0], -1, 1)], (x.shape[0], x.size // x.shape[0], 1))


def transpose(b: Builder, x: Tensor) -> Tensor:
    """Any order of the axes behind the batch."""
    order = b.draw(st.permutations(range(len(x.shape))))
    return b.op("Transpose", [x.name], tuple(x.shape[i] for i in order), perm=[0, *(i + 1 for i in order)])


def matmul(b: Builder, x: Tensor) -> Tensor:
    """The last axis times a matrix, perhaps with a bias behind."""
    inside, made = x.shape[-1], b.number(1, 24)
    y = b.op("MatMul", [x.name, b.weight(inside, made, inputs=inside)], (*x.shape[:-1], made))
    if b.flag():
        y = b.op("Add", [y.name, b.vector(made)] if b.flag() else [b.vector(made), y.name], y.shape)
    return y


def gemm(b: Builder, x: Tensor) -> Tensor:
    """Rank 2 times a matrix, plain or transposed, with or without bias and factors."""
    inside, made, transposed = x.shape[0], b.number(1, 24), b.flag()
    weight = b.weight(*((made, inside) if transposed else (inside, made)), inputs=inside)
    bias = b.choose([], [b.vector(made)], [b.vector(1, made)])
    factors = {"alpha": 0.5} if b.number(0, 7) == 7 else {}
    return b.op("Gemm", [x.name, weight, *bias], (made,), transB=int(transposed), **factors)


def attend(b: Builder, x: Tensor) -> Tensor:
    """A product of two activations: the value with itself, transposed."""
    *front, rows, columns = x.shape
    order = [*range(len(front) + 1), len(x.shape), len(x.shape) - 1]
    turned = b.op("Transpose", [x.name], (*front, columns, rows), perm=order)
    product = b.op("MatMul", [x.name, turned.name], (*front, rows, rows))
    scaled = b.op("Mul", [product.name, b.constant(np.array([1 / np.sqrt(columns)], np.float32))], product.shape)
    weights = b.op("Softmax", [scaled.name], scaled.shape, axis=-1)
    return b.op("MatMul", [weights.name, x.name], x.shape)


def activation(b: Builder, x: Tensor) -> Tensor:
    """One of the functions that networks have between products."""
    match b.choose("Relu", "LeakyRelu", "Sigmoid", "Tanh", "Clip", "HardSigmoid", "Elu", "Softplus", "Erf", "Swish"):
        case "Clip":
            low, high = b.choose((0, 6), (-1, 1), (0.5, 2))
            bounds = [b.constant(np.array(bound, np.float32)) for bound in (low, high)]
            return b.op("Clip", [x.name, *bounds], x.shape)
        case "Swish":
            hard = b.flag()
            gate = b.op("HardSigmoid", [x.name], x.shape, alpha=1 / 6) if hard else b.op("Sigmoid", [x.name], x.shape)
            return b.op("Mul", [x.name, gate.name], x.shape)
        case op_type:
            return b.op(op_type, [x.name], x.shape)


def affine(b: Builder, x: Tensor) -> Tensor:
    """A constant added, subtracted, multiplied or divided by; for all, by channel, or from the left."""
    shape = b.choose((), (1,), (x.shape[0], *[1] * (len(x.shape) - 1)), (x.shape[-1],))
    op_type = b.choose("Add", "Mul", "Sub", "Div")
    operand = b.constant((1.5 + b.rng.random(shape)).astype(np.float32))
    inputs = [operand, x.name] if op_type != "Div" and b.flag() else [x.name, operand]
    return b.op(op_type, inputs, x.shape)


def normalize(b: Builder, x: Tensor) -> Tensor:
    """Softmax, or LayerNormalization where the opset has it, over the last axis."""
    if b.opset >= 17 and x.shape[-1] > 1 and b.flag():
        n = x.shape[-1]
        return b.op("LayerNormalization", [x.name, b.vector(n, centre=1.0), b.vector(n)], x.shape, axis=-1)
    return b.op("Softmax", [x.name], x.shape, axis=-1)


def cut(b: Builder, x: Tensor) -> Tensor:
    """Split along an axis and put together again the other way round, or a slice of it."""
    axis = b.number(0, len(x.shape) - 1)
    size = x.shape[axis]
    if size < 2:
        return b.op("Identity", [x.name], x.shape)
    first = b.number(1, size - 1)

    def with_axis(n: int) -> tuple[int, ...]:
        return (*x.shape[:axis], n, *x.shape[axis + 1 :])

    if b.flag():
        ends = [b.integers(n) for n in (0, first, axis + 1)]
        return b.op("Slice", [x.name, *ends], with_axis(first))
    halves = b.split(
        "Split", [x.name, b.integers(first, size - first)], [with_axis(first), with_axis(size - first)], axis=axis + 1
    )
    if b.flag():
        return halves[b.number(0, 1)]
    return b.op("Concat", [halves[1].name, halves[0].name], x.shape, axis=axis + 1)


def squeeze(b: Builder, x: Tensor) -> Tensor:
    """An axis of one, put in and taken out again somewhere else."""
    axes = [b.integers(1)]
    wide = b.op("Unsqueeze", [x.name, *axes], (1, *x.shape))
    return b.op("Squeeze", [wide.name, *axes], x.shape)


def square(b: Builder, x: Tensor) -> Tensor:
    """Two products with one shared matrix."""
    side = x.shape[-1]
    shared = b.weight(side, side, inputs=side)
    once = b.op("MatMul", [x.name, shared], x.shape)
    return b.op("MatMul", [once.name, shared], x.shape)


def branch(b: Builder, x: Tensor) -> Tensor:
    """If: one of two bodies that capture the value; which one depends on the data."""
    largest = b.op("ReduceMax", [x.name], (), keepdims=0)
    limit = b.constant(np.array(b.choose(-100.0, 0.5, 100.0), np.float32))
    condition = b.op("Greater", [largest.name, limit], ())
    bodies = {which: _body(b, x, which) for which in ("then_branch", "else_branch")}
    return b.op("If", [condition.name], (1,), **bodies)


def _body(b: Builder, x: Tensor, name: str) -> onnx.GraphProto:
    """A convolution or a function of the value, and the first element of each sample of that."""
    outer, b.nodes = b.nodes, []
    y = conv(b, x) if len(x.shape) == 3 and b.flag() else activation(b, x)
    flat = b.op("Reshape", [y.name, b.integers(0, -1)], (y.size,))
    first = b.op("Gather", [flat.name, b.integers(0)], (1,), axis=1)
    output = helper.make_tensor_value_info(first.name, TensorProto.FLOAT, None)
    body = helper.make_graph(b.nodes, name, [], [output])
    b.nodes = outer
    return body


PICTURES: tuple[Layer, ...] = (
    conv, conv, conv, activation, activation, pool, global_pool, batch_norm, resize, pad, flatten, reshape, transpose,
    affine, cut, squeeze, matmul, branch,
)  # fmt: skip
ROWS: tuple[Layer, ...] = (
    matmul, matmul, conv, activation, attend, normalize, square, transpose, reshape, flatten, affine, cut, squeeze,
    branch,
)  # fmt: skip
VECTORS: tuple[Layer, ...] = (gemm, gemm, matmul, activation, normalize, square, affine, cut, squeeze, branch)
BY_RANK = {3: PICTURES, 2: ROWS, 1: VECTORS}
"""What can be done with a value of so many axes behind the batch; what is more usual is named more often."""
