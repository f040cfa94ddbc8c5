"""Matrix products whose input is quantized anew at every run, by its own range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, nodes
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.plan import Form


@dataclass(frozen=True)
class InsertDynamicQuantization(Pass):
    """Insert DynamicQuantizeLinear before the products that the plan wants dynamic.

    Before: `y = MatMul(x, w)`
    After:  `x_q, s, z = DynamicQuantizeLinear(x)  y = MatMul(DQ(x_q, s, z), w)`

    All dynamic products that read x share one: queries, keys and values are quantized once.
    """

    name: ClassVar[str] = "insert-dynamic-quantization"
    preserves: ClassVar[Preserves] = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Insert one for each value that a dynamic product reads."""
        assert context.plan is not None
        names = Names(model)
        made: dict[tuple[ir.Graph, ir.Value], ir.Value] = {}
        changes = 0
        for node in list(nodes(model)):
            decision = context.plan.nodes.get(node.name or "")
            value, graph = node.inputs[0] if node.inputs else None, node.graph
            if decision is None or decision.form is not Form.DYNAMIC or value is None:
                continue
            assert isinstance(graph, ir.Graph)
            if (graph, value) not in made:
                made[graph, value] = _dequantized(node, value, graph, names)
            node.replace_input_with(0, made[graph, value])
            changes += 1
        return PassResult(changes)


def _dequantized(reader: ir.Node, value: ir.Value, graph: ir.Graph, names: Names) -> ir.Value:
    name = value.name or ""
    outputs = [
        ir.Value(name=names.value(f"{name}_quantized"), type=ir.TensorType(ir.DataType.UINT8), shape=value.shape),
        ir.Value(name=names.value(f"{name}_scale"), type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape([])),
        ir.Value(name=names.value(f"{name}_zero_point"), type=ir.TensorType(ir.DataType.UINT8), shape=ir.Shape([])),
    ]
    quantize = ir.node(
        "DynamicQuantizeLinear", [value], outputs=outputs, name=names.node(f"{name}_DynamicQuantizeLinear")
    )
    dequantize = ir.node(
        "DequantizeLinear",
        outputs,
        outputs=[
            ir.Value(name=names.value(f"{name}_dequantized"), type=ir.TensorType(ir.DataType.FLOAT), shape=value.shape)
        ],
        name=names.node(f"{name}_DequantizeLinear"),
    )
    producer = value.producer()
    if producer is not None and producer.graph is graph:
        graph.insert_after(producer, [quantize, dequantize])
    else:
        graph.insert_before(graph[0], [quantize, dequantize])
    return dequantize.outputs[0]
