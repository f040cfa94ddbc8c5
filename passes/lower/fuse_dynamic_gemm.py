"""Gemm on integers whose parameters are found at run time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant
from qcompile.passes.lower.integers import Lowering, dequantized, dynamically_dequantized, emit


@dataclass(frozen=True)
class FuseDynamicGemm(Lowering):
    """Fuse a Gemm with a dynamically quantized input into MatMulIntegerToFloat.

    Before: `x_q, s, z = DynamicQuantizeLinear(x)  y = Gemm <transB = 1> (DQ(x_q, s, z), DQ(w_q, sw, zw), b)`
    After:  `y = com.microsoft.MatMulIntegerToFloat(x_q, w_q_transposed, s, sw, z, zw, b)`

    Only with alpha = beta = 1, transA = 0 and a bias that is a vector, or none. Exact.
    """

    name: ClassVar[str] = "fuse-dynamic-gemm"
    ops: ClassVar[tuple[str, ...]] = ("Gemm",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one Gemm."""
        x, w = dynamically_dequantized(node.inputs[0]), dequantized(node.inputs[1])
        if x is None or w is None:
            return None
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        vector = constant(bias)
        if attribute(node, "transA", 0) or any(attribute(node, name, 1.0) != 1.0 for name in ("alpha", "beta")):
            return "alpha, beta or transA"
        if bias is not None and (vector is None or vector.ndim != 1):
            return "its bias is no constant vector"
        weight = w.value
        if attribute(node, "transB", 0):
            codes, graph = constant(w.value), node.graph
            assert codes is not None and isinstance(graph, ir.Graph)
            weight = names.initializer(graph, f"{w.value.name}_transposed", np.ascontiguousarray(codes.T))
        inputs = [x.value, weight, x.scale, w.scale, x.zero_point, w.zero_point, *([bias] if bias is not None else [])]
        emit(node, node.outputs[0], "MatMulIntegerToFloat", inputs)
        return True
