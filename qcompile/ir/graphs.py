"""Walks and edits over onnx_ir graphs that every pass needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir

_GRAPH, _GRAPHS = ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS


def graphs(model: ir.Model) -> Iterator[ir.Graph]:
    """The main graph, then every subgraph body, outer before inner."""
    yield from _with_bodies(model.graph)


def _with_bodies(graph: ir.Graph) -> Iterator[ir.Graph]:
    yield graph
    for node in graph:
        for attribute in node.attributes.data.values():  # the plain dict: this runs for every node of every walk
            if attribute.type is _GRAPH:
                yield from _with_bodies(attribute.as_graph())
            elif attribute.type is _GRAPHS:
                for body in attribute.as_graphs():
                    yield from _with_bodies(body)


def bodies(node: ir.Node) -> list[ir.Graph]:
    """The graphs that a node (If, Loop, Scan, ...) carries as attributes."""
    found: list[ir.Graph] = []
    for attribute in node.attributes.data.values():
        if attribute.type is _GRAPH:
            found.append(attribute.as_graph())
        elif attribute.type is _GRAPHS:
            found.extend(attribute.as_graphs())
    return found


def owners(model: ir.Model) -> dict[ir.Graph, ir.Node]:
    """The node that carries each body."""
    return {body: node for graph in graphs(model) for node in graph for body in bodies(node)}


def nodes(model: ir.Model) -> Iterator[ir.Node]:
    """Every node of the main graph and of all bodies; safe while the current node is replaced."""
    for graph in list(graphs(model)):
        yield from graph


def is_op(node: ir.Node | None, *op_types: str, domain: str = "") -> bool:
    """Whether the node is one of these ops of the domain (the standard domain by default)."""
    return node is not None and node.op_type in op_types and node.domain == domain


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """The value of an attribute, or the default where it is absent."""
    found = node.attributes.get(name)
    return default if found is None else found.value


def constant(value: ir.Value | None) -> np.ndarray | None:
    """The array behind an initializer that no caller can override, or behind a Constant node; else None.

    The array is read-only by convention: it may be a view of the model file.
    """
    if value is None or (value.is_graph_input() and value.is_initializer()):
        return None
    tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def scalar_constant(value: ir.Value | None) -> float | None:
    """The single number behind a constant of one element; else None."""
    array = constant(value)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None


def rank(value: ir.Value | None) -> int | None:
    """Number of dimensions, or None where it is unknown."""
    return None if value is None or value.shape is None else len(value.shape)


def static_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """The shape as integers, or None where any dimension is unknown or symbolic (some exporters write -1 for it)."""
    if value is None or value.shape is None:
        return None
    dims = tuple(d for d in value.shape if isinstance(d, int) and d >= 0)
    return dims if len(dims) == len(value.shape) else None


def sole_consumer(value: ir.Value) -> ir.Node | None:
    """The one node that reads the value; None if nobody, several do, or it is a graph output."""
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


def replace_value(old: ir.Value, new: ir.Value) -> None:
    """Let everything that reads `old` read `new`, keeping the names of inputs, initializers and outputs.

    A graph output keeps its name: `new` takes it over where it is free to (produced by a node of the same graph and
    no output itself), else an Identity is put between. An output that is itself an input or initializer stays as it
    is, and only what reads it changes.
    """
    _carry_type(old, new)
    if not old.is_graph_output():
        old.replace_all_uses_with(new)
        return
    made_by, graph = old.producer(), old.graph
    if made_by is None or graph is None:
        for node, index in list(old.uses()):
            node.replace_input_with(index, new)
        return
    producer = new.producer()
    same_graph = producer is not None and producer.graph is graph
    if producer is None or not same_graph or new.is_graph_output():
        bridge = ir.node("Identity", [new], name=f"{old.name}_identity")
        graph.insert_after(producer if producer is not None and same_graph else made_by, bridge)
        new = bridge.outputs[0]
        _carry_type(old, new)
    name, old.name = old.name, None
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    new.name = name


def _carry_type(old: ir.Value, new: ir.Value) -> None:
    """Keep what is known of the replaced value where the new one knows less."""
    new.type = new.type or old.type
    new.shape = new.shape if new.shape is not None else old.shape


def remove_dead(model: ir.Model) -> None:
    """Remove nodes and initializers that nothing reads, in the main graph and in the bodies."""
    found = list(graphs(model))
    for graph in reversed(found):
        for node in reversed(graph):
            if not any(v.uses() or v.is_graph_output() for v in node.outputs):
                for body in bodies(node):
                    for inner in body:
                        detach(inner)
                graph.remove(node, safe=True)
    for graph in found:
        for name, value in list(graph.initializers.items()):
            if not value.uses() and not value.is_graph_output() and not value.is_graph_input():
                del graph.initializers[name]


def detach(node: ir.Node) -> None:
    """Let a node that is gone, and all that its bodies hold, read nothing: what it captured may be dead as well."""
    for body in bodies(node):
        for inner in body:
            detach(inner)
    for index in range(len(node.inputs)):
        node.replace_input_with(index, None)
