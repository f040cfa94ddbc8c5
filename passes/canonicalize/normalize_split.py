"""How large the parts are is written into the graph."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, rank
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.pipeline import Preserves


class NormalizeSplit(NodePass):
    """Write the sizes of a Split's parts instead of their number, and its axis from 0.

    ```
    a, b = Split <axis = -1, num_outputs = 2> (x)  =>  a, b = Split <axis = 1> (x, [4, 3])      (x of 2 x 7)
    ```
    The last part is the smaller one. The number stays where the size of the axis is unknown, or is too small for so
    many parts; the axis where the rank is unknown. Preserves: exact.
    """

    name = "normalize-split"
    preserves = Preserves.EXACT
    ops = ("Split",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Rewrite one Split."""
        dimensions = rank(node.inputs[0])
        if not dimensions:
            return False
        axis = attribute(node, "axis", 0)
        if axis < 0:
            node.attributes["axis"] = ir.AttrInt64("axis", axis + dimensions)
        return _write_sizes(node, axis % dimensions, names) or axis < 0


def _write_sizes(node: ir.Node, axis: int, names: Names) -> bool:
    parts, data, graph = attribute(node, "num_outputs"), node.inputs[0], node.graph
    size = data.shape[axis] if data is not None and data.shape is not None else None
    if parts is None or not isinstance(size, int) or graph is None:
        return False
    part = -(-size // parts)
    if size - part * (parts - 1) <= 0:
        return False
    sizes = np.array([part] * (parts - 1) + [size - part * (parts - 1)], np.int64)
    assert isinstance(graph, ir.Graph)
    del node.attributes["num_outputs"]
    node.resize_inputs(2)
    node.replace_input_with(1, names.initializer(graph, f"{node.name}_sizes", sizes))
    return True
