"""Recognising models that somebody has quantized already."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir.graphs import nodes

_DYNAMIC = {"ConvInteger", "DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulInteger"}
_BLOCKED = {"GatherBlockQuantized", "MatMulNBits"}


def quantized_form(model: ir.Model) -> str | None:
    """`QDQ`, `QOperator` or `dynamic` if the model is quantized, in whatever part; else None."""
    ops = {node.op_type for node in nodes(model)}
    if ops & (_DYNAMIC | _BLOCKED):
        return "dynamic"
    if any(op.startswith("QLinear") or op in ("MatMulIntegerToFloat", "QAttention", "QGemm") for op in ops):
        return "QOperator"
    return "QDQ" if ops & {"QuantizeLinear", "DequantizeLinear"} else None
