"""Putting one node in the place of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx_ir as ir

from qcompile.ir import Names, constant

Attributes = Mapping[str, int | float | str | Sequence[int]]


def why_kept(output: ir.Value, *inputs: ir.Value | None) -> str | None:
    """Why the nodes between the inputs and the output cannot give way to one; None if they can.

    Every way back from the output has to end at one of the inputs or at a constant.
    """
    last = output.producer()
    assert last is not None
    region, pending = {last}, [last]
    while pending:
        for value in pending.pop().inputs:
            node = value.producer() if value is not None else None
            if node is not None and value not in inputs and node not in region and constant(value) is None:
                region.add(node)
                pending.append(node)
    if any(node.graph is not last.graph for node in region):
        return "it begins outside of the body that it ends in"
    for value in (v for node in region - {last} for v in node.outputs):
        if value.is_graph_output() or any(use.node not in region for use in value.uses()):
            return f"{value.name!r} is also read elsewhere"
    return None


def become(
    node: ir.Node, op_type: str, inputs: Sequence[ir.Value | None], attributes: Attributes | None = None
) -> None:
    """Make a node another one of the standard domain, with its name and output."""
    node.domain, node.op_type = "", op_type
    node.resize_inputs(len(inputs))
    for index, value in enumerate(inputs):
        node.replace_input_with(index, value)
    node.attributes.clear()
    node.attributes.update({a.name: a for a in ir.convenience.convert_attributes(attributes or {})})


def insert(
    before: ir.Node,
    op_type: str,
    inputs: Sequence[ir.Value | None],
    names: Names,
    attributes: Attributes | None = None,
    *,
    shape: Iterable[int | ir.SymbolicDim] | None = None,
) -> ir.Value:
    """The output of a new node in front of another; its type is that of its first input."""
    assert before.graph is not None and inputs[0] is not None
    node = ir.node(op_type, inputs, attributes or {}, name=names.node(f"{before.name}_{op_type}"))
    output = node.outputs[0]
    output.name = names.value(f"{before.outputs[0].name}_{op_type.lower()}")
    output.type = inputs[0].type
    output.shape = None if shape is None else ir.Shape(shape)
    before.graph.insert_before(before, node)
    return output
