"""Where values go in and out of bodies and functions under other names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from qcompile.ir import bodies, is_op

Crossings = Mapping[ir.Value, Sequence[ir.Value]]


def crossings(model: ir.Model) -> Crossings:
    """For every value that a body or function takes in or hands out: what it is called on the other side."""
    found: dict[ir.Value, list[ir.Value]] = {}
    everywhere = [model.graph, *(function.graph for function in model.functions.values())]
    for node in (node for graph in everywhere for node in graph.all_nodes()):
        for inner in _inner(model, node):
            if not is_op(node, "If"):
                _connect(found, node.inputs, inner.inputs)
            # The first output of a Loop's body is its condition, which stays inside.
            _connect(found, inner.outputs[1:] if is_op(node, "Loop") else inner.outputs, node.outputs)
    return found


def _inner(model: ir.Model, node: ir.Node) -> list[ir.Graph]:
    if is_op(node, "If", "Loop", "Scan"):
        return list(bodies(node))
    function = model.functions.get(node.op_identifier())
    return [] if function is None else [function.graph]


def _connect(
    found: dict[ir.Value, list[ir.Value]], sources: Sequence[ir.Value | None], names: Sequence[ir.Value]
) -> None:
    for source, name in zip(sources, names, strict=False):
        if source is not None:
            found.setdefault(source, []).append(name)
