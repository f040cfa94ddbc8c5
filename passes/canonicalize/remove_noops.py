"""Nodes that return their input as it is."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome, bypass
from qcompile.passes.canonicalize.noops import UNCHANGED
from qcompile.pipeline import Preserves


class RemoveNoops(NodePass):
    """Remove nodes that return one of their inputs unchanged.

    ```
    y = Identity(x); z = Relu(y)  =>  z = Relu(x)
    ```
    1. Identity; Dropout in inference; Cast to the type that is there; Clip without bounds.
    2. Reshape, Flatten, Squeeze, Unsqueeze, Expand, Tile, Slice whose result has the shape of the input.
    3. Transpose by the identity permutation; Pad by zeros.
    4. Concat, Sum, Max, Min, Mean of one input.
    5. Add and Sub of 0, Mul and Div by 1, where the constant does not enlarge the other operand.
    6. AveragePool and MaxPool of 1x1 with stride 1.

    It stays when that cannot be proven (shapes unknown, axes or factors computed or overridable by a graph input),
    when a second output is read, and when an Identity gives a graph output another name for an input, a weight or
    another output: only a node can do that. Preserves: exact (but -0 + 0 gives -0 afterwards).
    """

    name = "remove-noops"
    preserves = Preserves.EXACT
    ops = tuple(UNCHANGED)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Remove one node."""
        kept = UNCHANGED[node.op_type](node)
        if kept is None or any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
            return False
        if node.op_type == "Identity" and _names_an_output(node, kept):
            return False
        bypass(node, kept)
        return True


def _names_an_output(node: ir.Node, kept: ir.Value) -> bool:
    producer = kept.producer()
    free = producer is not None and producer.graph is node.graph and not kept.is_graph_output()
    return node.outputs[0].is_graph_output() and not free
