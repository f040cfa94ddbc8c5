"""What a target's table is told about a node."""

from __future__ import annotations

import math

import onnx_ir as ir

from qcompile.ir import constant, scalar_constant, static_shape
from qcompile.targets import NodeFacts, OpEntry

_PLAIN = (ir.AttributeType.INT, ir.AttributeType.FLOAT, ir.AttributeType.STRING, ir.AttributeType.INTS)


def node_facts(node: ir.Node) -> NodeFacts:
    """The facts of a node: op, plain attributes, shapes, types, which inputs are constant, which outputs are read.

    An op of another domain than the standard one is named with it: it shares no more than a name.
    """
    constants = {i for i, value in enumerate(node.inputs) if value is not None and _is_constant(value)}
    return NodeFacts(
        op_type=f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
        attributes={name: a.value for name, a in node.attributes.items() if a.type in _PLAIN},
        shapes=tuple(_shape(value) for value in node.inputs),
        constants=frozenset(constants),
        dtypes=tuple("ABSENT" if v is None else v.dtype.name if v.dtype else None for v in node.inputs),
        outputs=sum(bool(v.uses() or v.is_graph_output()) for v in node.outputs),
        zeros=frozenset(i for i in constants if _is_zero(node.inputs[i])),
    )


def _is_constant(value: ir.Value) -> bool:
    return value.const_value is not None and constant(value) is not None


def _is_zero(value: ir.Value | None) -> bool:
    return value is not None and value.dtype == ir.DataType.FLOAT and scalar_constant(value) == 0


def _shape(value: ir.Value | None) -> tuple[int | None, ...] | None:
    if value is None or value.shape is None:
        return None
    return static_shape(value) or tuple(d if isinstance(d, int) else None for d in value.shape)


def sum_bound(node: ir.Node, entry: OpEntry) -> int:
    """Largest magnitude that an int32 sum of a weighted node can reach: unsigned codes times narrow signed ones."""
    shapes = [static_shape(node.inputs[index]) or () for index in entry.weights]
    axis = entry.weight_axis(node_facts(node)) if entry.weight_axis else None
    terms = [math.prod(shape) // max(1, 1 if axis is None else shape[axis]) for shape in shapes]
    return 255 * 127 * max(terms)


def computes_float(node: ir.Node) -> bool:
    """Whether the node makes float values (or values of unknown type) from inputs: work that could be on integers."""
    return bool(node.inputs) and any(value.dtype is None or value.dtype.is_floating_point() for value in node.outputs)
