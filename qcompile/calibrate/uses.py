"""Who reads a value, also under the other names that it has in bodies, in functions and after a change of layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from qcompile.ir import bodies, constant, is_op

MULTIPLIES = ("Conv", "Gemm", "MatMul")
"""Ops that multiply by weights."""

SAME_VALUES = frozenset(
    {
        "Cast", "Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze",
        "Transpose", "Unsqueeze",
    }
)  # fmt: skip
"""Ops whose output holds values of their first input (Concat: of any), perhaps elsewhere or fewer."""

AFFINE = frozenset({"Add", "BatchNormalization", "Div", "Mul", "Sub"})
"""Ops that scale and shift a picture before the first convolution."""


Crossings = Mapping[ir.Value, Sequence[ir.Value]]
"""For a value: what it is called on the other side of a body's or function's border."""


class Use(NamedTuple):
    """A node that reads the input, or a form of it that holds the same values, and where."""

    node: ir.Node
    at: int


def uses_of(value: ir.Value, through: frozenset[str], inner: Crossings) -> Iterator[Use]:
    """Every use of the value and of what the ops `through` make of it, in the order of the graph."""
    waiting, seen = [value], {value}
    while waiting:
        current = waiting.pop(0)
        after = list(inner.get(current, ()))
        for node, index in current.uses():
            yield Use(node, index)
            if is_op(node, *through) and (index == 0 or node.op_type in ("Concat", *AFFINE)):
                after += node.outputs
        waiting += [other for other in after if other not in seen]
        seen.update(after)


def shape_of(value: ir.Value) -> list[int | ir.SymbolicDim] | None:
    """The declared shape, or that of the constant behind the value."""
    array = constant(value)
    if array is not None:
        return list(array.shape)
    return None if value.shape is None else list(value.shape)


def other_operand(use: Use) -> np.ndarray | None:
    """The constant on the other side of an op with two operands."""
    return constant(use.node.inputs[1 - use.at])


def crossings(model: ir.Model) -> Crossings:
    """For every value that a body or function takes in or hands out: what it is called on the other side."""
    found: dict[ir.Value, list[ir.Value]] = {}
    everywhere = [model.graph, *(function.graph for function in model.functions.values())]
    for node in (node for graph in everywhere for node in graph.all_nodes()):
        for inner in _inner(model, node):
            if not is_op(node, "If"):
                _connect(found, node.inputs, inner.inputs)
            # The first output of a Loop's body is its condition, which stays inside.
            _connect(found, inner.outputs[1:] if is_op(node, "Loop") else inner.outputs, node.outputs)
    return found


def _inner(model: ir.Model, node: ir.Node) -> list[ir.Graph]:
    if is_op(node, "If", "Loop", "Scan"):
        return list(bodies(node))
    function = model.functions.get(node.op_identifier())
    return [] if function is None else [function.graph]


def _connect(
    found: dict[ir.Value, list[ir.Value]], sources: Sequence[ir.Value | None], names: Sequence[ir.Value]
) -> None:
    for source, name in zip(sources, names, strict=False):
        if source is not None:
            found.setdefault(source, []).append(name)
