"""Steps from a value to the nodes around it."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir import is_op, sole_consumer


def made_by(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """The node that makes the value, if it is one of these standard ops."""
    node = value.producer() if value is not None else None
    return node if is_op(node, *op_types) else None


def read_by(value: ir.Value, *op_types: str) -> ir.Node | None:
    """The only node that reads the value, if it is one of these standard ops."""
    node = sole_consumer(value)
    return node if is_op(node, *op_types) else None


def other_operand(node: ir.Node, value: ir.Value) -> ir.Value | None:
    """What a node of two inputs combines the value with."""
    left, right = node.inputs
    return right if left is value else left
