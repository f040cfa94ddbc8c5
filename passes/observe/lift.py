"""Showing a value of a body outside of it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, bodies

LIFTABLE = ("If", "Loop", "Scan")


def lift(owner: ir.Node, body: ir.Graph, value: ir.Value, names: Names) -> ir.Value:
    """A new last output of the control-flow node that shows a value of one of its bodies.

    The other branch of an If gives an empty tensor. Iterations of Loop and Scan may differ in shape and are stacked, so
    they show their smallest and largest element, shape (iterations, 2).
    """
    for graph in bodies(owner):
        if graph is not body:
            graph.outputs.append(_empty(graph, names))
        elif owner.op_type == "If":
            graph.outputs.append(_own(graph, value, names))
        else:
            graph.outputs.append(_extremes(graph, value, names))
    owner.resize_outputs(len(owner.outputs) + 1)
    shown = owner.outputs[-1]
    shown.name, shown.type = names.value(f"{value.name}_observed"), ir.TensorType(ir.DataType.FLOAT)
    return shown


def drop_lifted(owner: ir.Node, count: int) -> None:
    """Take the last `count` outputs of the node and of its bodies away again."""
    for graph in bodies(owner):
        for _ in range(count):
            graph.outputs.pop()
    owner.resize_outputs(len(owner.outputs) - count)


def _empty(graph: ir.Graph, names: Names) -> ir.Value:
    node = ir.node("Constant", [], {"value": ir.tensor(np.zeros(0, np.float32))}, name=names.node("unobserved"))
    return _appended(graph, node, names)


def _own(graph: ir.Graph, value: ir.Value, names: Names) -> ir.Value:
    """The value, or a copy of it where it already is an output: a graph gives out each value once."""
    if not value.is_graph_output():
        return value
    return _appended(graph, ir.node("Identity", [value], name=names.node(f"{value.name}_copy")), names)


def _extremes(graph: ir.Graph, value: ir.Value, names: Names) -> ir.Value:
    parts = []
    for op_type in ("ReduceMin", "ReduceMax"):
        node = ir.node(op_type, [value], {"keepdims": 0}, name=names.node(f"{value.name}_{op_type}"))
        flat = ir.node("Reshape", [_appended(graph, node, names), _one(graph, names)], name=names.node("flat"))
        parts.append(_appended(graph, flat, names))
    return _appended(graph, ir.node("Concat", parts, {"axis": 0}, name=names.node(f"{value.name}_extremes")), names)


def _one(graph: ir.Graph, names: Names) -> ir.Value:
    return names.initializer(graph, "one", np.ones(1, np.int64))


def _appended(graph: ir.Graph, node: ir.Node, names: Names) -> ir.Value:
    graph.append(node)
    output = node.outputs[0]
    output.name, output.type = names.value(node.name or "observed"), ir.TensorType(ir.DataType.FLOAT)
    return output
