"""Embedding tables stored in 8 bits: only the rows that are read become float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, nodes, remove_dead
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class GatherStoredRows(Pass):
    """Gather from the 8-bit table and dequantize what was gathered.

    Before: `y = Gather <axis = 0> (DQ <axis = 0> (table_quantized, s, 0), ids)`
    After:  `r = Gather(table_quantized, ids)  t = Gather(s_column, ids)  y = Mul(Cast <to = FLOAT> (r), t)`

    A table that is dequantized whole would cost its size at every load, or worse at every run. Exact.
    """

    name: ClassVar[str] = "gather-stored-rows"
    preserves: ClassVar[Preserves] = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Rewrite every Gather of rows of a dequantized constant."""
        names = Names(model)
        changes = 0
        for node in list(nodes(model)):
            table = node.inputs[0].producer() if is_op(node, "Gather") and node.inputs[0] is not None else None
            if table is None or not is_op(table, "DequantizeLinear") or attribute(node, "axis", 0) != 0:
                continue
            scale = constant(table.inputs[1])
            if scale is None or constant(table.inputs[0]) is None or attribute(table, "axis", 1) != 0:
                continue
            _gather_rows(node, table, scale, names)
            changes += 1
        if changes:
            remove_dead(model)
        return PassResult(changes)


def _gather_rows(node: ir.Node, table: ir.Node, scale: np.ndarray, names: Names) -> None:
    graph, quantized, old = node.graph, table.inputs[0], node.outputs[0]
    assert isinstance(graph, ir.Graph)
    assert quantized is not None and quantized.shape is not None
    column = scale.reshape([-1, *[1] * (len(quantized.shape) - 1)])
    factors = names.initializer(graph, f"{old.name}_scale", np.ascontiguousarray(column))
    rows = ir.node("Gather", [quantized, node.inputs[1]], {"axis": 0}, name=node.name)
    row_scales = ir.node("Gather", [factors, node.inputs[1]], {"axis": 0}, name=names.node(f"{node.name}_scale"))
    cast = ir.node("Cast", [rows.outputs[0]], {"to": int(ir.DataType.FLOAT)}, name=names.node(f"{node.name}_Cast"))
    product = ir.node("Mul", [cast.outputs[0], row_scales.outputs[0]], name=names.node(f"{node.name}_Mul"))
    for made, suffix in ((rows, "quantized"), (row_scales, "scales"), (cast, "cast")):
        made.outputs[0].name = names.value(f"{old.name}_{suffix}")
    product.outputs[0].type, product.outputs[0].shape = old.type, old.shape
    graph.insert_after(node, [rows, row_scales, cast, product])
    name, is_output = old.name, old.is_graph_output()
    old.name = None
    old.replace_all_uses_with(product.outputs[0], replace_graph_outputs=is_output)
    product.outputs[0].name = name
    graph.remove(node, safe=True)
