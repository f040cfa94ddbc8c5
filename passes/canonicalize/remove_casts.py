"""A value's way through several types, where the first step loses nothing."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, is_op
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.pipeline import Preserves


class RemoveCasts(NodePass):
    """Let a Cast read what the Cast before it reads, where that one lost nothing; write CastLike as Cast.

    ```
    y = Cast <to = DOUBLE> (x)      =>  z = Cast <to = FLOAT> (x)   (x of float16, or float: then remove-noops takes it)
    z = Cast <to = FLOAT> (y)

    y = CastLike(x, t)              =>  y = Cast <to = FLOAT> (x)   (t of float)
    ```
    They stay where a type is unknown, where the first Cast rounds or cuts (also int64 to double: 53 bits), and where
    text or an 8-bit float and smaller is made or read. Preserves: exact.
    """

    name = "remove-casts"
    preserves = Preserves.EXACT
    ops = ("Cast", "CastLike")

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Shorten the way to one Cast."""
        return _write_cast(node) | _skip_lossless(node)


def _write_cast(node: ir.Node) -> bool:
    like = node.inputs[1].dtype if node.op_type == "CastLike" and node.inputs[1] is not None else None
    if like is None:
        return False
    node.op_type = "Cast"
    node.resize_inputs(1)
    node.attributes["to"] = ir.AttrInt64("to", like)
    return True


def _skip_lossless(node: ir.Node) -> bool:
    changed = False
    while is_op(node, "Cast") and node.inputs[0] is not None:
        before = node.inputs[0].producer()
        if before is None or not is_op(before, "Cast") or before.inputs[0] is None:
            break
        first, middle, last = before.inputs[0].dtype, attribute(before, "to"), attribute(node, "to")
        if first is None or not _is_lossless(first, ir.DataType(middle), ir.DataType(last)):
            break
        node.replace_input_with(0, before.inputs[0])
        changed = True
    return changed


def _is_lossless(first: ir.DataType, middle: ir.DataType, last: ir.DataType) -> bool:
    """Whether the first type fits into the middle one; all three must be plain numbers."""
    if not {first, middle, last} <= _NUMBERS:
        return False
    if first in _WIDE_INTEGERS and middle.is_floating_point():
        return False  # numpy calls this safe
    return np.can_cast(first.numpy(), middle.numpy(), "safe")


_WIDE_INTEGERS = {ir.DataType.INT64, ir.DataType.UINT64}
_NUMBERS = _WIDE_INTEGERS | {
    ir.DataType.BOOL,
    ir.DataType.INT8,
    ir.DataType.INT16,
    ir.DataType.INT32,
    ir.DataType.UINT8,
    ir.DataType.UINT16,
    ir.DataType.UINT32,
    ir.DataType.FLOAT16,
    ir.DataType.BFLOAT16,
    ir.DataType.FLOAT,
    ir.DataType.DOUBLE,
}
