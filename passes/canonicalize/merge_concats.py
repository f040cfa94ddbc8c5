"""Concatenations of concatenations are one."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir import Names, attribute, is_op, rank, sole_consumer
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.pipeline import Preserves


class MergeConcats(NodePass):
    """Merge a Concat into the Concat that alone reads it, on the same axis; write axes from 0.

    ```
    t = Concat <axis = 1> (a, b)   =>  y = Concat <axis = 1> (a, b, c)
    y = Concat <axis = -1> (t, c)                                        (of rank 2)
    ```
    Axes of unknown rank stay as they are. Preserves: exact.
    """

    name = "merge-concats"
    preserves = Preserves.EXACT
    ops = ("Concat",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Write one Concat's axis from 0, and take in those before it, which were visited before."""
        counted = _count_axis(node)
        inputs = [value for given in node.inputs for value in _parts(given, attribute(node, "axis"))]
        if len(inputs) == len(node.inputs):
            return counted
        node.resize_inputs(len(inputs))
        for index, value in enumerate(inputs):
            node.replace_input_with(index, value)
        return True


def _count_axis(node: ir.Node) -> bool:
    axis = attribute(node, "axis")
    dimensions = next(filter(None, map(rank, node.inputs)), rank(node.outputs[0]))
    if axis >= 0 or not dimensions:
        return False
    node.attributes["axis"] = ir.AttrInt64("axis", axis + dimensions)
    return True


def _parts(value: ir.Value | None, axis: int) -> list[ir.Value | None]:
    """What the value is a concatenation of on this axis, if nobody else reads it; else itself."""
    inner = None if value is None else value.producer()
    if value is None or inner is None or not is_op(inner, "Concat") or sole_consumer(value) is None:
        return [value]
    return list(inner.inputs) if attribute(inner, "axis") == axis else [value]
