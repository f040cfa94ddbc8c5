"""Which nodes must compute in float so that one quantization is gone."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from qcompile.ir import graphs, is_op
from qcompile.plan import Form, Plan
from qcompile.targets import Role, Target
from qcompile.verify.gates import Gate


def float_nodes(canonical: ir.Model, plan: Plan, target: Target, gate: Gate) -> dict[str, str]:
    """By node name what of the node is quantized by a gate: `weights`, `input` or `output`.

    An activation stays quantized as long as one integer node reads it, here or where it was moved to, or as its maker
    gives codes: such a maker is among the nodes, unless it then dequantizes its own results, which a caller who takes 8
    bits would not read.
    """
    if gate.of_weights:
        return {gate.node: "weights"}
    every = (v for graph in graphs(canonical) for v in (*graph.inputs, *(v for node in graph for v in node.outputs)))
    value = next(v for v in every if v.name == gate.value)
    found = {}
    maker = _unit_of(value.producer())
    if maker is not None and plan.makes_codes(maker.name):
        entry = target.table.get(maker.op_type)
        leaves = plan.io_type == "quantized" and value.is_graph_output()
        if leaves or entry is None or Form.INTEGER_TO_FLOAT not in entry.forms:
            found[maker.name or ""] = "output"
    return found | {node.name or "": "input" for node in _readers(value, plan, target)}


def _unit_of(node: ir.Node | None) -> ir.Node | None:
    """The node that a clamp follows: together they make one value."""
    while node is not None and is_op(node, "Clip", "Relu") and node.inputs[0] is not None:
        before = node.inputs[0].producer()
        if before is None:
            break
        node = before
    return node


def _readers(value: ir.Value, plan: Plan, target: Target) -> Iterator[ir.Node]:
    """The integer nodes that read a value, and those that read what such nodes only move."""
    for use in value.uses():
        entry = target.table.get(use.node.op_type)
        if not plan.is_integer(use.node.name):
            continue
        yield use.node
        if entry is not None and entry.role is Role.MOVE:
            for moved in use.node.outputs:
                yield from _readers(moved, plan, target)
