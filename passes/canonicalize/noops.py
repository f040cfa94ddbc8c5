"""Which of its inputs a node returns as it is, where that can be proven."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from qcompile.ir import attribute, constant, rank, static_shape


def _identity(node: ir.Node) -> ir.Value | None:
    return node.inputs[0]


def _dropout(node: ir.Node) -> ir.Value | None:
    training = _input(node, 2)
    flag = constant(training)
    off = training is None or (flag is not None and not flag.any())
    return node.inputs[0] if off else None


def _cast(node: ir.Node) -> ir.Value | None:
    data = node.inputs[0]
    same = data is not None and data.dtype is not None and data.dtype == attribute(node, "to")
    return data if same else None


def _single(node: ir.Node) -> ir.Value | None:
    present = [value for value in node.inputs if value is not None]
    return present[0] if len(present) == 1 else None


def _same_shape(node: ir.Node) -> ir.Value | None:
    shape = static_shape(node.inputs[0])
    return node.inputs[0] if shape is not None and shape == static_shape(node.outputs[0]) else None


def _reshape(node: ir.Node) -> ir.Value | None:
    """Also with unknown dimensions, where each is copied or one is left over."""
    data, target = node.inputs[0], constant(_input(node, 1))
    if data is None or data.shape is None or target is None or len(target) != len(data.shape):
        return _same_shape(node)
    changed = [size for size, dim in zip(target.tolist(), data.shape, strict=True) if size not in (0, dim)]
    copied = not attribute(node, "allowzero", 0) and changed in ([], [-1])
    return data if copied else _same_shape(node)


def _expand(node: ir.Node) -> ir.Value | None:
    shape = constant(_input(node, 1))
    grows = shape is None or not _fits(shape.tolist(), node.inputs[0])
    return _same_shape(node) if grows else node.inputs[0]


def _slice(node: ir.Node) -> ir.Value | None:
    """A slice of full size that runs forward takes everything."""
    data = node.inputs[0]
    starts, ends, steps = (constant(_input(node, index)) for index in (1, 2, 4))
    if _input(node, 4) is not None and (steps is None or (steps < 0).any()):
        return None
    if starts is None or ends is None or starts.any() or (steps is not None and (steps != 1).any()):
        return _same_shape(node)
    return data if (ends >= np.iinfo(np.int32).max).all() else _same_shape(node)


def _transpose(node: ir.Node) -> ir.Value | None:
    data = node.inputs[0]
    perm = list(attribute(node, "perm", ()))
    identity = perm == sorted(perm) if perm else rank(data) in (0, 1)
    return data if identity else None


def _pad(node: ir.Node) -> ir.Value | None:
    pads = constant(_input(node, 1))
    return node.inputs[0] if pads is not None and not pads.any() else None


def _neutral(number: int, *, commutes: bool) -> Callable[[ir.Node], ir.Value | None]:
    def find(node: ir.Node) -> ir.Value | None:
        left, right = node.inputs
        for data, other in ((left, right), (right, left))[: 1 + commutes]:
            array = constant(other)
            if array is not None and (array == number).all() and _fits(array.shape, data):
                return data
        return None

    return find


def _fits(shape: Sequence[int], data: ir.Value | None) -> bool:
    """Whether something of this shape broadcasts onto the data without enlarging it."""
    if data is None or data.shape is None or len(shape) > len(data.shape):
        return False
    dims = tuple(data.shape)[len(data.shape) - len(shape) :]
    return all(size in (1, dim) for size, dim in zip(shape, dims, strict=True))


def _pool(node: ir.Node) -> ir.Value | None:
    ones = [*attribute(node, "kernel_shape"), *attribute(node, "strides", ())]
    still = all(size == 1 for size in ones) and not any(attribute(node, "pads", ()))
    return node.inputs[0] if still else None


def _input(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


UNCHANGED: dict[str, Callable[[ir.Node], ir.Value | None]] = {
    "Identity": _identity,
    "Dropout": _dropout,
    "Cast": _cast,
    "Clip": _single,
    "Reshape": _reshape,
    "Flatten": _same_shape,
    "Squeeze": _same_shape,
    "Unsqueeze": _same_shape,
    "Expand": _expand,
    "Tile": _same_shape,
    "Slice": _slice,
    "Transpose": _transpose,
    "Pad": _pad,
    "Concat": _single,
    "Sum": _single,
    "Max": _single,
    "Min": _single,
    "Mean": _single,
    "Add": _neutral(0, commutes=True),
    "Sub": _neutral(0, commutes=False),
    "Mul": _neutral(1, commutes=True),
    "Div": _neutral(1, commutes=False),
    "AveragePool": _pool,
    "MaxPool": _pool,
}
"""By op: the input that the node returns as it is, or None."""
