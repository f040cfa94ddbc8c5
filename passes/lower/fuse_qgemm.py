"""Gemm on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import Lowering, dequantized, emit, plain_attributes, requantized


@dataclass(frozen=True)
class FuseQGemm(Lowering):
    """Fuse a quantized Gemm into QGemm, with 8-bit or float output.

    Before: `y_q = Q(Gemm(DQ(x_q), DQ(w_q), DQ(b_q)), sy, zy)`, or without Q
    After:  `y_q = com.microsoft.QGemm(x_q, sx, zx, w_q, sw, zw, b_q, sy, zy)`, or without sy and zy

    alpha and beta are 1 and transA is 0, or the target's table had not let it pass.
    """

    name: ClassVar[str] = "fuse-qgemm"
    ops: ClassVar[tuple[str, ...]] = ("Gemm",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one Gemm."""
        x, w, y = dequantized(node.inputs[0]), dequantized(node.inputs[1]), requantized(node.outputs[0])
        if x is None or w is None:
            return None
        bias = dequantized(node.inputs[2]) if len(node.inputs) > 2 else None
        if bias is None and len(node.inputs) > 2 and node.inputs[2] is not None:
            return "its bias is not quantized"
        attributes = {k: v for k, v in plain_attributes(node).items() if k == "transB"}
        inputs = [*x.triple, *w.triple, bias.value if bias else None]
        if y is None:
            emit(node, node.outputs[0], "QGemm", inputs, attributes)
        else:
            quantize, result = y
            emit(node, quantize.outputs[0], "QGemm", [*inputs, result.scale, result.zero_point], attributes)
        return True
