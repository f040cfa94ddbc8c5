"""By operator: the shapes of its outputs, from what is known of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Protocol

import numpy as np
import onnx_ir as ir

from qcompile.ir import attribute, constant
from qcompile.passes.canonicalize.extents import (
    ONE,
    Extent,
    MaybeExtent,
    broadcast,
    product,
    quotient,
    total,
)

Shape = Sequence[Extent]
Contents = Sequence[MaybeExtent]
Shapes = Sequence[Sequence[MaybeExtent]]

_FAR = np.iinfo(np.int32).max
"""A Slice that ends here or beyond ends with its axis."""


class Known(Protocol):
    """What is known of the values before a node."""

    def shape(self, value: ir.Value | None) -> Shape | None:
        """The size along each axis."""

    def contents(self, value: ir.Value | None) -> Contents | None:
        """The elements of a small integer tensor."""


def operand(node: ir.Node, index: int) -> ir.Value | None:
    """An input, None where it is left out."""
    return node.inputs[index] if index < len(node.inputs) else None


def integers(node: ir.Node, index: int) -> list[int] | None:
    """A constant input as a flat list."""
    array = constant(operand(node, index))
    return None if array is None else [int(number) for number in array.reshape(-1)]


def sliced_lengths(known: Known, node: ir.Node) -> dict[int, MaybeExtent] | None:
    """By axis that a Slice names: how much of it is left; None where the axes are unknown."""
    shape = known.shape(node.inputs[0])
    starts, ends = known.contents(node.inputs[1]), known.contents(node.inputs[2])
    if shape is None or starts is None or ends is None:
        return None
    axes = integers(node, 3) if operand(node, 3) else list(range(len(starts)))
    steps = integers(node, 4) if operand(node, 4) else [1] * len(starts)
    if axes is None or steps is None:
        return None
    return {
        axis % len(shape): _length(start, end, step, shape[axis])
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    }


def takes_all(known: Known, node: ir.Node) -> bool:
    """Whether a Slice takes everything, forward."""
    shape, lengths = known.shape(node.inputs[0]), sliced_lengths(known, node)
    return shape is not None and lengths is not None and all(shape[axis] == n for axis, n in lengths.items())


def _length(start: MaybeExtent, end: MaybeExtent, step: int, size: Extent) -> MaybeExtent:
    if start is None or end is None or step < 1:
        return None
    if start.number == 0 and step == 1 and (end == size or (end.number or 0) >= _FAR):
        return size
    if None in (start.number, end.number, size.number):
        return None
    return Extent(len(range(size.factor)[start.factor : end.factor : step]))


def _same(known: Known, node: ir.Node) -> Shapes | None:
    shape = known.shape(node.inputs[0])
    return None if shape is None else [shape]


def _broadcast(known: Known, node: ir.Node) -> Shapes | None:
    joined = broadcast_shapes([known.shape(value) for value in node.inputs])
    return None if joined is None else [joined]


def broadcast_shapes(shapes: Sequence[Shape | None]) -> Sequence[MaybeExtent] | None:
    """The shape that they broadcast to."""
    joined: Sequence[MaybeExtent] = ()
    for shape in shapes:
        if shape is None:
            return None
        joined = _join(joined, shape)
    return joined


def _join(left: Sequence[MaybeExtent], right: Sequence[MaybeExtent]) -> Sequence[MaybeExtent]:
    pairs = zip_longest(reversed(left), reversed(right), fillvalue=ONE)
    return [broadcast(one, other) for one, other in pairs][::-1]


def _matmul(known: Known, node: ir.Node) -> Shapes | None:
    left, right = known.shape(node.inputs[0]), known.shape(node.inputs[1])
    if left is None or right is None or min(len(left), len(right)) < 2:
        return None
    return [[*_join(left[:-2], right[:-2]), left[-2], right[-1]]]


def _gemm(known: Known, node: ir.Node) -> Shapes | None:
    left, right = known.shape(node.inputs[0]), known.shape(node.inputs[1])
    if left is None or right is None:
        return None
    return [[left[attribute(node, "transA", 0)], right[1 - attribute(node, "transB", 0)]]]


def _transpose(known: Known, node: ir.Node) -> Shapes | None:
    shape = known.shape(node.inputs[0])
    if shape is None:
        return None
    return [[shape[axis] for axis in attribute(node, "perm", range(len(shape))[::-1])]]


def _reshape(known: Known, node: ir.Node) -> Shapes | None:
    shape, target = known.shape(node.inputs[0]), known.contents(node.inputs[1])
    if target is None:
        return None
    if not attribute(node, "allowzero", 0):
        copied = [size.number == 0 if size else False for size in target]
        target = [
            (shape[axis] if shape is not None and axis < len(shape) else None) if copy else size
            for axis, (copy, size) in enumerate(zip(copied, target, strict=True))
        ]
    rest = product(size for size in target if size != Extent(-1))
    left = quotient(product(shape), rest) if shape is not None else None
    return [[left if size == Extent(-1) else size for size in target]]


def _unsqueeze(known: Known, node: ir.Node) -> Shapes | None:
    shape, axes = known.shape(node.inputs[0]), integers(node, 1)
    if shape is None or axes is None:
        return None
    rank, rest = len(shape) + len(axes), iter(shape)
    added = {axis % rank for axis in axes}
    return [[ONE if axis in added else next(rest) for axis in range(rank)]]


def _squeeze(known: Known, node: ir.Node) -> Shapes | None:
    shape, axes = known.shape(node.inputs[0]), integers(node, 1)
    if shape is None or axes is None:
        return None
    gone = {axis % len(shape) for axis in axes}
    return [[size for axis, size in enumerate(shape) if axis not in gone]]


def _concat(known: Known, node: ir.Node) -> Shapes | None:
    shapes = [known.shape(value) for value in node.inputs]
    first = shapes[0]
    if first is None:
        return None
    axis = attribute(node, "axis") % len(first)
    joined: list[MaybeExtent] = list(first)
    joined[axis] = total(None if shape is None else shape[axis] for shape in shapes)
    return [joined]


def _slice(known: Known, node: ir.Node) -> Shapes | None:
    shape, lengths = known.shape(node.inputs[0]), sliced_lengths(known, node)
    if shape is None or lengths is None:
        return None
    return [[lengths.get(axis, size) for axis, size in enumerate(shape)]]


def _gather(known: Known, node: ir.Node) -> Shapes | None:
    data, indices = known.shape(node.inputs[0]), known.shape(node.inputs[1])
    if data is None or indices is None:
        return None
    axis = attribute(node, "axis", 0) % len(data)
    return [[*data[:axis], *indices, *data[axis + 1 :]]]


def _expand(known: Known, node: ir.Node) -> Shapes | None:
    shape, target = known.shape(node.inputs[0]), known.contents(node.inputs[1])
    return None if shape is None or target is None else [_join(shape, target)]


def _range(known: Known, node: ir.Node) -> Shapes | None:
    """From 0 in steps of 1."""
    limit = known.contents(node.inputs[1])
    return [limit] if limit and (integers(node, 0), integers(node, 2)) == ([0], [1]) else None


def _constant_of_shape(known: Known, node: ir.Node) -> Shapes | None:
    target = known.contents(node.inputs[0])
    return None if target is None else [target]


def _reduce(known: Known, node: ir.Node) -> Shapes | None:
    shape, axes = known.shape(node.inputs[0]), integers(node, 1)
    if shape is None or not axes:
        return None
    gone = {axis % len(shape) for axis in axes}
    if attribute(node, "keepdims", 1):
        return [[ONE if axis in gone else size for axis, size in enumerate(shape)]]
    return [[size for axis, size in enumerate(shape) if axis not in gone]]


def _shape_of(known: Known, node: ir.Node) -> Shapes | None:
    shape = known.shape(node.inputs[0])
    sliced = "start" in node.attributes or "end" in node.attributes
    return None if shape is None or sliced else [[Extent(len(shape))]]


def _split(known: Known, node: ir.Node) -> Shapes | None:
    shape, sizes = known.shape(node.inputs[0]), integers(node, 1)
    if shape is None or sizes is None:
        return None
    axis = attribute(node, "axis", 0) % len(shape)
    return [[*shape[:axis], Extent(size), *shape[axis + 1 :]] for size in sizes]


_UNARY = (
    "Abs",
    "Cast",
    "Ceil",
    "Clip",
    "Cos",
    "CumSum",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LayerNormalization",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "Neg",
    "Not",
    "RMSNormalization",
    "Reciprocal",
    "Relu",
    "Round",
    "ScatterElements",
    "ScatterND",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softmax",
    "Softplus",
    "Sqrt",
    "Tanh",
    "Trilu",
)
ELEMENTWISE = (
    "Add",
    "And",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Max",
    "Mean",
    "Min",
    "Mod",
    "Mul",
    "Or",
    "PRelu",
    "Pow",
    "Sub",
    "Sum",
    "Where",
    "Xor",
)
_REDUCTIONS = (
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
)

SHAPES: dict[str, Callable[[Known, ir.Node], Shapes | None]] = {
    **dict.fromkeys(_UNARY, _same),
    **dict.fromkeys(ELEMENTWISE, _broadcast),
    **dict.fromkeys(_REDUCTIONS, _reduce),
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Gather": _gather,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape_of,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""What an operator makes of shapes; None: nothing follows. Others are left to ONNX's own inference."""
