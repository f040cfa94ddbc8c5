"""Activation functions on integers, by table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import Lowering, dequantized, emit, plain_attributes, requantized


@dataclass(frozen=True)
class FuseQLinearUnary(Lowering):
    """Fuse a quantized LeakyRelu or Sigmoid into its integer form, a table of 256 entries.

    Before: `y_q = Q(Sigmoid(DQ(x_q)), sy, zy)`
    After:  `y_q = com.microsoft.QLinearSigmoid(x_q, sx, zx, sy, zy)`
    """

    name: ClassVar[str] = "fuse-qlinear-unary"
    ops: ClassVar[tuple[str, ...]] = ("LeakyRelu", "Sigmoid")

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one function."""
        x, y = dequantized(node.inputs[0]), requantized(node.outputs[0])
        if x is None:
            return None
        if y is None:
            return "its output is not quantized for all readers"
        quantize, result = y
        inputs = [*x.triple, result.scale, result.zero_point]
        emit(node, quantize.outputs[0], f"QLinear{node.op_type}", inputs, plain_attributes(node))
        return True
