"""Gemm on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, attribute
from qcompile.passes.lower.integers import Lowering, accumulator_bias, dequantized, emit, plain_attributes, requantized


@dataclass(frozen=True)
class FuseQGemm(Lowering):
    """Fuse a quantized Gemm into QGemm, with 8-bit or float output.

    Before: `y_q = Q(Gemm(DQ(x_q), DQ(w_q), DQ(b_q)), sy, zy)`, or without Q
    After:  `y_q = com.microsoft.QGemm(x_q, sx, zx, w_q, sw, zw, b_q, sy, zy)`, or without sy and zy

    Only with alpha = beta = 1 and transA = 0, whose integers those of QGemm are.
    """

    name: ClassVar[str] = "fuse-qgemm"
    ops: ClassVar[tuple[str, ...]] = ("Gemm",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one Gemm."""
        x, w, y = dequantized(node.inputs[0]), dequantized(node.inputs[1]), requantized(node.outputs[0])
        if x is None or w is None:
            return None
        if attribute(node, "transA", 0) or any(attribute(node, name, 1.0) != 1.0 for name in ("alpha", "beta")):
            return "alpha, beta or transA"
        bias = accumulator_bias(node, x, w)
        if isinstance(bias, str):
            return bias
        attributes = {k: v for k, v in plain_attributes(node).items() if k == "transB"}
        inputs = [*x.triple, *w.triple, bias]
        if y is None:
            emit(node, node.outputs[0], "QGemm", inputs, attributes)
        else:
            quantize, result = y
            emit(node, quantize.outputs[0], "QGemm", [*inputs, result.scale, result.zero_point], attributes)
        return True
