"""EmbedLayerNormalization taken apart."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, replace_value
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.replacing import become, insert
from qcompile.passes.canonicalize.shape_rules import operand


class ExpandEmbedNorm(NodePass):
    """Take the three embeddings and the normalization of a fused BERT entry apart.

    ```
    y = com.microsoft.EmbedLayerNormalization(i, t, words, places, types, scale, bias)
        =>  w = Gather(words, i)
            p = Slice(places, [0], Shape <start = 1> (i))    # Gather(places, position_ids) where they are given
            k = Gather(types, t)
            s = Sum(w, p, k)
            y = LayerNormalization <axis = -1> (s, scale, bias)
    ```
    So the tables can be stored in 8 bits. It stays where its mask index is read. Preserves: float-equal up to rounding.
    """

    name = "expand-embed-norm"
    ops = ("EmbedLayerNormalization",)
    domains: ClassVar[tuple[str, ...]] = (CONTRIB,)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Take one apart."""
        ids, types, words, places, kinds, scale, bias = node.inputs[:7]
        outputs = list(node.outputs)
        if len(outputs) > 1 and (outputs[1].uses() or outputs[1].is_graph_output()):
            return "its mask index is read"
        assert words is not None and places is not None and ids is not None
        terms = [insert(node, "Gather", [words, ids], names), _positions(node, places, ids, names)]
        if types is not None and kinds is not None:
            terms.append(insert(node, "Gather", [kinds, types], names))
        total = insert(node, "Sum", terms, names, shape=outputs[0].shape)
        if len(outputs) > 2:
            replace_value(outputs[2], total)
        node.resize_outputs(1)
        become(
            node, "LayerNormalization", [total, scale, bias], {"axis": -1, "epsilon": attribute(node, "epsilon", 1e-12)}
        )
        return True


def _positions(node: ir.Node, places: ir.Value, ids: ir.Value, names: Names) -> ir.Value:
    """Rows of the table of positions: those that are given, or the first, one for each place."""
    given = operand(node, 8)
    if given is not None:
        return insert(node, "Gather", [places, given], names)
    assert isinstance(node.graph, ir.Graph)
    length = insert(node, "Shape", [ids], names, {"start": 1, "end": 2}, shape=[1])
    length.type = ir.TensorType(ir.DataType.INT64)
    zero = names.initializer(node.graph, f"{node.name}_first", np.array([0]))
    return insert(node, "Slice", [places, zero, length], names)
