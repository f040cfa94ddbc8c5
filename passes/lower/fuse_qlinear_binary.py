"""Addition and multiplication on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import Lowering, dequantized, emit, requantized


@dataclass(frozen=True)
class FuseQLinearBinary(Lowering):
    """Fuse a quantized Add or Mul into QLinearAdd or QLinearMul.

    Before: `y_q = Q(Relu(Add(DQ(a_q), DQ(b_q))), sy, zy)`
    After:  `y_q = com.microsoft.QLinearAdd(a_q, sa, za, b_q, sb, zb, sy, zy)`

    Relu and Clip go where the saturation of y implies them. Within one step of the integer reference: the kernels
    differ on rounding ties.
    """

    name: ClassVar[str] = "fuse-qlinear-binary"
    ops: ClassVar[tuple[str, ...]] = ("Add", "Mul")

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one addition or multiplication."""
        a, b, y = dequantized(node.inputs[0]), dequantized(node.inputs[1]), requantized(node.outputs[0])
        if a is None or b is None:
            return None
        if y is None:
            return "its output is not quantized for all readers"
        quantize, result = y
        inputs = [*a.triple, *b.triple, result.scale, result.zero_point]
        emit(node, quantize.outputs[0], f"QLinear{node.op_type}", inputs)
        return True
