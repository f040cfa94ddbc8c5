"""What the plan keeps float stays float in the runtime too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, is_op, nodes
from qcompile.pipeline import Context, Pass, PassResult, Preserves

_TAKEN = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "AveragePool", "MaxPool")
"""What onnxruntime 1.31 quantizes by itself between DequantizeLinear and QuantizeLinear: products with constant
weights, per tensor (Add: as the bias of a product). microsoft/onnxruntime, weight_bias_quantization.cc. AveragePool
becomes QLinearAveragePool, which was measured to take 4 to 10 times longer; MaxPool changes places with the
QuantizeLinear behind it and runs on bytes with channels first, 20 times longer."""

_THROUGH = ("Clip", "Relu", "Reshape")


@dataclass(frozen=True)
class KeepFloat(Pass):
    """Keep the runtime from quantizing a product or a pooling that the plan leaves in float.

    Before: `y_q = Q(Relu(Conv(x, w)))` with a float Conv
    After:  `y_q = Q(Sum(Relu(Conv(x, w))))`

    A Sum of one value copies it, and the runtime's pattern no longer fits. Exact.
    """

    name: ClassVar[str] = "keep-float"
    preserves: ClassVar[Preserves] = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Put a Sum before every QuantizeLinear that reads the result of one."""
        assert context.plan is not None
        names = Names(model)
        changes = 0
        for node in list(nodes(model)):
            value = node.inputs[0] if is_op(node, "QuantizeLinear") else None
            source = _taken(value)
            if value is None or source is None or context.plan.is_integer(source.name):
                continue
            guard = ir.node("Sum", [value], name=names.node(f"{value.name}_float"))
            output = guard.outputs[0]
            output.name, output.type, output.shape = names.value(f"{value.name}_float"), value.type, value.shape
            assert isinstance(node.graph, ir.Graph)
            node.graph.insert_before(node, guard)
            node.replace_input_with(0, output)
            changes += 1
        return PassResult(changes)


def _taken(value: ir.Value | None) -> ir.Node | None:
    """The product or pooling whose result the value is, through clamps and reshapes."""
    node = value.producer() if value is not None else None
    while node is not None and is_op(node, *_THROUGH) and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return node if node is not None and is_op(node, *_TAKEN) else None
