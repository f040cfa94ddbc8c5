"""Biases on the grid of the accumulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant, is_op, nodes
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.quant import quantize_bias


@dataclass(frozen=True)
class QuantizeBias(Pass):
    """Write the bias of an integer node as int32 on the grid scale(x) * scale(w).

    Before: `t = Conv(DQ(xq, sx, zx), DQ(Q(w, sw, zw)), b)`
    After:  `t = Conv(DQ(xq, sx, zx), DQ(Q(w, sw, zw)), DQ(b_int32, sx * sw))`

    The bias joins the accumulator without rescaling (Jacob et al. 2018, section 2.4). The plan chose weight scales
    under which it fits.
    """

    name: ClassVar[str] = "quantize-bias"
    preserves: ClassVar[Preserves] = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Give every constant bias of an integer node a DequantizeLinear of its own."""
        assert context.plan is not None
        names = Names(model)
        changes = 0
        for node in list(nodes(model)):
            entry = context.target.table.get(node.op_type)
            index = entry.bias if entry and context.plan.is_integer(node.name) else None
            if index is None or index >= len(node.inputs):
                continue
            bias = constant(node.inputs[index])
            x_scale, w_scale = _scale(node.inputs[0]), _scale(node.inputs[1])
            if bias is None or x_scale is None or w_scale is None:
                continue
            node.replace_input_with(index, _dequantized_bias(node, bias.reshape(-1), x_scale, w_scale, names))
            changes += 1
        return PassResult(changes)


def _scale(value: ir.Value | None) -> np.ndarray | None:
    producer = value.producer() if value is not None else None
    return constant(producer.inputs[1]) if producer and is_op(producer, "DequantizeLinear") else None


def _dequantized_bias(
    node: ir.Node, bias: np.ndarray, x_scale: np.ndarray, w_scale: np.ndarray, names: Names
) -> ir.Value:
    graph, name = node.graph, f"{node.name}_bias"
    assert graph is not None and isinstance(graph, ir.Graph)
    codes = quantize_bias(bias, float(x_scale), w_scale)
    scale = np.asarray(np.broadcast_to(x_scale * w_scale, codes.shape), np.float32)
    dequantize = ir.node(
        "DequantizeLinear",
        [
            names.initializer(graph, f"{name}_quantized", codes),
            names.initializer(graph, f"{name}_scale", scale),
            names.initializer(graph, f"{name}_zero_point", np.zeros(codes.shape, np.int32)),
        ],
        {"axis": 0},
        outputs=[ir.Value(name=names.value(name), type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(codes.shape))],
        name=names.node(f"{name}_DequantizeLinear"),
    )
    graph.insert_before(node, dequantize)
    return dequantize.outputs[0]
