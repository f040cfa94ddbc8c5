"""MatMul on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import Lowering, dequantized, dynamically_dequantized, emit, requantized


@dataclass(frozen=True)
class FuseQLinearMatMul(Lowering):
    """Fuse a quantized MatMul into QLinearMatMul, or MatMulIntegerToFloat where its output stays float.

    Before: `y_q = Q(MatMul(DQ(x_q), DQ(w_q)), sy, zy)`
    After:  `y_q = QLinearMatMul(x_q, sx, zx, w_q, sw, zw, sy, zy)`

    Before: `y = MatMul(DQ(x_q), DQ(w_q))`
    After:  `y = com.microsoft.MatMulIntegerToFloat(x_q, w_q, sx, sw, zx, zw)`

    In the second form sx and zx may come from a DynamicQuantizeLinear.
    """

    name: ClassVar[str] = "fuse-qlinear-matmul"
    ops: ClassVar[tuple[str, ...]] = ("MatMul",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one MatMul."""
        x, w, y = dequantized(node.inputs[0]), dequantized(node.inputs[1]), requantized(node.outputs[0])
        dynamic = dynamically_dequantized(node.inputs[0])
        x = x or dynamic
        if x is None or w is None:
            return None
        if y is None or dynamic is not None:
            inputs = [x.value, w.value, x.scale, w.scale, x.zero_point, w.zero_point]
            emit(node, node.outputs[0], "MatMulIntegerToFloat", inputs)
        else:
            quantize, result = y
            inputs = [*x.triple, *w.triple, result.scale, result.zero_point]
            emit(node, quantize.outputs[0], "QLinearMatMul", inputs, domain="")
        return True
