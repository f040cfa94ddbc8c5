"""Weights one code lower."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, nodes, remove_dead, static_shape
from qcompile.passes.lower.substitute import Substitute
from qcompile.pipeline import Context, PassResult
from qcompile.plan import Code, Reason

_LONG = 512
"""Products a sum from which matrix tiles (AMX) were measured to beat the direct kernel, 1.1 to 2.4 times; for sums of
up to 144 they are 1.1 to 3.9 times slower."""

_LONG_IN_SMALL_IMAGES, _SMALL = 256, 784
"""The same where the output has at most so many pixels."""


@dataclass(frozen=True)
class ShiftZeroPoint(Substitute):
    """Store the weights of long convolutions one code lower, with zero point -1.

    Before: `y = QLinearConv(x, sx, zx, w, sw, 0, sy, zy, b)` with w in [-127, 127]
    After:  `y = QLinearConv(x, sx, zx, w - 1, sw, -1, sy, zy, b)`

    onnxruntime's direct kernel takes weights of zero point 0 alone and knows no matrix tiles; all others go through the
    matrix product, which does. Only int8 weights of one group, and sums long enough to pay. Exact: the same integers.
    """

    name: ClassVar[str] = "shift-zero-point"

    def substitute(self, model: ir.Model, context: Context) -> PassResult:
        """Shift the weights of every such convolution."""
        names = Names(model)
        changes, declined = 0, []
        for node in list(nodes(model)):
            codes = _codes(node)
            if isinstance(codes, str):
                declined.append((node.name or "", Reason(Code.RULE_DECLINED, codes)))
            elif codes is not None:
                _shift(node, codes, names)
                changes += 1
        if changes:
            remove_dead(model)
        return PassResult(changes, tuple(declined))


def _codes(node: ir.Node) -> np.ndarray | str | None:
    """The weights to shift; or why they cannot be, or None if it is no long convolution of zero point 0."""
    if not is_op(node, "QLinearConv") or attribute(node, "group", 1) != 1:
        return None
    codes, zero_point = constant(node.inputs[3]), constant(node.inputs[5])
    if codes is None or zero_point is None or codes.dtype != np.int8 or zero_point.any():
        return None
    if not _pays(node, prod(codes.shape[1:])):
        return None
    return "a weight of -128 has no code below it" if (codes == -128).any() else codes


def _pays(node: ir.Node, products: int) -> bool:
    shape = static_shape(node.outputs[0])
    is_small = shape is not None and prod(shape[2:]) <= _SMALL
    return products >= (_LONG_IN_SMALL_IMAGES if is_small else _LONG)


def _shift(node: ir.Node, codes: np.ndarray, names: Names) -> None:
    graph, zero_point = node.graph, constant(node.inputs[5])
    assert isinstance(graph, ir.Graph) and zero_point is not None
    node.replace_input_with(3, names.initializer(graph, f"{node.name}_shifted", codes - np.int8(1)))
    minus_one = np.full(zero_point.shape, -1, np.int8)
    node.replace_input_with(5, names.initializer(graph, f"{node.name}_minus_one", minus_one))
