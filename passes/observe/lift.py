"""Showing a value of a body outside of it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, bodies

LIFTABLE = ("If", "Loop", "Scan")

LIFTED = "qcompile.lifted"
"""Metadata key of the outputs that are added."""


def lift(owner: ir.Node, body: ir.Graph, value: ir.Value, names: Names) -> ir.Value:
    """A new last output of the control-flow node that shows a value of one of its bodies.

    The other branch of an If gives an empty tensor. Iterations of Loop and Scan may differ in shape and are stacked, so
    they show their smallest and largest element, shape (iterations in which there were elements, 2).
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
    shown.metadata_props[LIFTED] = value.name or ""
    for name, numbers in _per_scan_output(owner):
        owner.attributes[name] = ir.AttrInt64s(name, [*numbers, 0])
    return shown if owner.op_type == "If" else _without_empty(owner, shown, names)


def drop_lifted(owner: ir.Node) -> None:
    """Take the lifted outputs of the node, those of its bodies, and what reads them away again."""
    lifted = [value for value in owner.outputs if LIFTED in value.metadata_props]
    if owner.op_type not in LIFTABLE or not lifted:
        return
    for value in lifted:
        _remove_readers(value)
    for graph in bodies(owner):
        for _ in lifted:
            graph.outputs.pop()
    for name, numbers in _per_scan_output(owner):
        owner.attributes[name] = ir.AttrInt64s(name, numbers[: -len(lifted)])
    owner.resize_outputs(len(owner.outputs) - len(lifted))


def _per_scan_output(owner: ir.Node) -> list[tuple[str, list[int]]]:
    """Attributes that hold one number for each output that a Scan stacks."""
    found = [(name, attribute(owner, name)) for name in ("scan_output_axes", "scan_output_directions")]
    return [(name, list(numbers)) for name, numbers in found if numbers is not None]


def _remove_readers(value: ir.Value) -> None:
    for reader, _ in list(value.uses()):
        if reader.graph is None:
            continue  # read the value twice, and is gone
        for output in reader.outputs:
            _remove_readers(output)
        reader.graph.remove(reader, safe=True)


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


def _without_empty(owner: ir.Node, extremes: ir.Value, names: Names) -> ir.Value:
    """Leave out iterations without elements, as those that pass a branch by: their minimum is above their maximum."""
    graph, after = owner.graph, owner
    assert isinstance(graph, ir.Graph)

    def behind(op_type: str, inputs: list[ir.Value], axis: int | None = None) -> ir.Value:
        nonlocal after
        attributes = {} if axis is None else {"axis": axis}
        node = ir.node(op_type, inputs, attributes, name=names.node(f"{extremes.name}_{op_type}"))
        node.outputs[0].name = names.value(node.name or "")
        graph.insert_after(after, node)
        after = node
        return node.outputs[0]

    columns = [names.initializer(graph, "column", np.array(i, np.int64)) for i in range(2)]
    low, high = (behind("Gather", [extremes, column], axis=1) for column in columns)
    there = behind("Not", [behind("Less", [high, low])])  # NaN is there
    shown = behind("Compress", [extremes, there], axis=0)
    shown.type = extremes.type
    return shown


def _one(graph: ir.Graph, names: Names) -> ir.Value:
    return names.initializer(graph, "one", np.ones(1, np.int64))


def _appended(graph: ir.Graph, node: ir.Node, names: Names) -> ir.Value:
    graph.append(node)
    output = node.outputs[0]
    output.name, output.type = names.value(node.name or "observed"), ir.TensorType(ir.DataType.FLOAT)
    return output
