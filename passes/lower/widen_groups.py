"""Grouped convolutions with fewer, wider groups."""

from __future__ import annotations

from math import prod
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, declare, is_op, nodes, remove_dead
from qcompile.passes.lower.expansion import Expansion
from qcompile.passes.lower.substitute import Substitute
from qcompile.pipeline import Context, PassResult

WIDTH, DENSE = 32, 64
"""Channels up to which filling with zeros pays: of a group, and of all where one group remains, whose kernel is better.

Measured with AVX512-VNNI, 3x3, speed over the narrow groups: 128 channels by 4 as 16, 32, 64 a group 3.1, 3.7, 2.9;
256 by 8 1.7, 2.1, 1.6; 512 by 16 as 32, 64 1.24, 0.94; 40 by 8 as one group 2.4. With AMX 64 is 1.1 to 1.25 times as
fast as 32."""


class WidenGroups(Substitute):
    """Merge narrow groups of a QLinearConv into groups of up to 32 channels, with zero weights across.

    Before: `y = QLinearConv <group = 32> (x, sx, zx, w[128,4,3,3], ..)`
    After:  `y = QLinearConv <group = 4> (x, sx, zx, w[128,32,3,3], ..)`

    The kernel loops over groups with a product for each, and small products cost more than the zeros. Depthwise
    convolutions have a kernel of their own and stay, as do weights with a zero point. Exact.
    """

    name: ClassVar[str] = "widen-groups"

    def substitute(self, model: ir.Model, context: Context) -> PassResult:
        """Widen every narrow grouped convolution."""
        names = Names(model)
        changes = sum(_widen(node, names) for node in list(nodes(model)) if is_op(node, "QLinearConv"))
        if changes:
            remove_dead(model)
            declare(model)
        return PassResult(changes)


def _widen(node: ir.Node, names: Names) -> bool:
    old, groups = node.inputs[3], int(attribute(node, "group", 1))
    weight, zero_point = constant(old), constant(node.inputs[5])
    if old is None or weight is None or zero_point is None or zero_point.any() or weight.shape[1] == 1:
        return False
    merged = _mergeable(groups, max(weight.shape[1], len(weight) // groups))
    if merged == 1:
        return False
    node.replace_input_with(3, across(Expansion(node, names), old, groups, merged))
    node.attributes["group"] = ir.AttrInt64("group", groups // merged)
    return True


def _mergeable(groups: int, channels: int) -> int:
    """How many groups of so many channels make one."""
    if groups * channels <= DENSE:
        return groups
    return max([1, *(n for n in range(2, groups) if groups % n == 0 and n * channels <= WIDTH)])


def across(write: Expansion, value: ir.Value, groups: int, merged: int) -> ir.Value:
    """The weights [outputs, inputs a group, ...] of a convolution whose groups are merged `merged` at a time.

    What meets channels of another old group is zero. Each row of merged weights, flat, moves on by one place in every
    old group: zeros behind the weights of one group, and fewer entries in a row, put those of the next where they go.
    """
    outputs, inputs, *kernel = value.shape.numpy() if value.shape is not None else ()
    wide, filters, entries = groups // merged, outputs // groups, inputs * prod(kernel)
    by_group = write.transposed(write.viewed(value, (wide, merged, filters, entries)), (0, 2, 1, 3))
    apart = write.viewed(write.padded(by_group, 3, 0, merged * entries), (wide, filters, -1))
    rows = write.viewed(write.cut(apart, 2, merged * merged * entries), (wide, filters, merged, -1))
    return write.viewed(write.transposed(rows, (0, 2, 1, 3)), (outputs, merged * inputs, *kernel))
