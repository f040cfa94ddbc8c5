"""Only the last of several changes of shape counts."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, sole_consumer
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.pipeline import Preserves


class MergeReshapes(NodePass):
    """Merge a Reshape, Flatten, Squeeze or Unsqueeze into the Reshape behind it.

    ```
    y = Flatten(x)         =>  z = Reshape(x, shape)
    z = Reshape(y, shape)
    ```
    A 0 in the shape (take that dimension of y) stays where y has that dimension from x, and becomes a number where
    it is known; else both stay. They also stay when the shape is computed, or y is read elsewhere or is an output.
    Preserves: exact.
    """

    name = "merge-reshapes"
    preserves = Preserves.EXACT
    ops = ("Reshape",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Let one Reshape read what its predecessor reads."""
        middle, target = node.inputs[0], node.inputs[1]
        inner = middle.producer() if middle is not None else None
        if (
            middle is None
            or target is None
            or inner is None
            or not is_op(inner, "Reshape", "Flatten", "Squeeze", "Unsqueeze")
        ):
            return False
        if sole_consumer(middle) is None:
            return f"{middle.name!r} is also read elsewhere"
        shape = constant(target)
        if shape is None:
            return "its shape is computed"
        merged = [_dimension(int(size), axis, middle, node) for axis, size in enumerate(shape)]
        if None in merged:
            return f"a 0 in shape {shape.tolist()} stands for a dimension that is unknown"
        if merged != shape.tolist():
            assert isinstance(node.graph, ir.Graph)
            wish = f"{target.name}_merged"
            node.replace_input_with(1, names.initializer(node.graph, wish, np.array(merged, np.int64)))
        node.replace_input_with(0, inner.inputs[0])
        return True


def _dimension(size: int, axis: int, middle: ir.Value, outer: ir.Node) -> int | None:
    """The entry for a Reshape of what `middle` is a view of; None if it cannot be said."""
    if size != 0 or attribute(outer, "allowzero", 0) or _keeps_axis(middle.producer(), axis):
        return size
    known = middle.shape[axis] if middle.shape is not None and axis < len(middle.shape) else None
    return known if isinstance(known, int) and known > 0 else None


def _keeps_axis(node: ir.Node | None, axis: int) -> bool:
    """Whether this dimension of the node's output is the same dimension of its input."""
    if node is None:
        return False
    if is_op(node, "Flatten"):
        return axis == 0 and attribute(node, "axis", 1) == 1
    if not is_op(node, "Reshape") or attribute(node, "allowzero", 0):
        return False
    shape = constant(node.inputs[1])
    return shape is not None and axis < len(shape) and shape[axis] == 0
