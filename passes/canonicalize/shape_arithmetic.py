"""By operator of shape arithmetic: the elements of its output, from those of its inputs."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from qcompile.ir import attribute
from qcompile.passes.canonicalize.extents import Extent, MaybeExtent, equal, product, quotient, total
from qcompile.passes.canonicalize.shape_rules import Contents, Known, integers, operand


def _shape(known: Known, node: ir.Node) -> Contents | None:
    shape = known.shape(node.inputs[0])
    return None if shape is None else shape[attribute(node, "start", 0) : attribute(node, "end")]


def _size(known: Known, node: ir.Node) -> Contents | None:
    shape = known.shape(node.inputs[0])
    return None if shape is None else [product(shape)]


def _same(known: Known, node: ir.Node) -> Contents | None:
    return known.contents(node.inputs[0])


def _cast(known: Known, node: ir.Node) -> Contents | None:
    integer = attribute(node, "to") in (ir.DataType.INT64, ir.DataType.INT32)
    return known.contents(node.inputs[0]) if integer else None


def _gather(known: Known, node: ir.Node) -> Contents | None:
    data, indices = known.contents(node.inputs[0]), integers(node, 1)
    if data is None or indices is None or not all(-len(data) <= index < len(data) for index in indices):
        return None
    return [data[index] for index in indices]


def _slice(known: Known, node: ir.Node) -> Contents | None:
    data, start, end = known.contents(node.inputs[0]), integers(node, 1), integers(node, 2)
    step = integers(node, 4) if operand(node, 4) else [1]
    if data is None or start is None or end is None or step is None or len(start) != 1 or step[0] < 1:
        return None
    return data[start[0] : end[0] : step[0]]


def _concat(known: Known, node: ir.Node) -> Contents | None:
    joined: list[MaybeExtent] = []
    for value in node.inputs:
        part = known.contents(value)
        if part is None:
            return None
        joined += part
    return joined


def _reduce_prod(known: Known, node: ir.Node) -> Contents | None:
    data = known.contents(node.inputs[0])
    return None if data is None else [product(data)]


def _elementwise(combine: Callable[..., MaybeExtent]) -> Callable[[Known, ir.Node], Contents | None]:
    def rule(known: Known, node: ir.Node) -> Contents | None:
        columns = [known.contents(value) for value in node.inputs]
        length = max((len(column) for column in columns if column is not None), default=0)
        if any(column is None or len(column) not in (1, length) for column in columns):
            return None
        spread = [column if len(column) == length else [column[0]] * length for column in columns if column is not None]
        return [combine(*elements) for elements in zip(*spread, strict=True)]

    return rule


def _add(left: MaybeExtent, right: MaybeExtent) -> MaybeExtent:
    return total((left, right))


def _subtract(left: MaybeExtent, right: MaybeExtent) -> MaybeExtent:
    return None if right is None else total((left, Extent(-right.factor, right.symbols)))


def _multiply(left: MaybeExtent, right: MaybeExtent) -> MaybeExtent:
    return product((left, right))


def _equal(left: MaybeExtent, right: MaybeExtent) -> MaybeExtent:
    same = equal(left, right)
    return None if same is None else Extent(int(same))


def _not(truth: MaybeExtent) -> MaybeExtent:
    return None if truth is None else Extent(1 - truth.factor)


def _where(condition: MaybeExtent, left: MaybeExtent, right: MaybeExtent) -> MaybeExtent:
    if condition is None:
        return left if left == right else None
    return left if condition.factor else right


CONTENTS: dict[str, Callable[[Known, ir.Node], Contents | None]] = {
    "Add": _elementwise(_add),
    "Cast": _cast,
    "Concat": _concat,
    "Div": _elementwise(quotient),
    "Equal": _elementwise(_equal),
    "Gather": _gather,
    "Identity": _same,
    "Mul": _elementwise(_multiply),
    "Not": _elementwise(_not),
    "ReduceProd": _reduce_prod,
    "Reshape": _same,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Squeeze": _same,
    "Sub": _elementwise(_subtract),
    "Unsqueeze": _same,
    "Where": _elementwise(_where),
}
"""None where it cannot be followed; the operands are vectors or scalars."""
