"""Activation functions on integers, by table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import UnaryLowering, UnaryUnit, emit, plain_attributes


@dataclass(frozen=True)
class FuseQLinearUnary(UnaryLowering):
    """Fuse a quantized LeakyRelu or Sigmoid into its integer form, a table of 256 entries.

    Before: `y_q = Q(Sigmoid(DQ(x_q)), sy, zy)`
    After:  `y_q = com.microsoft.QLinearSigmoid(x_q, sx, zx, sy, zy)`
    """

    name: ClassVar[str] = "fuse-qlinear-unary"
    ops: ClassVar[tuple[str, ...]] = ("LeakyRelu", "Sigmoid")

    def replace(self, node: ir.Node, unit: UnaryUnit, names: Names) -> bool | str:
        """Replace one function."""
        inputs = [*unit.x.triple, unit.y.scale, unit.y.zero_point]
        emit(node, unit.result, f"QLinear{node.op_type}", inputs, plain_attributes(node))
        return True
