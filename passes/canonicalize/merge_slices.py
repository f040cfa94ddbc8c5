"""Slices that cut a value into pieces are one Split."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, is_op
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome, bypass
from qcompile.passes.canonicalize.normalize_slices import Cut, cuts
from qcompile.pipeline import Preserves


class MergeSlices(NodePass):
    """Merge the Slices that together take all of one axis, each element once, into a Split.

    ```
    a = Slice(x, [0], [4], [1], [1])  =>  a, b = Split <axis = 1> (x, [4, 6])
    b = Slice(x, [4], [10], [1], [1])
    ```
    They stay when they overlap or leave something out, cut more than one axis or in steps, the size of the axis is
    unknown, or one of them lies in another body. Preserves: exact.
    """

    name = "merge-slices"
    preserves = Preserves.EXACT
    ops = ("Slice",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Merge the Slices of one value, met at the first of them."""
        data, cut, graph = node.inputs[0], _piece(node), node.graph
        if data is None or data.shape is None or cut is None or not isinstance(graph, ir.Graph):
            return False
        readers = [reader for reader, index in data.uses() if index == 0 and reader.graph is graph]
        found = [(piece, reader) for reader in readers if (piece := _piece(reader)) and piece.axis == cut.axis]
        found.sort(key=lambda pair: pair[0])
        pieces = [piece for piece, _ in found]
        if [0, *(piece.end for piece in pieces)] != [*(piece.start for piece in pieces), data.shape[cut.axis]]:
            return False
        sizes = names.initializer(graph, f"{node.name}_sizes", np.array([p.end - p.start for p in pieces], np.int64))
        split = ir.node(
            "Split", [data, sizes], {"axis": cut.axis}, num_outputs=len(pieces), name=names.node(f"{node.name}_split")
        )
        graph.insert_before(node, split)
        for part, (_, reader) in zip(split.outputs, found, strict=True):
            part.name = reader.outputs[0].name
            bypass(reader, part)
        return True


def _piece(node: ir.Node) -> Cut | None:
    """What a Slice takes, if it is some of one axis of known size, in order."""
    found = cuts(node) if is_op(node, "Slice") else None
    if found is None or len(found) != 1:
        return None
    cut, data = found[0], node.inputs[0]
    known = data is not None and data.shape is not None and isinstance(data.shape[cut.axis], int)
    return cut if known and cut.step == 1 and cut.start < cut.end else None
