"""Biases inside integer matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, constant, is_op, sole_consumer
from qcompile.passes.lower.integers import Lowering, emit


@dataclass(frozen=True)
class AbsorbMatMulBias(Lowering):
    """Absorb the addition of a vector into the MatMulIntegerToFloat before it.

    Before: `t = com.microsoft.MatMulIntegerToFloat(x_q, w_q, sx, sw, zx, zw)  y = Add(t, b)`
    After:  `y = com.microsoft.MatMulIntegerToFloat(x_q, w_q, sx, sw, zx, zw, b)`

    b is a constant with one number for each column. Exact: the kernel adds after scaling, as the Add does.
    """

    name: ClassVar[str] = "absorb-matmul-bias"
    ops: ClassVar[tuple[str, ...]] = ("MatMulIntegerToFloat",)
    domain: ClassVar[str] = CONTRIB

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Absorb one addition."""
        add = sole_consumer(node.outputs[0])
        if add is None or not is_op(add, "Add") or len(node.inputs) > 6 or add.graph is not node.graph:
            return None
        other = add.inputs[1] if add.inputs[0] is node.outputs[0] else add.inputs[0]
        bias, scale = constant(other), constant(node.inputs[3])
        weight = node.inputs[1]
        if bias is None or scale is None or other is None or weight is None or weight.shape is None:
            return None
        columns = weight.shape[-1]
        if bias.size != columns or bias.shape[-1:] != (columns,) or bias.dtype != scale.dtype:
            return "what is added is no vector of its columns"
        graph = node.graph
        assert isinstance(graph, ir.Graph)
        vector = other if bias.ndim == 1 else names.initializer(graph, f"{other.name}_vector", bias.reshape(-1))
        emit(add, add.outputs[0], "MatMulIntegerToFloat", [*node.inputs, vector], name=node.name)
        graph.remove(add, safe=True)
        graph.remove(node, safe=True)
        return True
