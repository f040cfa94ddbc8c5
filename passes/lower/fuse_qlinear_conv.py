"""Convolution on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import Lowering, accumulator_bias, dequantized, emit, requantized


@dataclass(frozen=True)
class FuseQLinearConv(Lowering):
    """Fuse a quantized Conv into QLinearConv.

    Before: `y_q = Q(Relu(Conv(DQ(x_q), DQ(w_q), DQ(b_q))), sy, zy)`
    After:  `y_q = QLinearConv(x_q, sx, zx, w_q, sw, zw, sy, zy, b_q)`

    Relu and Clip go where the saturation of y implies them. Equal to the numpy integer reference bit by bit.
    """

    name: ClassVar[str] = "fuse-qlinear-conv"
    ops: ClassVar[tuple[str, ...]] = ("Conv",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one convolution."""
        x, w, y = dequantized(node.inputs[0]), dequantized(node.inputs[1]), requantized(node.outputs[0])
        if x is None or w is None:
            return None
        if y is None:
            return "its output is not quantized for all readers"
        bias = accumulator_bias(node, x, w)
        if isinstance(bias, str):
            return bias
        quantize, result = y
        inputs = [*x.triple, *w.triple, result.scale, result.zero_point, *([bias] if bias else [])]
        emit(node, quantize.outputs[0], "QLinearConv", inputs, dict(node.attributes), domain="")
        return True
