"""A row of a table is looked up, not multiplied out."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, rank, scalar_constant
from qcompile.passes.canonicalize.neighbours import made_by
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.replacing import become, insert, why_kept
from qcompile.pipeline import Preserves

LARGEST = 1 << 16
"""Bytes of a table that may be stored twice: what a lookup that cannot fail costs."""


class GatherOneHot(NodePass):
    """Look up the rows of a constant table that a MatMul picks by OneHot.

    ```
    h = OneHot(i, depth, [0, 1])     =>  c = Clip(i, -depth - 1, depth)
    y = MatMul(h, table)                 y = Gather(twice, c)    # twice: the table, a row of zeros, the table

    i = ArgMax(x); h = OneHot(i, ...)  =>  y = Gather(table, i)  # such an index lies in the table
    ```
    Also with a Cast behind OneHot. An index beyond the depth gives zeros and a negative one counts from the end, as
    in OneHot. It stays where depth, values or table are computed, the values are others than 0 and 1, the new axis is
    not the last, the indices are no int32 or int64, the OneHot is read elsewhere, or a table over 64 KiB would have to
    be stored twice. Preserves: exact.
    """

    name = "gather-one-hot"
    preserves = Preserves.EXACT
    ops = ("MatMul",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Rewrite one product."""
        cast = made_by(node.inputs[0], "Cast")
        one_hot = made_by(cast.inputs[0] if cast else node.inputs[0], "OneHot")
        table = constant(node.inputs[1]) if one_hot else None
        if one_hot is None or table is None or not _picks_rows(one_hot, table):
            return False
        indices, graph = one_hot.inputs[0], node.graph
        assert indices is not None and indices.dtype is not None and isinstance(graph, ir.Graph)
        if kept := why_kept(node.outputs[0], indices):
            return kept
        rows = node.inputs[1]
        if not _lies_inside(indices, len(table)):
            if table.nbytes > LARGEST:
                return f"an index may lie outside of the table, which has more than {LARGEST} bytes"
            twice = np.concatenate([table, np.zeros_like(table[:1]), table])
            rows = names.initializer(graph, f"{node.name}_rows", twice)
            bounds = [
                names.initializer(graph, f"{node.name}_{side}", np.array(bound, indices.dtype.numpy()))
                for side, bound in (("first", -len(table) - 1), ("last", len(table)))
            ]
            indices = insert(node, "Clip", [indices, *bounds], names, shape=indices.shape)
        become(node, "Gather", [rows, indices])
        return True


def _picks_rows(one_hot: ir.Node, table: np.ndarray) -> bool:
    """Whether OneHot makes rows of 0 and 1, as long as the table has rows."""
    indices, depth, values = one_hot.inputs
    ends, axis = constant(values), attribute(one_hot, "axis", -1)
    last = axis == -1 or (rank(indices) is not None and axis == rank(indices))
    integers = indices is not None and indices.dtype in (ir.DataType.INT32, ir.DataType.INT64)
    zero_one = ends is not None and ends.tolist() == [0, 1]
    return last and integers and zero_one and table.ndim == 2 and scalar_constant(depth) == len(table)


def _lies_inside(indices: ir.Value, rows: int) -> bool:
    """Whether every index is known to be one of a row: a constant, or the place of a maximum along a short axis."""
    array = constant(indices)
    if array is not None:
        return bool(((array >= -rows) & (array < rows)).all())
    node = made_by(indices, "ArgMax", "ArgMin")
    data = node.inputs[0] if node else None
    if node is None or data is None or data.shape is None:
        return False
    length = data.shape[attribute(node, "axis", 0)]
    return isinstance(length, int) and length <= rows
