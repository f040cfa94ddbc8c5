"""Concatenation on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import Lowering, dequantized, emit, plain_attributes, requantized


@dataclass(frozen=True)
class FuseQLinearConcat(Lowering):
    """Fuse a quantized Concat into Concat of 8-bit values, or QLinearConcat where parameters differ.

    Before: `y_q = Q(Concat(DQ(a_q), DQ(b_q)), sy, zy)`
    After:  `y_q = Concat(a_q, b_q)` with equal parameters throughout
    After:  `y_q = com.microsoft.QLinearConcat(sy, zy, a_q, sa, za, b_q, sb, zb)` else
    """

    name: ClassVar[str] = "fuse-qlinear-concat"
    ops: ClassVar[tuple[str, ...]] = ("Concat",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one concatenation."""
        parts, y = [dequantized(value) for value in node.inputs], requantized(node.outputs[0])
        found = [part for part in parts if part is not None]
        if not found or len(found) < len(parts):
            return None
        if y is None:
            return "its output is not quantized for all readers"
        quantize, result = y
        if all(part.params() == result.params() for part in found):
            inputs = [part.value for part in found]
            emit(node, quantize.outputs[0], "Concat", inputs, plain_attributes(node), domain="")
        else:
            inputs = [result.scale, result.zero_point, *(v for part in found for v in part.triple)]
            emit(node, quantize.outputs[0], "QLinearConcat", inputs, plain_attributes(node))
        return True
